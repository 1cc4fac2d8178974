"""Real daemons for tests in Python: one `cairn up` in a folder."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "release"
CAIRN = BUILD / "server" / "cairn"
READY_S = 60


@dataclass
class Cluster:
    coordinator: str
    tenant_file: str
    admin_file: str
    coordinator_http: str
    node_http: str
    process: subprocess.Popen

    def freeze(self) -> None:
        """Stops the daemons, and returns when each of their threads has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        while any(
            (thread / "stat").read_text().rpartition(")")[2].split()[0] != "T"
            for thread in threads.iterdir()
        ):
            time.sleep(0.001)

    def turn_bits(self) -> None:
        turn_bits(self.process.pid)


def turn_bits(pid: int) -> None:
    """One in each 4 KiB of a node's arena that is not empty: no block of it stays whole."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    arenas = [line.split()[0].split("-") for line in lines if "memfd:cairn-arena" in line]
    assert arenas, "the node has no arena"
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for begin, end in arenas:
            for at in range(int(begin, 16), int(end, 16), 4096):
                memory.seek(at)
                page = memory.read(4096)
                if any(page):
                    memory.seek(at + 2048)
                    memory.write(bytes([page[2048] ^ 4]))


@contextlib.contextmanager
def running_cluster(folder: Path, *options: str) -> Iterator[Cluster]:
    ready = folder / "ready"
    command = [CAIRN, "up", "--state-folder", folder / "state"]
    command += ["--coordinator.listen", "127.0.0.1:0", "--node.dram-bytes", "256MiB"]
    command += ["--ready-file", ready, *options]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    try:
        limit = time.monotonic() + READY_S
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < limit, (folder / "log").read_text()
            time.sleep(0.02)
        facts = json.loads(ready.read_text())
        names = ("coordinator", "tenant_file", "admin_file", "coordinator_http", "node_http")
        yield Cluster(*(facts[name] for name in names), process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)
