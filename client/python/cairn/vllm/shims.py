"""What differs between vLLM's versions, each in one place. docs/engines/vllm.md lists them."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1 import base

from cairn.connector.refusal import Refusal

# Cryptographic algorithms have a fixed root in versions that name it; else the root is random
# unless PYTHONHASHSEED is set.
CRYPTOGRAPHIC = ("sha256", "sha256_cbor")

KINDS_BY_CLASS = {
    "FullAttentionSpec": "full_attention",
    "MLAAttentionSpec": "mla_attention",
    "SlidingWindowSpec": "sliding_window",
}


def construct(base_init: Callable[..., None], *arguments: Any) -> None:
    """The base class takes (config, role) or (config, role, kv_cache_config)."""
    if len(inspect.signature(base_init).parameters) < len(arguments):
        arguments = arguments[:2]
    base_init(*arguments)


@dataclass(frozen=True)
class ModelSpec:
    """What of a KVCacheSpec can be told from the model."""

    num_kv_heads: int
    head_size: int
    block_size: int
    use_mla: bool


@dataclass(frozen=True)
class CacheGroup:
    """layer_names None: all layers."""

    layer_names: Sequence[str] | None
    kv_cache_spec: Any


def cache_groups(kv_cache_config: Any, vllm_config: Any) -> Sequence[Any]:
    """Before vLLM 0.12 a connector is not told of groups: there is one, of the model's shape."""
    if kv_cache_config is not None:
        return kv_cache_config.kv_cache_groups
    model = vllm_config.model_config
    spec = ModelSpec(
        num_kv_heads=model.get_num_kv_heads(vllm_config.parallel_config),
        head_size=model.get_head_size(),
        block_size=vllm_config.cache_config.block_size,
        use_mla=model.use_mla,
    )
    return [CacheGroup(None, spec)]


def block_count(kv_cache_config: Any, vllm_config: Any) -> int:
    if kv_cache_config is not None:
        return kv_cache_config.num_blocks
    return vllm_config.cache_config.num_gpu_blocks


def replicas(kv_cache_config: Any, vllm_config: Any, tensor_size: int) -> int:
    """How many neighbouring ranks hold equal bytes."""
    groups = cache_groups(kv_cache_config, vllm_config)
    if all("mla" in spec_kind(group.kv_cache_spec) for group in groups):
        return tensor_size
    return getattr(kv_cache_config, "kv_tp_replicas", 1)


class _Empty:
    """Stands in for a base class that this version has not."""


SupportsHMA = getattr(base, "SupportsHMA", _Empty)
WorkerMetadata = getattr(base, "KVConnectorWorkerMetadata", _Empty)
HandshakeMetadata = getattr(base, "KVConnectorHandshakeMetadata", _Empty)


def transfer_results(received: set[str], failed: set[str]) -> Any:
    """For get_transfer_results; versions without it call get_finished."""
    results = base.KVConnectorTransferResults(finished_recving=received)
    if hasattr(results, "failed_recving"):
        results.failed_recving = failed
    return results


def hash_seed(algorithm: str, environment: Mapping[str, str]) -> str:
    """What the root of vLLM's block hashes is made from; a Refusal if no other process knows it."""
    if "PYTHONHASHSEED" in environment:
        return environment["PYTHONHASHSEED"]
    from vllm.v1.core import kv_cache_utils

    fixed = getattr(kv_cache_utils, "DEFAULT_NONE_HASH_SEED", None)
    if fixed is not None and algorithm in CRYPTOGRAPHIC:
        return fixed
    remedy = (
        "is not set, so the hashes of this engine's blocks begin with a random number and no other"
        " process could share them; set PYTHONHASHSEED=0 for every engine"
    )
    if fixed is not None:
        remedy += ", or --prefix-caching-hash-algo sha256"
    raise Refusal("PYTHONHASHSEED", None, remedy)


def spec_kind(spec: Any) -> str:
    """One word for a KVCacheSpec: "full_attention", "sliding_window", ..."""
    if getattr(spec, "use_mla", False):
        return "mla_attention"
    if isinstance(spec, ModelSpec):
        return "full_attention"
    from vllm.v1 import kv_cache_interface

    classify = getattr(kv_cache_interface, "get_kv_cache_spec_kind", None)
    if classify is not None:
        return str(classify(spec).value)
    name = type(spec).__name__
    return KINDS_BY_CLASS.get(name, name)


def block_axis(shape: tuple[int, ...], blocks: int) -> int:
    """0 since vLLM 0.26; keys and values first, then blocks, in some backends before."""
    if shape[0] == 2 and blocks != 2 and len(shape) > 1 and shape[1] % blocks == 0:
        return 1
    return 0


def resumed_ids(cached: Any) -> set[str]:
    """Of CachedRequestData: requests whose block table is given as a whole."""
    if hasattr(cached, "resumed_req_ids"):
        return cached.resumed_req_ids
    resumed = zip(cached.req_ids, cached.resumed_from_preemption, strict=True)
    return {request_id for request_id, is_resumed in resumed if is_resumed}


def environment() -> Mapping[str, str]:
    return os.environ
