"""A coordinator and nodes as processes of their own, each of which can end and come back."""

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daemons import CAIRN, READY_S


class Daemon:
    """Comes back at the address that it had."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.folder = folder
        self.words = [str(word) for word in words]
        self.process: subprocess.Popen | None = None
        folder.mkdir()

    def start(self, *more: object) -> dict[str, str]:
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        command = [CAIRN, *self.words, "--state-folder", self.folder / "state"]
        command += ["--ready-file", ready, *more]
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen([str(w) for w in command], stdout=log, stderr=log)
        limit = time.monotonic() + READY_S
        while not ready.exists():
            log = (self.folder / "log").read_text()
            assert self.process.poll() is None and time.monotonic() < limit, log
            time.sleep(0.02)
        return json.loads(ready.read_text())

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self, by: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(by)
            self.process.wait(30)


# Coordinator's options: a silent node is noticed sooner than with the defaults.
QUICK = ("--heartbeat-interval", "200ms", "--node-timeout", "1s")


class DashboardCluster:
    def __init__(self, folder: Path, options: Sequence[str] = QUICK) -> None:
        self.folder = folder
        self.coordinator = Daemon(folder / "coordinator", "coordinator", *options)
        self.nodes: list[Daemon] = []
        self.address = self.http = "127.0.0.1:0"
        self.tenant_file = folder / "tenant"
        self.admin_file = folder / "coordinator" / "state" / "admin"

    def start(self) -> None:
        facts = self.coordinator.start("--listen", self.address)
        self.address, self.http = facts["address"], facts["http"]
        self.url = f"http://{self.http}/"
        self.nodes = [self._node(self.folder / f"node{i}") for i in range(2)]
        for node in self.nodes:
            node.start()
        self.cairn("tenant", "add", "chat", "--out", self.tenant_file)

    def _node(self, folder: Path) -> Daemon:
        memory = ["--dram-bytes", "64MiB", "--nvme", folder / "nvme", "--nvme-bytes", "512MiB"]
        node = Daemon(folder, "node", "--coordinators", self.address, *memory)
        (folder / "nvme").mkdir()
        return node

    def restart_coordinator(self) -> None:
        self.coordinator.start("--listen", self.address, "--http-listen", self.http)

    def cairn(self, *words: object) -> str:
        command = [CAIRN, *words, "--coordinator", self.address, "--admin-file", self.admin_file]
        return subprocess.run(
            [str(w) for w in command], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def api(self, path: str = "overview") -> dict:
        with urllib.request.urlopen(f"{self.url}api/v1/{path}", timeout=10) as reply:
            return json.load(reply)

    def promise(self, name: str, within: str) -> None:
        self.cairn(
            "slo", "set", "--name", name, "--tier", "dram", "--size", "64KiB", "--p99", within
        )

    def load(self, seconds: int) -> subprocess.Popen:
        """Puts and gets in the background, which leave the machine to the tests."""
        command = ["nice", "-n", "19", CAIRN, "bench", "--coordinator", self.address]
        command += ["--tenant-file", self.tenant_file, "--seconds", str(seconds)]
        command += ["--depth", "1", "--batch", "8", "--working-set", "96MiB"]
        with open(self.folder / "load.log", "w") as log:
            return subprocess.Popen([str(w) for w in command], stdout=log, stderr=log)

    @contextlib.contextmanager
    def loading(self, seconds: int) -> Iterator[subprocess.Popen]:
        """Under load until the block's end, `seconds` at most."""
        load = self.load(seconds)
        try:
            yield load
        finally:
            load.kill()
            load.wait(30)

    def end(self) -> None:
        for daemon in [*self.nodes, self.coordinator]:
            daemon.end()


@contextlib.contextmanager
def dashboard_cluster(folder: Path, options: Sequence[str] = QUICK) -> Iterator[DashboardCluster]:
    cluster = DashboardCluster(folder, options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()
