"""vLLM's KV connector: prefixes that any engine of the cluster computed are loaded, not computed.

    vllm serve MODEL --kv-transfer-config '{"kv_connector": "CairnConnector",
      "kv_connector_module_path": "cairn.vllm", "kv_role": "kv_both",
      "kv_load_failure_policy": "recompute",
      "kv_connector_extra_config": {"coordinators": "host:7400", "tenant_file": "default.tenant"}}'

cairn.connector does the work. Here stands what is vLLM's own: which request's blocks go where
(scheduler_side), whose tensors they lie in (worker_side), what makes an engine's bytes its own
(identity, chains), its metrics and events, and what differs between its versions (shims).
"""

from cairn.vllm.connector import CairnConnector

__all__ = ["CairnConnector"]
