"""Real daemons for the tests of the Python package: one `cairn up` per test session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import BUILD, ROOT, Cluster, running_cluster

os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
sys.path.insert(0, str(ROOT / "client" / "python"))

import cairn

BLOCK_BYTES = 64 << 10


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
