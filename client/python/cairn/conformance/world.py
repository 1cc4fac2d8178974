"""What a factory is given and gives back, for every engine."""

import hashlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

WAIT_S = 20.0  # for what must come, but not at once
MISSES_S = 3.0  # for what may not come
FAILURE_S = 6.0  # for the end of a load that fails
SETTLE_S = 0.2  # for what may still be under way behind the engine's back
SETTLE_STEPS = 20

_names = itertools.count()


@dataclass(frozen=True)
class Faults:
    """The store stops answering, and answers again. Rules that need it are skipped without."""

    freeze: Callable[[], None]
    thaw: Callable[[], None]


@dataclass(frozen=True)
class World:
    """name: connectors made with equal names share what they store; with other names, nothing.

    caches: by rank, the engine's KV memory.
    """

    name: str
    ranks: int
    block_tokens: int
    caches: list[Any] = field(default_factory=list)


@dataclass
class Connectors:
    """Of one engine process. scheduler is None for engines that have one object per rank."""

    scheduler: Any
    workers: list[Any]
    close: Callable[[], None] = lambda: None
    faults: Faults | None = None
    ready: Callable[[], None] = lambda: None  # after register_kv_caches, before the first request


Factory = Callable[[World], Connectors]


def new_name() -> str:
    return f"conformance-{time.time_ns()}-{next(_names)}"


def contents(shape: tuple[int, ...], *identity: object) -> np.ndarray:
    """What a model would compute: equal for equal identities, different for all others."""
    seed = hashlib.sha256(repr(identity).encode()).digest()
    return np.random.default_rng(list(seed)).random(shape, np.float32)


def until(step: Callable[[], object], what: str, within_s: float | None = None) -> Any:
    """The first result that is true."""
    limit = time.monotonic() + (WAIT_S if within_s is None else within_s)
    while not (result := step()):
        assert time.monotonic() < limit, f"never came: {what}"
        time.sleep(0.002)
    return result


def settle(step: Callable[[], object]) -> None:
    """So many steps at least, and so long."""
    limit = time.monotonic() + SETTLE_S
    for _ in range(SETTLE_STEPS):
        step()
    while time.monotonic() < limit:
        step()
        time.sleep(0.002)


def faults_of(connectors: Connectors) -> Faults:
    if connectors.faults is None:
        pytest.skip("the factory gives no faults (freeze and thaw), so a store cannot fail")
    return connectors.faults
