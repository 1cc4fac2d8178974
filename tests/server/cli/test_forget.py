"""cairn forget: a node that was taken away for good is no loss any more."""

import contextlib
import json
import subprocess
import time
import urllib.request

from conftest import CAIRN, plain_environment
from daemons import running_cluster
from test_exit_codes import DONE, FAILED, USAGE, said

WAIT_S = 60


def nodes(run, admin):
    """Their states by id."""
    result = run("status", *admin, "--json")
    assert result.returncode == DONE, result.stderr
    return {node["node_id"]: node["state"] for node in json.loads(result.stdout)["nodes"]}


def eventually(look):
    limit = time.monotonic() + WAIT_S
    while not (seen := look()):
        assert time.monotonic() < limit
        time.sleep(0.1)
    return seen


def metrics(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def another_node(cluster, folder):
    command = [CAIRN, "node", "--coordinators", cluster.coordinator, "--state-folder", folder]
    command += ["--dram-bytes", "64MiB", "--warm-restart", "0s"]
    process = subprocess.Popen(
        command, env=plain_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_lost_node_is_forgotten_and_known_again_when_it_comes_back(run, tmp_path):
    with running_cluster(tmp_path, "--coordinator.node-timeout", "2s") as cluster:
        admin = ["--coordinator", cluster.coordinator, "--admin-file", cluster.admin_file]
        (first,) = nodes(run, admin)
        with another_node(cluster, tmp_path / "other"):
            eventually(lambda: list(nodes(run, admin).values()) == ["ready", "ready"])
            (other,) = nodes(run, admin).keys() - {first}
            said(run("forget", other, *admin), FAILED, "is alive", "end its process first")
        eventually(lambda: nodes(run, admin)[other] == "lost")
        eventually(lambda: 'finding="node_lost"' in metrics(cluster.coordinator_http))
        result = run("forget", other[:8], *admin)
        assert (result.returncode, result.stderr) == (DONE, "")
        assert result.stdout.startswith(f"node {other[:8]} forgotten")
        assert nodes(run, admin) == {first: "ready"}
        eventually(lambda: 'finding="node_lost"' not in metrics(cluster.coordinator_http))
        said(run("forget", other, *admin), FAILED, f'no node "{other}"', f"known: {first[:8]}")
        with another_node(cluster, tmp_path / "other"):
            eventually(lambda: nodes(run, admin).get(other) == "ready")


def test_mistakes_say_what_to_do(run, admin, cluster, tmp_path):
    said(run("forget", *admin), USAGE, "node")
    said(run("forget", "abc", *admin), USAGE, "abc", "at least 4 digits")
    (tmp_path / "admin").write_text("00" * 32 + "\n")
    stranger = ["--coordinator", cluster.coordinator, "--admin-file", "admin"]
    said(run("forget", "0000", *stranger), FAILED, "credential")
