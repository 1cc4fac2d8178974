"""What the reference connectors have in common: stores that freeze, and connectors over them."""

from collections.abc import Callable, Mapping

from cairn.conformance import Connectors, Faults, World


def faults_of(store) -> Faults:
    """A store whose `frozen` can be set does not answer."""

    def freeze() -> None:
        store.frozen = True

    def thaw() -> None:
        store.frozen = False

    return Faults(freeze, thaw)


def over(stores: Mapping, scheduler: Callable, worker: Callable) -> Callable[[World], Connectors]:
    """Of one scheduler and a worker per rank, with the store of the world's name."""

    def make(world: World) -> Connectors:
        workers = [worker(world, rank) for rank in range(world.ranks)]
        return Connectors(scheduler(world), workers, faults=faults_of(stores[world.name]))

    return make
