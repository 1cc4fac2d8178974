"""What a worker is told to move, and how it ended."""

from dataclasses import dataclass

import numpy as np

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
