"""cairn.vllm for the conformance kit: the real adapter over a real `cairn up`, and no vLLM."""

import hashlib
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

from cairn.conformance import Connectors, Faults, World
from cairn.conformance.vllm_engine import BLOCKS, HEAD_SIZE, HEADS, LAYERS
from cairn.conformance.world import until
from vllm_engine import FullAttentionSpec, Tensor, configuration


def factory(
    cluster,
    faults: Faults | None = None,
    make_spec: Callable | None = None,
    tensor_of: Callable = Tensor,
    **extra,
) -> Callable:
    """extra: of the connector's config. vLLM, or vllm_stand_in, can be imported."""
    make_spec = make_spec or stand_in_spec

    def make(world: World) -> Connectors:
        from cairn.vllm import CairnConnector
        from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole

        digest = hashlib.sha256(world.name.encode()).hexdigest()
        config = configuration(cluster, "conformance", model_digest=digest, **extra)
        names = [f"layer.{i}" for i in range(LAYERS)]
        group = SimpleNamespace(layer_names=names, kv_cache_spec=make_spec())
        caches = SimpleNamespace(num_blocks=BLOCKS, kv_cache_groups=[group])
        scheduler = CairnConnector(config, KVConnectorRole.SCHEDULER, caches)
        workers = []
        for rank in range(world.ranks):
            with _ranks(rank, world.ranks):
                made = CairnConnector(config, KVConnectorRole.WORKER, caches)
            workers.append(_Worker(made, tensor_of))

        def ready() -> None:
            shaken = {(0, i): each.get_handshake_metadata() for i, each in enumerate(workers)}
            scheduler.set_xfer_handshake_metadata_pp_aware(shaken)
            threads = [scheduler._scheduler._lookups]
            threads += [each._worker._transfers for each in workers]
            until(lambda: all(thread.is_connected for thread in threads), "a connection")

        def close() -> None:
            for each in (scheduler, *workers):
                each.shutdown()

        return Connectors(scheduler, workers, close, faults, ready)

    return make


def _ranks(rank: int, ranks: int):
    tensor = SimpleNamespace(rank_in_group=rank, world_size=ranks)
    pipeline = SimpleNamespace(rank_in_group=0, world_size=1)
    return mock.patch.multiple(
        "vllm.distributed.parallel_state",
        get_tp_group=lambda: tensor,
        get_pp_group=lambda: pipeline,
    )


def stand_in_spec() -> FullAttentionSpec:
    spec = FullAttentionSpec("full_attention")
    spec.num_kv_heads, spec.head_size = HEADS, HEAD_SIZE
    return spec


class _Worker:
    """The engine's memory is arrays here."""

    def __init__(self, connector, tensor_of: Callable) -> None:
        self._connector, self._tensor_of = connector, tensor_of

    def register_kv_caches(self, caches) -> None:
        tensors = {name: self._tensor_of(array) for name, array in caches.items()}
        self._connector.register_kv_caches(tensors)

    def __getattr__(self, name: str):
        return getattr(self._connector, name)
