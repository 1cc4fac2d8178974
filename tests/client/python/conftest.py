"""Real daemons for the tests of the Python package: one `cairn up` per test session."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "release"
READY_S = 60

os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
sys.path.insert(0, str(ROOT / "client" / "python"))

import cairn  # noqa: E402

BLOCK_BYTES = 64 << 10


@dataclass
class Cluster:
    coordinator: str
    tenant_file: str
    process: subprocess.Popen


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    ready = folder / "ready"
    command = [BUILD / "server" / "cairn", "up", "--state-folder", folder / "state"]
    command += ["--coordinator.listen", "127.0.0.1:0", "--node.dram-bytes", "256MiB"]
    command += ["--ready-file", ready]
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    try:
        limit = time.monotonic() + READY_S
        while not ready.exists():
            assert process.poll() is None and time.monotonic() < limit, (folder / "log").read_text()
            time.sleep(0.02)
        facts = json.loads(ready.read_text())
        yield Cluster(facts["coordinator"], facts["tenant_file"], process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """For tests that stop or kill it."""
    with running_cluster(tmp_path) as running:
        yield running


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> cairn.Namespace:
    """One per test, so that tests do not find each other's blocks."""
    return cairn.Namespace(
        model=request.node.nodeid,
        model_digest=bytes(range(32)),
        kv_dtype="bf16",
        layout="L2NHD",
        layers=4,
        kv_heads=2,
        head_size=64,
        tokens_per_block=16,
        hash_scheme="test.counter",
        block_bytes=BLOCK_BYTES,
    )


@pytest.fixture
def client(cluster: Cluster, namespace: cairn.Namespace) -> Iterator[cairn.Client]:
    with cairn.Client(
        cluster.coordinator, namespace, cluster.tenant_file, timeout_s=5
    ) as connected:
        yield connected


def hashes(count: int, salt: int = 0) -> list[bytes]:
    return [(salt << 32 | i).to_bytes(32, "little") for i in range(count)]
