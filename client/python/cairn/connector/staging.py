"""Host memory between an engine's blocks on a device and Cairn: what the NIC reads and writes."""

from collections.abc import Callable, Sequence
from typing import Any

from cairn.connector.layout import BlockLayout, KvTensor, describe
from cairn.connector.refusal import Refusal

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
    """Of one cache group: half of the slots to load into, half to save from, so that neither kind
    of job can starve the other. rows: [slots, bytes of a block] of uint8."""

    def __init__(
        self,
        block_bytes: int,
        blocks: int,
        size_bytes: int,
        allocate: Callable[[int, int], Any],
        setting: str = "staging_bytes",
    ) -> None:
        count = min(size_bytes // block_bytes, 2 * blocks)
        if count < SLOTS_MIN:
            remedy = f"give at least {SLOTS_MIN} blocks of {block_bytes} bytes a cache group"
            raise Refusal(setting, size_bytes, remedy)
        self.rows = allocate(count, block_bytes)
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


def address_of(rows: Any) -> int:
    return rows.data_ptr() if hasattr(rows, "data_ptr") else rows.ctypes.data
