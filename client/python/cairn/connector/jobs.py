"""What a worker is told to move, and how it ended."""

from dataclasses import dataclass

import numpy as np

from cairn.connector.packed import chain_base
from cairn.outcome import Outcome


@dataclass(frozen=True)
class Job:
    """Blocks first, first + 1, ... of a chain, from or to the engine's block_ids. Pickles small.

    hashes: packed, of positions base to the last block's; base is `first` for a load, and
    packed.chain_base(first) for a save.
    """

    owner: str  # the request
    group: int  # of the cache groups that Transfers was made with
    hashes: bytes
    base: int
    first: int
    block_ids: tuple[int, ...]

    @property
    def hash_bytes(self) -> int:
        return len(self.hashes) // (self.first - self.base + len(self.block_ids))

    def cut(self, begin: int, end: int, *, is_load: bool) -> "Job":
        """Its blocks [begin, end)."""
        first = self.first + begin
        base = first if is_load else chain_base(first)
        if base < self.base:
            raise AssertionError("a job reaches back to its base alone")
        size = self.hash_bytes
        hashes = self.hashes[(base - self.base) * size : (first + end - begin - self.base) * size]
        return Job(self.owner, self.group, hashes, base, first, self.block_ids[begin:end])


@dataclass(frozen=True)
class Ended:
    """reasons: cairn.Outcome values, one per block."""

    job: Job
    is_load: bool
    reasons: np.ndarray

    @property
    def ok(self) -> bool:
        return not self.reasons.any()

    def bad_block_ids(self) -> list[int]:
        return [self.job.block_ids[i] for i in np.flatnonzero(self.reasons != Outcome.OK)]
