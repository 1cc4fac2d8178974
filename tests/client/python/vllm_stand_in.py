"""The modules of vLLM that cairn.vllm imports, reduced to what it takes from them.

Two of them: as of 0.32, and as of versions before the changes that cairn.vllm.shims names.
"""

import dataclasses
import enum
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def install(monkeypatch: pytest.MonkeyPatch, old: bool = False) -> None:
    """For the test's duration; cairn.vllm is imported anew."""
    for name in [name for name in sys.modules if name.startswith(("vllm", "cairn.vllm"))]:
        monkeypatch.delitem(sys.modules, name)
    connector = "vllm.distributed.kv_transfer.kv_connector"
    contents = {
        f"{connector}.v1.base": _old_base() if old else _base(),
        f"{connector}.v1.metrics": _metrics(),
        "vllm.distributed.kv_events": {"BlockStored": _block_stored()},
        "vllm.distributed.parallel_state": {"get_tp_group": _group, "get_pp_group": _group},
        "vllm.v1.core.kv_cache_utils": {"maybe_convert_block_hash": bytes},
        "vllm.v1.kv_cache_interface": {},
    }
    if not old:
        contents["vllm.v1.core.kv_cache_utils"]["DEFAULT_NONE_HASH_SEED"] = "vllm-none-hash"
        kind = {"get_kv_cache_spec_kind": lambda spec: SimpleNamespace(value=spec.kind)}
        contents["vllm.v1.kv_cache_interface"] = kind
    for name, members in contents.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                monkeypatch.setitem(sys.modules, path, ModuleType(path))
            if end > 1:
                setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], sys.modules[path])
        vars(sys.modules[name]).update(members)


def _group() -> Any:
    return SimpleNamespace(rank_in_group=0, world_size=1)


class _Role(enum.Enum):
    SCHEDULER = 0
    WORKER = 1


class _Bound:
    """What both base classes do with metadata."""

    def bind_connector_metadata(self, metadata: Any) -> None:
        self._metadata = metadata

    def _get_connector_metadata(self) -> Any:
        return self._metadata


class _Base(_Bound):
    def __init__(self, vllm_config: Any, role: Any, kv_cache_config: Any) -> None:
        self._vllm_config = vllm_config


class _OldBase(_Bound):
    def __init__(self, vllm_config: Any, role: Any) -> None:
        self._vllm_config = vllm_config


@dataclasses.dataclass
class _Results:
    finished_sending: set[str] = dataclasses.field(default_factory=set)
    finished_recving: set[str] = dataclasses.field(default_factory=set)
    failed_recving: set[str] = dataclasses.field(default_factory=set)


def _old_base() -> dict[str, Any]:
    return {
        "KVConnectorBase_V1": _OldBase,
        "KVConnectorMetadata": type("KVConnectorMetadata", (), {}),
        "KVConnectorRole": _Role,
    }


def _base() -> dict[str, Any]:
    names = ("SupportsHMA", "KVConnectorWorkerMetadata", "KVConnectorHandshakeMetadata")
    return {
        **_old_base(),
        "KVConnectorBase_V1": _Base,
        "KVConnectorTransferResults": _Results,
        **{name: type(name, (), {}) for name in names},
    }


def _metrics() -> dict[str, Any]:
    @dataclasses.dataclass
    class KVConnectorStats:
        data: dict[str, Any] = dataclasses.field(default_factory=dict)

    class KVConnectorPromMetrics:
        def __init__(self, config, metric_types, labelnames, per_engine_labelvalues) -> None:
            self._counter_cls = metric_types["counter"]
            self._labelnames = labelnames
            self.per_engine_labelvalues = per_engine_labelvalues

    return {"KVConnectorStats": KVConnectorStats, "KVConnectorPromMetrics": KVConnectorPromMetrics}


def _block_stored() -> type:
    fields = ("block_hashes", "parent_block_hash", "token_ids", "block_size")
    return dataclasses.make_dataclass("BlockStored", [*fields, "lora_id", "medium", "lora_name"])
