"""A real cluster, and adapters of it that LMCache itself loads."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import BUILD, ROOT, Cluster, running_cluster

PACKAGE = ROOT / "client" / "python"
os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
sys.path.insert(0, str(PACKAGE))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """For tests that stop, kill or spoil it."""
    with running_cluster(tmp_path) as running:
        yield running


def adapter_spec(cluster: Cluster, model: str, **params) -> dict:
    """As on LMCache's command line."""
    settings = {
        "coordinators": cluster.coordinator,
        "tenant_file": str(cluster.tenant_file),
        "model_digest": model.encode().hex().rjust(64, "0")[-64:],
        "kv_dtype": "bfloat16",
    }
    return {
        "type": "plugin",
        "module_path": "cairn.lmcache",
        "class_name": "CairnL2Adapter",
        "adapter_params": settings | params,
    }
