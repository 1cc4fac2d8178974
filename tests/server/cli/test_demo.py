"""What `cairn demo` promises to whoever tries Cairn for the first time."""

import json

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
