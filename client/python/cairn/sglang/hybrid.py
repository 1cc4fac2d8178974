"""How much of a prefix can be restored when further pools must have their part of it."""

from collections.abc import Iterable, Sequence

# Of states that exist here and there (Mamba, a sliding window's end) the last pages are asked for
# one by one, all at once. A state further back is not found, and its prefix is computed.
TRAILING_PAGES_MAX = 128


def all_pages(found: int) -> set[int]:
    """Prefix lengths that a pool allows which must have each page and has so many leading ones."""
    return set(range(1, found + 1))


def trailing(there: Sequence[bool], first: int, window: int) -> set[int]:
    """The same of a pool that must have the last `window` pages of the prefix. there[i]: of page
    first + i; those before `first` nobody looked for."""
    lengths = range(first + 1, first + len(there) + 1)
    return {
        length
        for length in lengths
        if max(0, length - window) >= first
        and all(there[max(0, length - window) - first : length - first])
    }


def restorable(kv_pages: int, pools: Iterable[set[int]]) -> list[int]:
    """Prefix lengths that all allow, ascending."""
    lengths = all_pages(kv_pages)
    for pool in pools:
        lengths &= pool
    return sorted(lengths)
