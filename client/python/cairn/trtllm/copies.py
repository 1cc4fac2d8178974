"""Between pages and staging slots, for a stream of cairn.connector.device to make."""

from collections.abc import Iterable, Sequence
from typing import Any

from cairn.trtllm.pages import PageGroup


def make(copies: Iterable[tuple[Any, Any]]) -> None:
    """(target, source): both arrays, or both tensors."""
    for target, source in copies:
        if hasattr(target, "copy_"):
            target.copy_(source, non_blocking=True)
        else:
            target[...] = source


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
