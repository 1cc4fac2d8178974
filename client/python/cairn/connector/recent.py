"""Requests that share a prefix, and start at once, store it once."""

import time
from collections.abc import Callable, Sequence

KEPT_S = 10.0  # afterwards a block is stored again: it may have been evicted
BLOCKS_MAX = 1 << 16


class RecentSaves:
    """Which blocks were given to be stored lately, by their chained hash. One thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[bytes, float] = {}  # oldest first

    def skip(self, chain: Sequence[bytes], first: int, end: int) -> int:
        """The first position in [first, end) that was not given lately."""
        oldest = self._clock() - KEPT_S
        while first < end and self._given.get(chain[first], oldest) > oldest:
            first += 1
        return first

    def add(self, hashes: Sequence[bytes]) -> None:
        now = self._clock()
        for block_hash in hashes:
            self._given.pop(block_hash, None)
            self._given[block_hash] = now
        while len(self._given) > BLOCKS_MAX:
            del self._given[next(iter(self._given))]

    def forget(self, hashes: Sequence[bytes]) -> None:
        for block_hash in hashes:
            self._given.pop(block_hash, None)
