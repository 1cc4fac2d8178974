"""`cairn replay` and `cairn bench` against a real cluster."""

import json
import subprocess

import pytest
from conftest import CAIRN, plain_environment


def test_replay_hits_what_the_trace_has_in_common(run, tenant, trace):
    result = run("replay", *tenant, "--trace", trace, "--clients", 2, "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["requests"], summary["block_lookups"], summary["block_hits"]) == (2, 5, 2)
    assert summary["misses"] == {"absent": 3}
    assert summary["wrong_bytes"] == summary["late_answers"] == summary["put_failures"] == 0


def test_bench_moves_as_many_blocks_as_it_is_told(run, tenant):
    words = ["--blocks", 2000, "--batch", 10, "--block-bytes", "16KiB", "--working-set", "1MiB"]
    result = run("bench", *tenant, *words, "--json")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["blocks_got"] + summary["blocks_put"] + sum(summary["misses"].values()) == 2000
    assert summary["blocks_got"] == pytest.approx(1000, abs=20)
    assert summary["wrong_bytes"] == 0
    assert summary["get_latency_us"]["count"] == summary["blocks_got"]
    assert 0 < summary["get_latency_us"]["p50"] <= summary["get_latency_us"]["p99.9"]
    assert summary["bytes_moved"] == (summary["blocks_got"] + summary["blocks_put"]) * (16 << 10)


@pytest.mark.parametrize(("share", "kind"), [(0, "blocks_put"), (1, "blocks_got")])
def test_the_share_of_gets_may_be_all_or_nothing(run, tenant, share, kind):
    words = ["--blocks", 640, "--working-set", "4MiB", "--get-share", share, "--json"]
    summary = json.loads(run("bench", *tenant, *words).stdout)
    moved = {name: summary[name] for name in ("blocks_got", "blocks_put") if summary[name]}
    assert moved == {kind: 640}


def test_clients_side_by_side_share_the_work(run, tenant):
    words = ["--clients", 3, "--blocks", 960, "--batch", 8, "--working-set", "2MiB", "--json"]
    summary = json.loads(run("bench", *tenant, *words).stdout)
    assert summary["blocks_got"] + summary["blocks_put"] == 960


def test_bench_ends_when_its_time_is_up(run, tenant):
    result = run("bench", *tenant, "--seconds", 0.5, "--working-set", "1MiB", "--json")
    assert json.loads(result.stdout)["seconds"] == pytest.approx(0.5, abs=1)


def test_the_text_names_every_figure(run, tenant):
    text = run("bench", *tenant, "--blocks", 640, "--working-set", "1MiB").stdout
    first_words = [line.split("  ")[0] for line in text.splitlines()]
    assert first_words == [
        "moved",
        "gets",
        "puts",
        "misses",
        "failed puts",
        "wrong bytes",
        "late answers",
    ]


def test_bench_without_a_node_says_that_nothing_could_be_stored(run, tmp_path):
    ready = tmp_path / "ready.json"
    command = [CAIRN, "coordinator", "--listen", "127.0.0.1:0", "--state-folder", "state"]
    coordinator = subprocess.Popen(
        [*command, "--ready-file", ready], cwd=tmp_path, env=plain_environment(), stderr=-3
    )
    try:
        while not ready.exists():
            assert coordinator.poll() is None
        address = json.loads(ready.read_text())["address"]
        admin = ["--coordinator", address, "--admin-file", "state/admin"]
        assert run("tenant", "add", "t", "--out", "t.tenant", *admin).returncode == 0
        words = ["--coordinator", address, "--tenant-file", "t.tenant", "--working-set", "2MiB"]
        result = run("bench", *words)
        assert result.returncode == 3
        assert "nothing could be stored: no_node" in result.stderr
    finally:
        coordinator.terminate()
        coordinator.wait(30)
