"""How the program ends when it is asked to, and when its terminal goes away."""

import os
import signal
import subprocess
import time

import pytest
from conftest import CAIRN, plain_environment
from daemons import READY_S, ROOT

TRACE = ROOT / "bench" / "traces" / "conversation_slice.jsonl"


@pytest.fixture
def up(tmp_path):
    """Starts `cairn up`, under nohup or not, and waits until it serves."""
    started = []

    def start(nohup=False):
        ready = tmp_path / "ready"
        command = [CAIRN, "up", "--state-folder", tmp_path / "state", "--ready-file", ready]
        command += ["--coordinator.listen", "127.0.0.1:0", "--node.dram-bytes", "64MiB"]
        action = signal.SIG_IGN if nohup else signal.SIG_DFL
        with open(tmp_path / "log", "w") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=plain_environment(),
                preexec_fn=lambda: signal.signal(signal.SIGHUP, action),
            )
        started.append(process)
        limit = time.monotonic() + READY_S
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_daemon_drains_and_ends_with_0(up, number):
    process = up()
    process.send_signal(number)
    assert process.wait(30) == 0


def test_under_nohup_a_daemon_outlives_its_terminal_and_says_nothing(up, run, tmp_path):
    process = up(nohup=True)
    before = os.path.getsize(tmp_path / "log")
    process.send_signal(signal.SIGHUP)
    # Something moves, so that whoever traces would have something to write.
    address = (tmp_path / "log").read_text().split("coordinator at ")[1].split(" ")[0]
    words = ["--coordinator", address, "--tenant-file", tmp_path / "state" / "default.tenant"]
    assert run("bench", *words, "--blocks", 320, "--working-set", "1MiB").returncode == 0
    assert process.poll() is None
    assert os.path.getsize(tmp_path / "log") == before
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_demo_whose_terminal_closes_leaves_nothing_behind(tmp_path):
    process = subprocess.Popen(
        [CAIRN, "demo", "--trace", TRACE, "--nodes", "1", "--requests-max", "50"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=plain_environment(TMPDIR=str(tmp_path)),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    for line in process.stderr:
        if "keeps serving" in line:
            break
    assert list(tmp_path.iterdir())
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
    assert not list(tmp_path.iterdir())
