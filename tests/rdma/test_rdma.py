"""Cairn over queue pairs, on two machines and their cable."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from machine import Machine, Program

CAIRN = "/cairn/server/cairn"
LANES = ["rc_verbs,tcp", "rc_verbs"]  # TCP carries the connection manager alone
PACKET_BYTES = 4096
WORKING_SET_BYTES = 16 * 2**20
TIMEOUT_S = 2
CUT_S = 5
IDLE_S = 5
TICKS_PER_S = 100
LIMIT_S = 200
READ_METRICS = """
import json, urllib.request
node = json.load(open("/tmp/ready"))["node_http"]
print(urllib.request.urlopen(f"http://{node}/metrics").read().decode())
"""


@dataclass
class Cluster:
    machine: Machine  # of the daemon
    daemon: Program  # a coordinator and a node
    engine: Machine
    lanes: str

    def bench(self, seconds: int) -> Program:
        command = [CAIRN, "bench", "--coordinator", f"{self.machine.address}:7400", "--json"]
        command += [
            "--tenant-file",
            "/share/tenant",
            "--ucx-tls",
            self.lanes,
            "--timeout",
            f"{TIMEOUT_S}s",
        ]
        command += ["--seconds", seconds, "--working-set", WORKING_SET_BYTES]
        command += ["--batch", "8", "--block-bytes", "256KiB"]
        return self.engine.start(*command)

    def loaded(self, seconds: int) -> Program:
        """A bench that has stored its working set, and gets blocks."""
        running = self.bench(seconds)
        hits = "cairn_get_hit_blocks_total"
        self.machine.await_(lambda: self.metric(hits) > 0, LIMIT_S, "gets")
        return running

    def metric(self, name: str, label: str = "") -> float:
        """Of the node, over all series that have the label."""
        text = self.machine.run("/usr/bin/python3", "-c", READ_METRICS)
        series = re.findall(rf"^{name}({{.*}})? (\S+)$", text, re.M)
        return sum(float(value) for labels, value in series if label in labels)


def up(machine: Machine, lanes: str) -> Program:
    any_port = f"{machine.address}:0"
    command = [CAIRN, "up", "--state-folder", f"/tmp/state-{machine.programs}"]
    command += ["--ready-file", "/tmp/ready", "--coordinator.listen", f"{machine.address}:7400"]
    command += ["--coordinator.insecure", "true", "--node.insecure", "true"]
    command += ["--node.data-listen", any_port, "--node.http-listen", any_port]
    command += ["--node.dram-bytes", "256MiB", "--node.huge-pages", "false"]
    machine.run("rm -f /tmp/ready")
    daemon = machine.start(*command, "--node.ucx-tls", lanes)
    ready = "until test -s /tmp/ready; do sleep 0.1; done; cat /tmp/ready"
    facts = json.loads(machine.run(ready))
    machine.run(f"cp {facts['tenant_file']} /share/tenant")
    return daemon


@pytest.fixture(params=LANES)
def cluster(request, machines) -> Iterator[Cluster]:
    machine, engine = machines
    daemon = up(machine, request.param)
    shutil.copy(machine.share / "tenant", engine.share / "tenant")
    yield Cluster(machine, daemon, engine, request.param)
    if not daemon.ended():
        daemon.signal("KILL")
        daemon.wait(LIMIT_S)


def summary(bench: Program, seconds: int) -> dict:
    """Of a bench of so many seconds in which nothing was wrong, and whose calls have all ended.

    Not that nobody was late: the adapter's work is done within the sender's call here, 160 ms of it
    at times, so that an answer waits for its thread.
    """
    assert bench.wait(LIMIT_S) == 0, bench.output()
    told = json.loads(bench.output().splitlines()[-1])
    assert told["wrong_bytes"] == 0
    assert told["seconds"] < seconds + TIMEOUT_S + 1, bench.output()
    return told


@pytest.mark.parametrize("lanes", LANES)
def test_a_worker_keeps_its_contract(machines, lanes):
    machine, _ = machines
    before = machine.sent_packets()
    program = machine.start(
        "/cairn/tests/transport/ucx/transport_ucx_test",
        # Here a message comes before its sender looks up, so that nobody would ever sleep.
        "--gtest_filter=UcxWorkerTest.*-*.NoWakeUpIsLost",
        environment={"CAIRN_TEST_UCX_TLS": lanes, "CAIRN_TEST_UCX_HOST": machine.address},
    )
    assert program.wait(LIMIT_S) == 0, program.output()
    assert re.search(r"\[  PASSED  \] \d+ tests", program.output())
    # At least what BulksOfEverySizeArriveWhole sends.
    assert machine.sent_packets() - before > 5 * 2**20 // PACKET_BYTES


def test_blocks_move_over_queue_pairs(cluster):
    before = cluster.machine.sent_packets()
    told = summary(cluster.bench(10), 10)
    assert told["blocks_got"] > 100 and told["blocks_put"] > 100
    # A node that had fallen back to TCP would have sent none.
    got_bytes = told["blocks_got"] * told["block_bytes"]
    assert cluster.machine.sent_packets() - before > got_bytes // PACKET_BYTES
    assert cluster.metric("cairn_get_seconds_count", 'transport="rdma"') > 0
    assert cluster.metric("cairn_get_seconds_count", 'transport="tcp"') == 0


def test_a_node_that_nobody_asks_sleeps(cluster):
    pid = cluster.daemon.file("pid").read_text().strip()
    ticks = f"cut -d' ' -f14,15 /proc/{pid}/stat | tr ' ' +"
    used = cluster.machine.run(f"a=$(($({ticks}))); sleep {IDLE_S}; echo $(($({ticks}) - a))")
    assert int(used) < IDLE_S * TICKS_PER_S / 2


def test_a_cut_cable_costs_misses_alone(cluster):
    running = cluster.loaded(20)
    cluster.machine.cable(plugged=False)
    cluster.engine.run(f"sleep {CUT_S}")
    cluster.machine.cable(plugged=True)
    assert sum(summary(running, 20)["misses"].values()) > 0, "the cut was not felt"
    after = summary(cluster.bench(5), 5)
    assert after["blocks_got"] > 0 and sum(after["misses"].values()) == 0


def test_a_node_that_is_killed_costs_misses_alone(cluster):
    running = cluster.loaded(15)
    cluster.daemon.signal("KILL")
    assert sum(summary(running, 15)["misses"].values()) > 0


def test_an_engine_that_is_killed_leaves_no_pin(cluster):
    running = cluster.loaded(60)
    running.signal("KILL")
    cluster.machine.await_(lambda: cluster.metric("cairn_pins") == 0, LIMIT_S, "no pin")
    assert not cluster.daemon.ended()
