"""Host memory between the engine's pages and Cairn: what the NIC reads and writes."""

from collections.abc import Callable, Sequence
from typing import Any

from cairn.connector import BlockLayout, KvTensor, Refusal, describe
from cairn.trtllm.pages import PageGroup, address_of

SLOTS_MIN = 2  # one to load into, one to save from


class Slots:
    """Free places. One thread."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._free = list(numbers)

    @property
    def free(self) -> int:
        return len(self._free)

    def take(self, count: int) -> tuple[int, ...]:
        taken = tuple(self._free[len(self._free) - count :])
        del self._free[len(self._free) - count :]
        return taken

    def give_back(self, numbers: Sequence[int]) -> None:
        self._free += numbers


class Staging:
    """A layer group's: half of the slots to load into, half to save from, so that neither kind of
    job can starve the other. rows: [slots, bytes of a page] of uint8."""

    def __init__(
        self, group: PageGroup, size_bytes: int, allocate: Callable[[int, int], Any]
    ) -> None:
        count = min(size_bytes // group.block_bytes, 2 * group.pages)
        if count < SLOTS_MIN:
            remedy = f"give at least {SLOTS_MIN} pages of {group.block_bytes} bytes a layer group"
            raise Refusal("CAIRN_STAGING_BYTES", size_bytes, remedy)
        self.rows = allocate(count, group.block_bytes)
        self.loads = Slots(range(count // 2))
        self.saves = Slots(range(count // 2, count))
        self.loads_max = count // 2

    def layout(self) -> BlockLayout:
        """What Transfers moves: a slot is a block."""
        count, size_bytes = self.rows.shape
        tensor = KvTensor(
            "staging", address_of(self.rows), (count, size_bytes), (size_bytes, 1), 1, "uint8"
        )
        return describe([tensor], blocks=count, kv_heads=0, head_size=0)
