"""cairn.sglang for the conformance kit: the real backend over a real `cairn up`."""

import hashlib
from collections.abc import Callable

from cairn.conformance import Connectors, Faults, World
from cairn.conformance.sglang_engine import storage_config


def factory(cluster, faults: Faults | None = None, **extra) -> Callable:
    """extra: of the backend's config. SGLang, or sglang_stand_in, can be imported."""

    def make(world: World) -> Connectors:
        from cairn.sglang import CairnHiCache

        workers = []
        for rank in range(world.ranks):
            config = storage_config(world, rank)
            config.extra_config = {
                "interface_v1": 1,
                "coordinators": cluster.coordinator,
                "tenant_file": cluster.tenant_file,
                "model_digest": hashlib.sha256(world.name.encode()).hexdigest(),
                **extra,
            }
            workers.append(CairnHiCache(config, {}))

        def close() -> None:
            for each in workers:
                each.close()

        return Connectors(None, workers, close, faults)

    return make
