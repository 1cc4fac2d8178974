"""The modules that cairn.sglang.backend imports, reduced to what it takes from them."""

import enum
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest


class HiCacheStorage:
    def register_mem_pool_host(self, mem_pool_host):
        self.mem_pool_host = mem_pool_host

    def register_mem_host_pool_v2(self, host_pool, host_pool_name): ...


class PoolHitPolicy(enum.Enum):
    ALL_PAGES = 0
    TRAILING_PAGES = 1
    BLOCK_GROUPS = 2


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the test's duration; cairn.sglang.backend is imported anew."""
    monkeypatch.delitem(sys.modules, "cairn.sglang.backend", raising=False)
    storage = {
        "HiCacheStorage": HiCacheStorage,
        "PoolHitPolicy": PoolHitPolicy,
        **dict.fromkeys(
            ["HiCacheStorageConfig", "HiCacheStorageExtraInfo", "PoolTransfer"], SimpleNamespace
        ),
        "PoolTransferResult": SimpleNamespace,
    }
    contents = {
        "torch": {"Tensor": np.ndarray, "arange": np.arange, "int64": np.int64},
        "sglang": {},
        "sglang.srt": {},
        "sglang.srt.mem_cache": {},
        "sglang.srt.mem_cache.hicache_storage": storage,
    }
    for name, members in contents.items():
        module = ModuleType(name)
        module.__path__ = []
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
