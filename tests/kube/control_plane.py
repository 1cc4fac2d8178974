"""A Kubernetes control plane on loopback, with machines on which containers only seem to run.

API server, admission, controllers, scheduler and etcd are the real ones; kwok says of each pod that
was given a machine that it runs and is ready. So probes, network policies and images are taken and
never tried. The programs are those of tests/tools/kube.
"""

import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

START_S = 120
STOP_S = 30
MACHINES = 4
VOLUMES = 48
HUGE = {"hugepages-2Mi": "256Gi"}
RDMA = {"rdma/hca_shared_devices_a": "8", "rdma/hca_shared_devices_b": "8"}


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not on the PATH; ./dev test --kube builds it"
    return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


class ControlPlane:
    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.running = running
        self.token = secrets.token_hex(16)
        self.etcd, self.etcd_peers, self.api, self.controllers, self.scheduler, self.kwok = (
            free_ports(6)
        )
        self.kubeconfig = folder / "kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def start(self, name: str, *words, until: Callable[[], bool]) -> None:
        """Starts a daemon and waits until it serves."""
        log = self.folder / f"{name}.log"
        with open(log, "w") as output:
            daemon = subprocess.Popen([str(word) for word in words], stdout=output, stderr=output)
        self.running.callback(end, daemon)
        limit = time.monotonic() + START_S
        while not until():
            assert daemon.poll() is None and time.monotonic() < limit, log.read_text()[-3000:]
            time.sleep(0.1)

    def start_etcd(self) -> None:
        address, peers = (f"http://127.0.0.1:{port}" for port in (self.etcd, self.etcd_peers))
        urls = ["--listen-client-urls", address, "--advertise-client-urls", address]
        urls += ["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers]
        urls += ["--initial-cluster", f"default={peers}"]
        data = ["--data-dir", self.folder / "etcd", "--unsafe-no-fsync"]
        self.start(
            "etcd", program("etcd"), *data, *urls, until=lambda: answers(f"{address}/health")
        )

    def start_api(self) -> None:
        """Whoever has the token may do everything. A key pair signs service accounts' tokens."""
        key, public = self.folder / "accounts.key", self.folder / "accounts.pub"
        run(program("openssl"), "genrsa", "-out", key, "2048")
        run(program("openssl"), "rsa", "-in", key, "-pubout", "-out", public)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f"{self.token},operator,operator,system:masters\n")
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self.etcd}",
            "bind-address": "127.0.0.1",
            "secure-port": self.api,
            "cert-dir": self.folder / "certificates",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": public,
            "service-account-signing-key-file": key,
            "token-auth-file": tokens,
            "authorization-mode": "RBAC",
            "endpoint-reconciler-type": "none",
        }
        words = [f"--{name}={value}" for name, value in flags.items()]
        address = f"https://127.0.0.1:{self.api}"
        self.start(
            "kube-apiserver",
            *[program("kubecp"), "kube-apiserver", *words],
            until=lambda: answers(f"{address}/readyz", self.token),
        )
        authority = self.folder / "certificates" / "apiserver.crt"
        cluster = {"server": address, "certificate-authority": str(authority)}
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": "operator", "user": {"token": self.token}}],
                    "contexts": [
                        {"name": "test", "context": {"cluster": "test", "user": "operator"}}
                    ],
                }
            )
        )

    def start_controllers(self) -> None:
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false"]
        common += ["--bind-address=127.0.0.1"]
        keys = [f"--service-account-private-key-file={self.folder}/accounts.key"]
        keys += [f"--root-ca-file={self.folder}/certificates/apiserver.crt"]
        for name, port, more in [
            ("kube-controller-manager", self.controllers, keys),
            ("kube-scheduler", self.scheduler, []),
        ]:
            words = [*common, f"--secure-port={port}", f"--cert-dir={self.folder}/{name}", *more]
            address = f"https://127.0.0.1:{port}/healthz"
            self.start(name, program("kubecp"), name, *words, until=lambda at=address: answers(at))

    def start_machines(self) -> None:
        stages = Path(program("kubecp")).with_name("kwok-stages.yaml")
        words = [f"--config={stages}", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes"]
        address = f"127.0.0.1:{self.kwok}"
        self.start(
            "kwok",
            *[program("kwok"), *words, f"--server-address={address}"],
            "--node-lease-duration-seconds=40",
            until=lambda: answers(f"http://{address}/healthz"),
        )
        self.apply([machine(i) for i in range(MACHINES)] + [volume(i) for i in range(VOLUMES)])
        self.kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")

    def kubectl(self, *words, check: bool = True, stdin: str | None = None):
        command = [program("kubectl"), *(str(word) for word in words)]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=self.environment,
            input=stdin,
            check=False,
        )
        assert not check or result.returncode == 0, result.stderr
        return result

    def apply(self, objects: list[dict], *words) -> None:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.kubectl("apply", *words, "-f", "-", stdin=json.dumps(everything))

    def get(self, kind: str, namespace: str) -> list[dict]:
        return json.loads(self.kubectl("get", kind, "-n", namespace, "-o", "json").stdout)["items"]


def machine(i: int) -> dict:
    """Large, with everything that a set of values asks for, in a zone of its own."""
    labels = {"kubernetes.io/hostname": f"m{i}", "topology.kubernetes.io/zone": f"z{i}"}
    labels |= {"type": "kwok", "pool": "control" if i == 0 else "cache"}
    has = {"cpu": "64", "memory": "1Ti", "pods": "110", "ephemeral-storage": "1Ti", **HUGE, **RDMA}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"m{i}", "labels": labels},
        "status": {"capacity": has, "allocatable": has},
    }


def volume(i: int) -> dict:
    """For claims of no class, and of the class `drives`, half of those as devices."""
    spec = {
        "capacity": {"storage": "4Ti"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "" if i % 3 == 0 else "drives",
        "volumeMode": "Block" if i % 3 == 2 else "Filesystem",
        "hostPath": {"path": f"/mnt/{i}"},
    }
    if spec["volumeMode"] == "Block":
        del spec["hostPath"]
        spec["csi"] = {"driver": "drives.example", "volumeHandle": f"drive-{i}"}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"v{i}"},
        "spec": spec,
    }


def end(daemon: subprocess.Popen) -> None:
    daemon.terminate()
    try:
        daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def run(*words) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def answers(address: str, token: str = "") -> bool:
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(
        address, headers={"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        return urllib.request.urlopen(request, timeout=2, context=unchecked).status == 200
    except OSError:
        return False


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    with ExitStack() as running:
        plane = ControlPlane(folder, running)
        plane.start_etcd()
        plane.start_api()
        plane.start_controllers()
        plane.start_machines()
        kinds = Path(program("kubecp")).parent.glob("monitoring.coreos.com_*.yaml")
        for kind in kinds:
            plane.kubectl("create", "-f", kind)
        yield plane
