"""LMCache's second level: people keep LMCache and put Cairn under it.

    lmcache server --l2-adapter '{"type": "plugin", "module_path": "cairn.lmcache",
      "class_name": "CairnL2Adapter", "adapter_params": {"coordinators": "host:7400",
      "tenant_file": "default.tenant", "model_digest": "...", "kv_dtype": "bfloat16"}}'

adapter.py speaks LMCache's interface, object_store.py moves bytes and holds what was found,
identity.py decides whose bytes are interchangeable. docs/engines/lmcache.md tells the rest.
"""

import importlib

__all__ = ["CairnL2Adapter"]


def __getattr__(name: str) -> object:
    # The adapter alone needs LMCache.
    if name != "CairnL2Adapter":
        raise AttributeError(name)
    return importlib.import_module("cairn.lmcache.adapter").CairnL2Adapter
