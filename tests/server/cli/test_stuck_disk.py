"""A coordinator whose disk stops answering, for good, ends all the same."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import CAIRN, plain_environment
from daemons import BUILD, READY_S

STUCK_DISK = BUILD / "tests" / "server" / "cli" / "libcairn_stuck_disk.so"
PATIENCE_S = 60


def await_that(holds) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


class Coordinator:
    """With its state in `folder`; writes into files named `stuck` hang while `hang` exists."""

    def __init__(self, folder: Path, stuck: str) -> None:
        self.stuck = stuck
        self.hang = folder / "hang"
        self.log = folder / "log"
        ready = folder / "ready"
        ready.unlink(missing_ok=True)
        preload = {"LD_PRELOAD": str(STUCK_DISK), "STUCK_DISK_NAME": stuck}
        command = [CAIRN, "coordinator", "--state-folder", folder / "state", "--ready-file", ready]
        command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
        environment = plain_environment(STUCK_DISK_WHILE=str(self.hang), **preload)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stderr=log, env=environment)
        limit = time.monotonic() + READY_S
        while not ready.exists():
            assert self.process.poll() is None and time.monotonic() < limit
            time.sleep(0.02)
        self.admin = ["--coordinator", json.loads(ready.read_text())["address"]]
        self.admin += ["--admin-file", folder / "state" / "admin"]

    def stick(self) -> None:
        self.hang.touch()

    def write_waits(self) -> bool:
        return self.hang.with_name("hang.begun").exists()

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path):
    started = []

    def start_coordinator(stuck: str) -> Coordinator:
        started.append(Coordinator(tmp_path, stuck))
        return started[-1]

    yield start_coordinator
    for coordinator in started:
        coordinator.process.kill()
        coordinator.process.wait()


KEPT = "kept"


def stuck_with_a_tenant(start, run, folder: Path, stuck: str) -> Coordinator:
    coordinator = start(stuck)
    out = folder / "kept.tenant"
    assert run("tenant", "add", KEPT, "--out", out, *coordinator.admin).returncode == 0
    coordinator.stick()
    return coordinator


def assert_tenant_outlived(ended: Coordinator, start, run) -> None:
    """Its disk answers again."""
    ended.hang.unlink()
    again = start(ended.stuck)
    assert KEPT in run("tenant", "list", *again.admin).stdout
    assert again.end() == 0


def test_a_history_that_hangs_delays_the_end_by_seconds_and_costs_its_last_points(
    start, run, tmp_path
):
    coordinator = stuck_with_a_tenant(start, run, tmp_path, "history.db")
    await_that(coordinator.write_waits)
    assert coordinator.end() == 1
    log = coordinator.log.read_text()
    assert "event=history_not_kept points=" in log
    assert "event=end_overdue" in log
    assert_tenant_outlived(coordinator, start, run)


def test_a_registry_that_hangs_delays_the_end_by_seconds_and_keeps_what_was_answered(
    start, run, tmp_path
):
    coordinator = stuck_with_a_tenant(start, run, tmp_path, "registry.db")
    add = ["tenant", "add", "late", "--out", tmp_path / "late.tenant", *coordinator.admin]
    assert run(*add).returncode == 3
    assert coordinator.write_waits()
    assert coordinator.end() == 1
    assert "event=end_overdue" in coordinator.log.read_text()
    assert_tenant_outlived(coordinator, start, run)
