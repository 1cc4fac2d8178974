"""cairn.trtllm for the conformance kit: the real adapter over a real `cairn up`."""

import hashlib
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

import trtllm_stand_in
from cairn.conformance import Connectors, Faults, World
from cairn.conformance.world import until
from patience import PATIENT


def factory(cluster, faults: Faults | None = None, **environment: str) -> Callable:
    """environment: more CAIRN_* variables."""

    def make(world: World) -> Connectors:
        if "cairn.trtllm.adapter" not in sys.modules:
            trtllm_stand_in.install()
        with environment_of(cluster, world.name, **environment):
            scheduler, workers = new_process(llm_args(world), world.ranks)

        def ready() -> None:
            sides = [each._side for each in (scheduler, *workers)]
            until(lambda: all(side.is_connected for side in sides), "a connection")

        return Connectors(scheduler, workers, lambda: close(scheduler, workers), faults, ready)

    return make


def environment_of(cluster, model: str, **more: str):
    """For a while: a daemon that starts refuses variables that are not its own."""
    given = {
        "CAIRN_COORDINATORS": cluster.coordinator,
        "CAIRN_TENANT_FILE": cluster.tenant_file,
        "CAIRN_MODEL_DIGEST": hashlib.sha256(model.encode()).hexdigest(),
        **{f"CAIRN_{name.upper()}": str(limit) for name, limit in PATIENT.items()},
    }
    return mock.patch.dict(os.environ, {**given, **more})


def llm_args(world: World) -> SimpleNamespace:
    return SimpleNamespace(
        model="conformance",
        tensor_parallel_size=world.ranks,
        kv_cache_config=SimpleNamespace(tokens_per_block=world.block_tokens, dtype="auto"),
    )


def new_process(arguments, ranks: int):
    """What the ranks' processes would make, in this one."""
    from cairn.trtllm import adapter

    adapter._registered.clear()
    workers = []
    for rank in range(ranks):
        sys.modules["tensorrt_llm._utils"].mpi_rank = lambda rank=rank: rank
        workers.append(adapter.CairnWorker(arguments))
    return adapter.CairnScheduler(arguments), workers


def close(scheduler, workers) -> None:
    scheduler.shutdown()
    for worker in workers:
        worker.shutdown()
