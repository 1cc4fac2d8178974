"""The chart in a real control plane: what its API server takes, and a release's life."""

import base64
import json
import re
import shlex
import subprocess

import pytest
import yaml
from chart import CHART, PAGE, ROOT, SETS, template
from control_plane import control_plane

each_set = pytest.mark.parametrize("values", SETS, ids=lambda values: values.stem)
WAIT = ("--wait", "--timeout", "120s")


@pytest.fixture(scope="session")
def plane(tmp_path_factory):
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture
def namespace(plane, request):
    """One of the test's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60].strip("-")
    plane.kubectl("create", "namespace", name)
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false")


def restrict(plane, namespace):
    """To what the strictest of Kubernetes' standards for pods allows."""
    label = "pod-security.kubernetes.io/enforce=restricted"
    plane.kubectl("label", "namespace", namespace, label)


def helm(plane, *words, check=True):
    command = ["helm", *(str(word) for word in words)]
    result = subprocess.run(
        command, capture_output=True, text=True, env=plane.environment, check=False
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def try_strictly(plane, namespace, manifests):
    words = ["apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-"]
    return plane.kubectl(*words, stdin=manifests, check=False)


def names(plane, kind, namespace):
    return sorted(item["metadata"]["name"] for item in plane.get(kind, namespace))


def admin(plane, namespace, name="cairn-admin"):
    (secret,) = (s for s in plane.get("secret", namespace) if s["metadata"]["name"] == name)
    return base64.b64decode(secret["data"]["admin"]).decode()


@each_set
def test_the_api_server_takes_every_word_of(values, plane, namespace):
    """And warns of what only RDMA and the machines' folders need."""
    restrict(plane, namespace)
    manifests = template("--values", values, "--namespace", namespace).stdout
    # A pod's account is looked up, be it a trial or not.
    accounts = [o for o in yaml.safe_load_all(manifests) if o["kind"] == "ServiceAccount"]
    plane.apply(accounts, "-n", namespace)
    result = try_strictly(plane, namespace, manifests)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("(server dry run)") == manifests.count("\nkind: ")
    privileged = values.stem in ("rdma", "everything-on")
    assert ("would violate PodSecurity" in result.stderr) == privileged


@pytest.mark.parametrize("wrong", ["topologyKeys", "readOnlyRootFileSystem", "podSelectors"])
def test_the_api_server_would_refuse_a_typo_such_as(wrong, plane, namespace):
    right = {"topologyKeys": "topologyKey", "podSelectors": "podSelector"}
    manifests = template("--namespace", namespace).stdout
    broken = manifests.replace(f"{right.get(wrong, 'readOnlyRootFilesystem')}:", f"{wrong}:")
    result = try_strictly(plane, namespace, broken)
    assert result.returncode != 0
    assert wrong in result.stderr


def test_the_example_of_vllm_is_taken(plane, namespace):
    restrict(plane, namespace)
    manifests = (ROOT / "helm" / "examples" / "vllm.yaml").read_text()
    result = try_strictly(plane, namespace, manifests)
    assert result.returncode == 0, result.stderr
    assert "violate" not in result.stderr


@each_set
def test_pods_find_their_machines_volumes_and_devices_with(values, plane, namespace):
    helm(plane, "install", "kv", CHART, "-n", namespace, "--values", values, *WAIT)
    chosen = yaml.safe_load(values.read_text()).get("nodes", {})
    pods = [p for p in plane.get("pod", namespace) if "-node-" in p["metadata"]["name"]]
    assert len(pods) == chosen.get("replicas", 3)
    assert all(pod["status"]["phase"] == "Running" for pod in pods)
    assert len({pod["spec"]["nodeName"] for pod in pods}) == len(pods)
    helm(plane, "uninstall", "kv", "-n", namespace, *WAIT)


def page_commands():
    """The page's lines that helm can do here: no container runs, so nothing is tested in one."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if re.match(r"helm (?!test)", line)]


def test_a_release_lives_as_the_page_says(plane):
    install, _, upgrade, rollback, uninstall = page_commands()
    helm(plane, *install[1:], *WAIT)
    restrict(plane, "cairn")
    credential = admin(plane, "cairn")
    assert re.fullmatch("[0-9a-f]{64}", credential)
    nodes = ["cairn-node-0", "cairn-node-1", "cairn-node-2"]
    assert names(plane, "pod", "cairn") == ["cairn-coordinator-0", *nodes]
    before = {p["metadata"]["uid"] for p in plane.get("pod", "cairn")}

    helm(plane, *upgrade[1:], *WAIT)
    after = {p["metadata"]["uid"] for p in plane.get("pod", "cairn")}
    assert before < after and len(after) == 5, "a node more restarts no other"
    assert admin(plane, "cairn") == credential

    helm(plane, *rollback[1:], *WAIT)
    plane.kubectl("wait", "-n", "cairn", "--for=delete", "pod/cairn-node-3", "--timeout=60s")
    assert {p["metadata"]["uid"] for p in plane.get("pod", "cairn")} == before

    helm(plane, *uninstall[1:], *WAIT)
    for kind in ("pod", "statefulset", "service", "pdb", "networkpolicy", "secret"):
        assert names(plane, kind, "cairn") == [], kind
    assert names(plane, "pvc", "cairn") == ["state-cairn-coordinator-0"]


def test_a_release_turns_to_tls_as_the_page_says(plane):
    install, to_tls, _, _, uninstall = page_commands()
    helm(plane, *install[1:], *WAIT)
    restrict(plane, "cairn")
    before = {p["metadata"]["uid"] for p in plane.get("pod", "cairn")}
    helm(plane, *to_tls[1:], *WAIT)
    plane.kubectl("rollout", "status", "-n", "cairn", "sts/cairn-node", "--timeout=120s")
    pods = plane.get("pod", "cairn")
    assert before.isdisjoint(p["metadata"]["uid"] for p in pods)
    for pod in pods:
        secrets = [volume.get("secret", {}) for volume in pod["spec"]["volumes"]]
        assert "cairn-tls" in [secret.get("secretName") for secret in secrets]
    helm(plane, *uninstall[1:], *WAIT)


def test_a_new_image_restarts_nodes_one_by_one_under_the_strictest_standard(plane, namespace):
    restrict(plane, namespace)
    helm(plane, "install", "cairn", CHART, "-n", namespace, *WAIT)
    before = {p["metadata"]["uid"] for p in plane.get("pod", namespace)}
    helm(plane, "upgrade", "cairn", CHART, "-n", namespace, "--set", "image.tag=v9", *WAIT)
    plane.kubectl("rollout", "status", "-n", namespace, "sts/cairn-node", "--timeout=120s")
    pods = plane.get("pod", namespace)
    assert before.isdisjoint(p["metadata"]["uid"] for p in pods)
    assert {p["spec"]["containers"][0]["image"] for p in pods} == {"cairn:v9"}


def evict(plane, namespace, pod):
    """As a drain of its machine does."""
    about = {"name": pod, "namespace": namespace}
    asked = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about})
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    return plane.kubectl("create", "--raw", path, "-f", "-", stdin=asked, check=False)


def test_drains_take_one_node_at_a_time(plane, namespace):
    helm(plane, "install", "cairn", CHART, "-n", namespace, *WAIT)
    allowed = "--for=jsonpath={.status.disruptionsAllowed}=1"
    plane.kubectl("wait", "-n", namespace, allowed, "pdb/cairn-node", "--timeout=60s")
    machines = [m["metadata"]["name"] for m in plane.get("node", namespace)]
    plane.kubectl("cordon", *machines)
    try:
        assert evict(plane, namespace, "cairn-node-0").returncode == 0
        second = evict(plane, namespace, "cairn-node-1")
        assert second.returncode != 0
        assert "disruption budget" in second.stderr
    finally:
        plane.kubectl("uncordon", *machines)
    plane.kubectl("wait", "-n", namespace, allowed, "pdb/cairn-node", "--timeout=60s")
    assert evict(plane, namespace, "cairn-node-1").returncode == 0


def test_endpoints_are_the_pods(plane, namespace):
    helm(plane, "install", "cairn", CHART, "-n", namespace, *WAIT)
    for service, count in [("cairn-node", 3), ("cairn-coordinator", 1)]:
        words = [
            "get",
            "endpointslice",
            "-n",
            namespace,
            "-l",
            f"kubernetes.io/service-name={service}",
        ]
        plane.kubectl(
            "wait", "-n", namespace, "--for=jsonpath={.endpoints}", *words[1:2], *words[4:]
        )
        (slices,) = yaml.safe_load(plane.kubectl(*words, "-o", "yaml").stdout)["items"]
        assert len(slices["endpoints"]) == count
        assert {port["name"] for port in slices["ports"]} >= {"http"}
