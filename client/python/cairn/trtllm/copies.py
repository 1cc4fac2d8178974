"""Between pages and staging slots. On a GPU: on a stream of our own, and nobody waits for it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from cairn.trtllm.pages import PageGroup

Ended = Callable[[], bool]


class HostMemory:
    """Pages that lie in host memory: a copy has ended when it was made."""

    def allocate(self, slots: int, size_bytes: int) -> Any:
        return np.zeros((slots, size_bytes), np.uint8)

    def mark(self, stream: Any) -> None:
        """What the engine was told to do is done."""

    def run(self, copies: Iterable[tuple[Any, Any]], after: None) -> Ended:
        for target, source in copies:
            target[...] = source
        return lambda: True

    def before_writes(self, stream: Any) -> None:
        """Copies were made already."""


class GpuMemory:
    """Pages on a GPU. cuda: torch.cuda."""

    def __init__(self, cuda: Any, device: Any) -> None:
        self._cuda = cuda
        self._stream = cuda.Stream(device)

    def allocate(self, slots: int, size_bytes: int) -> Any:
        import torch

        return torch.zeros((slots, size_bytes), dtype=torch.uint8, pin_memory=True)

    def mark(self, stream: Any) -> Any:
        """What the engine has queued so far."""
        event = self._cuda.Event()
        event.record(stream)
        return event

    def run(self, copies: Iterable[tuple[Any, Any]], after: Any) -> Ended:
        """After a mark."""
        self._stream.wait_event(after)
        with self._cuda.stream(self._stream):
            for target, source in copies:
                target.copy_(source, non_blocking=True)
            event = self._cuda.Event()
            event.record(self._stream)
        return event.query

    def before_writes(self, stream: Any) -> None:
        """What the engine queues from now on waits for our copies: it may give pages away."""
        stream.wait_stream(self._stream)


def memory_of(row: Any) -> HostMemory | GpuMemory:
    if not hasattr(row, "device") or not hasattr(row, "data_ptr") or row.device.type == "cpu":
        return HostMemory()
    import torch

    return GpuMemory(torch.cuda, row.device)


def pairs(
    group: PageGroup, pages: Sequence[int], rows: Any, slots: Sequence[int], is_load: bool
) -> Iterable[tuple[Any, Any]]:
    """(target, source) of each run of bytes."""
    for page, slot in zip(pages, slots, strict=True):
        at = 0
        for row in group.rows:
            end = at + row.shape[1]
            staged, own = rows[slot, at:end], row[page]
            yield (own, staged) if is_load else (staged, own)
            at = end
