"""Cairn under SGLang's HiCache: a storage backend for `--hicache-storage-backend dynamic`.

    --hicache-storage-backend-extra-config '{"backend_name": "cairn", "module_path": "cairn.sglang",
        "class_name": "CairnHiCache", "interface_v1": 1, "hicache_storage_pass_prefix_keys": true,
        "coordinators": "127.0.0.1:7400", "tenant_file": "/etc/cairn/default.tenant"}'

docs/engines/sglang.md has the rest. Only CairnHiCache imports SGLang, when it is asked for; what
stands beside it in this folder runs without an engine.
"""

from typing import Any

__all__ = ["CairnHiCache"]


def __getattr__(name: str) -> Any:
    if name == "CairnHiCache":
        from cairn.sglang.backend import CairnHiCache

        return CairnHiCache
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
