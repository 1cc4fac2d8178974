"""TensorRT-LLM's KV cache connector: prefixes that any engine of the cluster computed are loaded.

    LLM(model, kv_connector_config=KvCacheConnectorConfig(connector_module="cairn.trtllm",
        connector_scheduler_class="CairnScheduler", connector_worker_class="CairnWorker"))

with CAIRN_COORDINATORS and CAIRN_TENANT_FILE in every rank's environment. cairn.connector does the
work. Here stands what is TensorRT-LLM's own, and only `adapter` imports it: which pages of a
request go where (scheduler_side), how they get between a GPU and Cairn (worker_side, staging,
copies), what makes an engine's bytes its own (identity, chains), and the settings.
"""

from typing import Any

__all__ = ["CairnScheduler", "CairnWorker"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from cairn.trtllm import adapter

        return getattr(adapter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
