"""Where the bytes of a block lie in an engine's tensors: found once, for many blocks at once."""

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cairn.connector.packed import EXTENTS
from cairn.connector.refusal import Refusal

EXTENTS_PER_BLOCK_MAX = 256  # client/cairn.h
BLOCK_BYTES_MIN = 4096
BLOCK_BYTES_MAX = 64 << 20


@dataclass(frozen=True)
class KvTensor:
    """One layer's cache. stride in elements; block_axis: the dimension that counts blocks."""

    name: str
    address: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    itemsize: int
    dtype: str
    block_axis: int = 0

    @property
    def span(self) -> tuple[int, int]:
        """First byte, and the one behind the last."""
        last = sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        return self.address, self.address + (last + 1) * self.itemsize


@dataclass(frozen=True)
class Piece:
    """Of one layer, for block 0: bytes at `address`, for block i at address + i * step_bytes."""

    address: int
    step_bytes: int
    size_bytes: int


class BlockLayout:
    """Of all layers of one cache group on one rank. buffers: (address, bytes), to be registered as
    one region in this order; extents are offsets into it."""

    def __init__(
        self,
        tensors: Sequence[KvTensor],
        pieces: Sequence[Piece],
        blocks: int,
        kv_heads: int,
        head_size: int,
    ) -> None:
        self.blocks = blocks
        self.pieces = tuple(pieces)  # a block's bytes, in order
        self.layers = len(tensors)
        self.kv_heads = kv_heads
        self.head_size = head_size
        self.dtype = tensors[0].dtype
        self.block_bytes = sum(piece.size_bytes for piece in pieces)
        self.buffers = _buffers(tensors)
        self.fingerprint = _fingerprint(tensors)
        self._first, self._step_bytes = _template(pieces, self.buffers)
        if not BLOCK_BYTES_MIN <= self.block_bytes <= BLOCK_BYTES_MAX:
            remedy = "a block has 4 KiB to 64 MiB over all layers; change the engine's block size"
            raise Refusal("block_bytes", self.block_bytes, remedy)
        if len(self._first) > EXTENTS_PER_BLOCK_MAX:
            remedy = f"more than {EXTENTS_PER_BLOCK_MAX} runs of bytes; choose a layout by blocks"
            raise Refusal("layout", f"{len(self._first)} pieces a block", remedy)

    def memory(self) -> object:
        """What a client registers; the engine keeps its tensors alive."""
        views = [(ctypes.c_char * size).from_address(at) for at, size in self.buffers]
        return views[0] if len(views) == 1 else views

    def extents(self, block_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """[blocks, extents of a block] of cairn_extents. ValueError: a block that is not there."""
        ids = np.asarray(block_ids, np.int64)
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.blocks:
            raise ValueError(f"block_ids: {ids.min()} to {ids.max()}, of {self.blocks} blocks")
        out = np.empty((len(ids), len(self._first)), EXTENTS)
        out[:] = self._first
        out["base_bytes"] += (ids[:, None] * self._step_bytes).astype(np.uint64)
        return out


def describe(
    tensors: Sequence[KvTensor], *, blocks: int, kv_heads: int, head_size: int
) -> BlockLayout:
    """blocks: as the engine counts them; a tensor may hold a whole multiple of smaller ones.

    Refusal: what no order of dimensions explains, in the words of the tensor that differs.
    """
    if not tensors:
        raise Refusal("layers", 0, "the engine registered no KV tensors")
    if len({tensor.dtype for tensor in tensors}) > 1:
        dtypes = sorted({tensor.dtype for tensor in tensors})
        raise Refusal("dtype", dtypes, "the layers of one cache group must have one type")
    pieces = [piece for tensor in tensors for piece in _pieces(tensor, blocks)]
    return BlockLayout(tensors, pieces, blocks, kv_heads, head_size)


def _dimensions(tensor: KvTensor, blocks: int) -> tuple[int, list[tuple[int, int]]]:
    """Step from block to block, and (count, stride) of the other dimensions in memory order."""
    _check(tensor, blocks)
    count, stride = tensor.shape[tensor.block_axis], tensor.stride[tensor.block_axis]
    parts = count // blocks
    inner = [
        (n, s)
        for axis, (n, s) in enumerate(zip(tensor.shape, tensor.stride, strict=True))
        if axis != tensor.block_axis and n > 1
    ]
    if parts > 1:
        inner.append((parts, stride))
    return stride * parts, sorted(inner, key=lambda dimension: -dimension[1])


def _check(tensor: KvTensor, blocks: int) -> None:
    shape = tensor.shape
    if len(shape) != len(tensor.stride) or not 0 <= tensor.block_axis < len(shape):
        raise Refusal(f"{tensor.name}.shape", shape, "no such block axis or stride")
    if blocks < 1 or shape[tensor.block_axis] < blocks or shape[tensor.block_axis] % blocks:
        remedy = f"dimension {tensor.block_axis} should be a multiple of the {blocks} blocks"
        raise Refusal(f"{tensor.name}.shape", shape, remedy)
    if any(n < 1 or (n > 1 and s < 1) for n, s in zip(shape, tensor.stride, strict=True)):
        remedy = "empty, expanded or reversed dimensions are not known here"
        raise Refusal(f"{tensor.name}.stride", tensor.stride, remedy)


def _pieces(tensor: KvTensor, blocks: int) -> list[Piece]:
    """A block's contiguous runs, in memory order."""
    step, inner = _dimensions(tensor, blocks)
    run = 1
    while inner and inner[-1][1] == run:
        run *= inner.pop()[0]
    if inner and inner[-1][1] < run:
        remedy = "dimensions overlap"
        raise Refusal(f"{tensor.name}.stride", tensor.stride, remedy)
    offsets = [0]
    for count, stride in inner:
        offsets = [at + i * stride for at in offsets for i in range(count)]
        if len(offsets) > 1 << 16:
            remedy = "its blocks lie in too many pieces; choose a layout by blocks"
            raise Refusal(f"{tensor.name}.stride", tensor.stride, remedy)
    size = tensor.itemsize
    return [Piece(tensor.address + at * size, step * size, run * size) for at in offsets]


def _buffers(tensors: Sequence[KvTensor]) -> list[tuple[int, int]]:
    """What the tensors cover, what touches joined; in the order of the first tensor of each."""
    merged: list[list[int]] = []
    for begin, end in sorted(tensor.span for tensor in tensors):
        if merged and begin <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    order = {tensor.address: place for place, tensor in reversed(list(enumerate(tensors)))}
    firsts = [
        min(place for address, place in order.items() if begin <= address < end)
        for begin, end in merged
    ]
    ordered = sorted(zip(firsts, merged, strict=True))
    return [(begin, end - begin) for _, (begin, end) in ordered]


def _fingerprint(tensors: Sequence[KvTensor]) -> str:
    """Equal exactly when a block's bytes come in the same order: dimensions of a block by stride,
    outermost first, for each layer; runs of equal layers are counted."""
    words: list[tuple[str, int]] = []
    for tensor in tensors:
        axes = [axis for axis in range(len(tensor.shape)) if axis != tensor.block_axis]
        axes.sort(key=lambda axis: (-tensor.stride[axis], axis))
        word = ",".join(f"{axis}:{tensor.shape[axis]}" for axis in axes)
        word += "" if tensor.block_axis == 0 else f"@{tensor.block_axis}"
        if words and words[-1][0] == word:
            words[-1] = (word, words[-1][1] + 1)
        else:
            words.append((word, 1))
    text = ";".join(f"{count}x[{word}]" for word, count in words)
    if len(text) > 64:
        text = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{tensors[0].dtype}.{text}"


def _template(
    pieces: Sequence[Piece], buffers: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """cairn_extents of block 0, pieces at equal distances joined; and what each block adds."""
    rows: list[list[int]] = []
    steps: list[int] = []
    previous = None
    for piece in pieces:
        at, buffer = _offset(piece.address, buffers)
        alike = (buffer, piece.step_bytes)  # an extent lies in one buffer
        if alike == previous and _continues(rows[-1], at, piece.size_bytes):
            rows[-1][1] = at - rows[-1][0] if rows[-1][2] == 1 else rows[-1][1]
            rows[-1][2] += 1
        else:
            rows.append([at, 0, 1, piece.size_bytes])
            steps.append(piece.step_bytes)
        previous = alike
    return np.array([tuple(row) for row in rows], EXTENTS), np.array(steps, np.int64)


def _continues(row: list[int], at: int, size_bytes: int) -> bool:
    base, stride, count, row_size = row
    if size_bytes != row_size or at < base + size_bytes:
        return False
    return count == 1 or at == base + stride * count


def _offset(address: int, buffers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """In the region, and which buffer."""
    before = 0
    for number, (begin, size_bytes) in enumerate(buffers):
        if begin <= address < begin + size_bytes:
            return before + address - begin, number
        before += size_bytes
    raise AssertionError("a piece outside its tensors")
