"""Where the bytes of a page lie in a host pool: found once, then for many pages at once."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from cairn.connector.layout import BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, EXTENTS_PER_BLOCK_MAX
from cairn.connector.packed import EXTENTS
from cairn.connector.refusal import Refusal

REMEDY = "use --hicache-mem-layout page_first, page_first_direct or layer_first"


class PageLayout:
    """Of one host pool. A page's bytes are its pieces in the order of their addresses.

    The pool itself tells the pieces (get_page_buffer_meta), so a layout is known by what it does,
    not by its name; two pages are looked at, to see which pieces lie equally far apart in all.
    Refusal: the pool has no such pieces, or too many, or too few bytes.
    """

    def __init__(self, pool: Any, two_pages: Any) -> None:
        """two_pages: the token indices of the pool's first two pages, as SGLang would give them."""
        self._pool = pool
        self.tensors = _tensors(pool)
        self.tokens = int(pool.page_size)
        self.dtype = str(pool.dtype).removeprefix("torch.")
        self.layers = int(getattr(pool, "layer_num", 1))
        self.kv_heads = int(getattr(pool, "head_num", 1))
        self.head_size = int(getattr(pool, "head_dim", getattr(pool, "kv_cache_dim", 1)))
        self._begins = np.array([tensor.data_ptr() for tensor in self.tensors], np.int64)
        sizes = [tensor.numel() * tensor.element_size() for tensor in self.tensors]
        self._ends = self._begins + np.array(sizes, np.int64)
        self._region_starts = np.cumsum([0, *sizes[:-1]])
        self._learn(two_pages)
        self._check()
        self.fingerprint = self._fingerprint()

    @property
    def block_bytes(self) -> int:
        return int(self._sizes.sum())

    def memory(self) -> Any:
        """What a client registers, once."""
        return self.tensors[0] if len(self.tensors) == 1 else self.tensors

    def extents(self, token_indices: Any, pages: int) -> np.ndarray:
        """[pages, extents of a page] of cairn_extents, for the tokens of so many pages.

        ValueError: the pool answers otherwise than it did at the start.
        """
        pointers, sizes = self._ask(token_indices, pages)
        if (sizes != self._sizes).any():
            raise ValueError("pool: pages of another size than at the start")
        offsets = self._offsets(pointers)
        bases = offsets[:, self._firsts]
        if (offsets - bases[:, self._row_of] != self._steps).any():
            raise ValueError("pool: a page's pieces lie otherwise than at the start")
        out = np.empty(bases.shape, EXTENTS)
        out[:] = self._rows
        out["base_bytes"] = bases
        return out

    def _ask(self, token_indices: Any, pages: int) -> tuple[np.ndarray, np.ndarray]:
        pointers, sizes = self._pool.get_page_buffer_meta(token_indices)
        shape = (pages, -1)
        pointers = np.array(pointers, np.int64).reshape(shape)
        sizes = np.array(sizes, np.int64).reshape(shape)
        if hasattr(self, "_order"):
            pointers, sizes = pointers[:, self._order], sizes[:, self._order]
        return pointers, sizes

    def _offsets(self, pointers: np.ndarray) -> np.ndarray:
        """Into the region, which is the pool's tensors one after the other."""
        begins, ends = self._begins[self._tensor_of], self._ends[self._tensor_of]
        if (pointers < begins).any() or (pointers + self._sizes > ends).any():
            raise ValueError("pool: a page outside of the pool's tensors")
        return pointers - begins + self._region_starts[self._tensor_of]

    def _learn(self, two_pages: Any) -> None:
        try:
            pointers, sizes = self._ask(two_pages, 2)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise Refusal("hicache_mem_layout", self._name, f"{error}; {REMEDY}") from error
        self._tensor_of = self._find_tensors(pointers[0])
        self._order = np.lexsort((pointers[0], self._tensor_of))
        self._tensor_of = self._tensor_of[self._order]
        pointers, self._sizes = pointers[:, self._order], sizes[0, self._order]
        try:
            offsets = self._offsets(pointers)
        except ValueError as error:
            raise Refusal("hicache_mem_layout", self._name, f"{error}; {REMEDY}") from error
        self._join(offsets)

    def _find_tensors(self, pointers: np.ndarray) -> np.ndarray:
        inside = (self._begins <= pointers[:, None]) & (pointers[:, None] < self._ends)
        if not inside.any(axis=1).all():
            raise Refusal("hicache_mem_layout", self._name, f"pages lie elsewhere; {REMEDY}")
        return inside.argmax(axis=1)

    def _join(self, offsets: np.ndarray) -> None:
        """Pieces of one size at equal distances, the same in both pages, are one row of extents."""
        gaps = np.diff(offsets, axis=1)
        firsts, counts, strides = [0], [1], [0]
        for piece in range(1, offsets.shape[1]):
            gap = int(gaps[0, piece - 1])
            is_alike = gap == gaps[1, piece - 1] and self._sizes[piece] == self._sizes[piece - 1]
            if is_alike and (counts[-1] == 1 or strides[-1] == gap):
                counts[-1] += 1
                strides[-1] = gap
            else:
                firsts.append(piece)
                counts.append(1)
                strides.append(0)
        rows = zip(firsts, strides, counts, strict=True)
        self._rows = np.array(
            [(0, stride, count, self._sizes[first]) for first, stride, count in rows], EXTENTS
        )
        self._firsts = np.array(firsts)
        self._row_of = np.repeat(np.arange(len(firsts)), counts)
        self._steps = offsets[0] - offsets[0, self._firsts][self._row_of]

    def _check(self) -> None:
        if not BLOCK_BYTES_MIN <= self.block_bytes <= BLOCK_BYTES_MAX:
            remedy = "a page has 4 KiB to 64 MiB over all layers; change --page-size"
            raise Refusal("page_size", f"{self.block_bytes} bytes a page", remedy)
        if len(self._rows) > EXTENTS_PER_BLOCK_MAX:
            pieces = f"{len(self._rows)} pieces a page"
            raise Refusal("hicache_mem_layout", pieces, f"256 at most; {REMEDY}")

    @property
    def _name(self) -> str:
        return f"{type(self._pool).__name__}.{getattr(self._pool, 'layout', None)}"

    def _fingerprint(self) -> str:
        """Equal exactly when a page's bytes come in the same order."""
        words = [self._name, str(getattr(self._pool, "storage_format_tag", None) or "")]
        words += [f"{tensor.dtype}" for tensor in self.tensors]
        words += [f"{count}x{size}" for _, _, count, size in self._rows.tolist()]
        widths = ("v_head_dim", "kv_lora_rank", "qk_rope_head_dim", "target_layer_num")
        words += [
            f"{name}={getattr(self._pool, name)}" for name in widths if hasattr(self._pool, name)
        ]
        return f"{self._name}.{hashlib.sha256('|'.join(words).encode()).hexdigest()[:16]}"


def _tensors(pool: Any) -> list[Any]:
    """A pool's memory; most have all of it in kv_buffer."""
    buffers = getattr(pool, "kv_buffer", None)
    if buffers is None or isinstance(buffers, Sequence):
        buffers = pool.get_hybrid_pool_buffer() if buffers is None else buffers
    tensors = list(buffers) if isinstance(buffers, Sequence) else [buffers]
    tensors = [tensor for tensor in tensors if tensor is not None and tensor.numel()]
    if not tensors or not all(tensor.is_contiguous() for tensor in tensors):
        name = type(pool).__name__
        raise Refusal("hicache_mem_layout", name, f"no contiguous host memory; {REMEDY}")
    return tensors
