"""docs/operations/backup.md keeps its word: what is lost or refused, what a backup restores."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from daemons import CAIRN, READY_S, ROOT

BACKUP, RESTORE = re.findall(
    r"^```bash\n(.*?)^```",
    (ROOT / "docs" / "operations" / "backup.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


class Up:
    """`cairn up` with a drive, in one folder over several lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "cairn-state"
        self.process: subprocess.Popen | None = None
        (folder / "drive").mkdir()

    def start(self) -> bool:
        """False when it ended instead."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        command = [CAIRN, "up", "--coordinator.listen", "127.0.0.1:0", "--ready-file", ready]
        command += ["--node.dram-bytes", "64MiB", "--node.nvme", "drive"]
        command += ["--node.nvme-bytes", "512MiB"]
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        limit = time.monotonic() + READY_S
        while not ready.exists():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < limit, self.log()
            time.sleep(0.02)
        return True

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(60) == 0, self.log()

    def run(self, *words: str) -> str:
        facts = json.loads((self.folder / "ready").read_text())
        command = [CAIRN, *words, "--coordinator", facts["coordinator"]]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout

    def carry_out(self, commands: str) -> None:
        commands = commands.replace("/var/lib/cairn", str(self.state / "coordinator"))
        subprocess.run(["bash", "-ec", commands], cwd=self.folder, check=True)

    def status(self) -> dict:
        return json.loads(self.run("status", "--json"))

    def await_blocks(self) -> None:
        limit = time.monotonic() + READY_S
        while self.status()["indexed_blocks"] == 0:
            assert time.monotonic() < limit, self.log()
            time.sleep(0.1)


@pytest.fixture
def up(tmp_path):
    running = Up(tmp_path)
    assert running.start(), running.log()
    running.run("bench", "--blocks", "4000")
    yield running
    running.stop()


def test_without_its_registry_the_drives_refuse_and_with_the_backup_they_serve(up):
    cluster = up.status()["cluster_id"]
    up.carry_out(BACKUP)
    assert (up.folder / "registry.backup").stat().st_mode & 0o077 == 0
    up.stop()
    for file in (up.state / "coordinator").glob("registry.db*"):
        file.unlink()
    assert not up.start()
    assert "the node's drives were used in cluster" in up.log()
    up.carry_out(RESTORE)
    assert up.start(), up.log()
    up.await_blocks()
    assert up.status()["cluster_id"] == cluster
    assert "wrong bytes    0" in up.run("bench", "--blocks", "100")


def test_the_other_files_of_a_coordinator_may_be_lost(up):
    up.stop()
    for name in ("token_key", "admin", "history.db"):
        (up.state / "coordinator" / name).unlink()
    assert up.start(), up.log()
    up.await_blocks()
    assert "wrong bytes    0" in up.run("bench", "--blocks", "100")


def test_without_its_identity_a_nodes_drives_refuse_it(up):
    up.stop()
    (up.state / "node" / "identity").unlink()
    assert not up.start()
    assert "belongs to node" in up.log()


def set_schema_version(path: Path, version: int) -> int:
    """Returns what it was."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        (was,) = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version}")
    return was


def test_a_registry_of_a_newer_program_is_refused_and_left_as_it_is(up):
    up.stop()
    path = up.state / "coordinator" / "registry.db"
    known = set_schema_version(path, 99)
    assert not up.start()
    assert "schema version 99 is newer than this program's" in up.log()
    assert set_schema_version(path, known) == 99
    assert up.start(), up.log()
    up.await_blocks()
