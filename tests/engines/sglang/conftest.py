"""Real SGLang on a CPU against real daemons. shim/ holds what stands in for a device."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "shim"))

import cpu_shim
from daemons import BUILD, ROOT, Cluster, running_cluster

sys.path.insert(0, str(ROOT / "client" / "python"))
os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # some imports of SGLang's kit ask for one
# SGLang compiles its page hash with the ninja beside this interpreter.
os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

cpu_shim.install_device()  # first: SGLang binds the device's module when it is imported
importlib.import_module("sglang.srt.mem_cache.unified_radix_cache")  # else its kit goes in circles
cpu_shim.install_pools()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """For tests that stop it or spoil its bytes."""
    with running_cluster(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def extra_config(cluster: Cluster, **more: object) -> dict[str, object]:
    """As docs/engines/sglang.md tells operators to write it, with limits for a busy machine."""
    return {
        "backend_name": "cairn",
        "module_path": "cairn.sglang",
        "class_name": "CairnHiCache",
        "interface_v1": 1,
        "hicache_storage_pass_prefix_keys": True,
        "coordinators": cluster.coordinator,
        "tenant_file": cluster.tenant_file,
        "prefetch_threshold": 16,
        "lookup_ms": 3000,
        "load_ms": 20_000,
        "save_ms": 20_000,
        **more,
    }
