"""What `cairn demo` promises to whoever tries Cairn for the first time."""

import json
from pathlib import Path

import pytest
from daemons import ROOT

TRACE = ROOT / "bench" / "traces" / "conversation_slice.jsonl"


def test_hits_go_on_while_a_node_with_drives_restarts(run, tmp_path):
    done = run(
        *["demo", "--nvme", "--once", "--json", "--trace", TRACE, "--block-bytes", "128KiB"],
        TMPDIR=str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "64.0 MiB of DRAM, " in done.stderr
    summary = json.loads(done.stdout)
    assert summary["requests"] == 600
    assert summary["wrong_bytes"] == 0
    assert summary["late_answers"] == 0
    assert summary["simulated_block_hit_ratio"] == pytest.approx(0.1687, abs=0.0001)
    assert summary["restart"]["at_request"] >= 300
    assert summary["restart"]["block_hit_ratio_after"] > 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("cairn-")]


def test_faults_and_a_restart_are_two_shows(run):
    done = run("demo", "--faults", "--nvme", "--once")
    assert done.returncode == 2
    assert "faults: --nvme restarts a node by itself; give one of the two" in done.stderr


def test_what_is_exported_for_another_cluster_does_not_reach_the_demo(run, tmp_path):
    absent = str(tmp_path / "absent")
    another_cluster = {
        "CAIRN_COORDINATOR": "127.0.0.1:1",
        "CAIRN_COORDINATORS": "127.0.0.1:1",
        **{
            f"CAIRN_{name}": absent
            for name in (
                *("CA_FILE", "CERTIFICATE_FILE", "KEY_FILE", "TENANT_FILE", "ADMIN_FILE"),
                *("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"),
                *("STATE_FOLDER", "OBJECTIVES_FILE", "READY_FILE", "NVME", "NVME_KEY_FILE"),
            )
        },
    }
    trace = ["--trace", TRACE, "--requests-max", "20", "--block-bytes", "64KiB"]
    done = run(
        *["demo", "--once", "--json", "--nodes", "1", "--dram-bytes", "64MiB", *trace],
        **another_cluster,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["requests"] == 20
    assert not Path(absent).exists()


def test_what_is_exported_to_tune_reaches_the_demo(run):
    trace = ["--trace", TRACE, "--requests-max", "20"]
    done = run(
        *["demo", "--once", "--nodes", "1", "--dram-bytes", "64MiB", *trace],
        CAIRN_HEARTBEAT_INTERVAL="a while",
    )
    assert done.returncode != 0
    assert "CAIRN_HEARTBEAT_INTERVAL" in done.stderr
