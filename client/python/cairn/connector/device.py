"""An engine's blocks where the NIC cannot reach them: copies from and to slots of host memory.

On a GPU copies run on a stream of our own and nobody waits for them: they begin behind what the
engine had queued, and what it queues later can be told to wait for them. Blocks in host memory are
copied at once; engines do without that, but it is the same path, and every machine can run it.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cairn.connector.layout import BlockLayout, Piece

CopyEnded = Callable[[], bool]
CHUNK_BYTES = 16 << 20  # of the GPU's memory, which is the engine's: what is gathered at once
WORD_BYTES = 8


class HostBlocks:
    """Of one cache group."""

    def __init__(self, layout: BlockLayout) -> None:
        self._views = [_rows_at(piece, layout.blocks) for piece in layout.pieces]

    def save(self, ids: Sequence[int], rows: Any, slots: Sequence[int]) -> None:
        at = 0
        for view in self._views:
            rows[list(slots), at : at + view.shape[1]] = view[list(ids)]
            at += view.shape[1]

    def load(self, ids: Sequence[int], rows: Any, slots: Sequence[int]) -> None:
        at = 0
        for view in self._views:
            view[list(ids)] = rows[list(slots), at : at + view.shape[1]]
            at += view.shape[1]


class HostStream:
    """A copy has ended when it was made."""

    def allocate(self, slots: int, size_bytes: int) -> Any:
        return np.zeros((slots, size_bytes), np.uint8)

    def mark(self, engine: Any = None) -> None:
        """What the engine was told to do is done."""

    def run(self, copies: Callable[[], None], after: None) -> CopyEnded:
        copies()
        return lambda: True

    def engine_waits(self, engine: Any = None) -> None:
        """For copies that were made already."""

    def drain(self) -> None:
        """The same."""


class TorchBlocks:
    """Of one cache group, in PyTorch's tensors on a GPU. The runs of bytes of many blocks are
    gathered into whole blocks there, so that each crosses the bus in one piece."""

    def __init__(self, tensors: Sequence[Any], layout: BlockLayout) -> None:
        self._device = tensors[0].device
        self._block_bytes = layout.block_bytes
        self._views = [_words_at(piece, layout.blocks, tensors) for piece in layout.pieces]

    def save(self, ids: Sequence[int], rows: Any, slots: Sequence[int]) -> None:
        import torch

        for some_ids, some_slots in self._chunks(ids, slots):
            index = self._index(some_ids)
            parts = [view.index_select(0, index).view(torch.uint8) for view in self._views]
            for slot, block in zip(some_slots, torch.cat(parts, dim=1), strict=True):
                rows[slot].copy_(block, non_blocking=True)

    def load(self, ids: Sequence[int], rows: Any, slots: Sequence[int]) -> None:
        import torch

        for some_ids, some_slots in self._chunks(ids, slots):
            index = self._index(some_ids)
            shape = (len(some_ids), self._block_bytes)
            blocks = torch.empty(shape, dtype=torch.uint8, device=self._device)
            for slot, block in zip(some_slots, blocks, strict=True):
                block.copy_(rows[slot], non_blocking=True)
            at = 0
            for view in self._views:
                size_bytes = view.shape[1] * view.element_size()
                part = blocks[:, at : at + size_bytes].contiguous().view(view.dtype)
                view.index_copy_(0, index, part)
                at += size_bytes

    def _index(self, ids: Sequence[int]) -> Any:
        import torch

        return torch.tensor(ids, dtype=torch.int64).to(self._device, non_blocking=True)

    def _chunks(self, ids: Sequence[int], slots: Sequence[int]) -> Any:
        most = max(1, CHUNK_BYTES // self._block_bytes)
        for begin in range(0, len(ids), most):
            yield ids[begin : begin + most], slots[begin : begin + most]


class CudaStream:
    """cuda: torch.cuda. The engine's stream is the one given, else the calling thread's current."""

    def __init__(self, cuda: Any, device: Any) -> None:
        self._cuda = cuda
        self._device = device
        self._stream = cuda.Stream(device)

    def allocate(self, slots: int, size_bytes: int) -> Any:
        import torch

        return torch.zeros((slots, size_bytes), dtype=torch.uint8, pin_memory=True)

    def mark(self, engine: Any = None) -> Any:
        """What the engine has queued so far."""
        event = self._cuda.Event()
        event.record(engine or self._cuda.current_stream(self._device))
        return event

    def run(self, copies: Callable[[], None], after: Any) -> CopyEnded:
        """After a mark."""
        self._stream.wait_event(after)
        with self._cuda.stream(self._stream):
            copies()
            event = self._cuda.Event()
            event.record(self._stream)
        return event.query

    def engine_waits(self, engine: Any = None) -> None:
        """What the engine queues from now on waits for our copies: it may give blocks away."""
        (engine or self._cuda.current_stream(self._device)).wait_stream(self._stream)

    def drain(self) -> None:
        """Returns when no copy runs."""
        self._stream.synchronize()


def stream_of(tensor: Any) -> HostStream | CudaStream:
    """For an array or a tensor of the engine's."""
    if not hasattr(tensor, "data_ptr") or tensor.device.type == "cpu":
        return HostStream()
    import torch

    return CudaStream(torch.cuda, tensor.device)


def _rows_at(piece: Piece, blocks: int) -> np.ndarray:
    span = piece.step_bytes * (blocks - 1) + piece.size_bytes
    flat = np.frombuffer((ctypes.c_ubyte * span).from_address(piece.address), np.uint8)
    shape, stride = (blocks, piece.size_bytes), (piece.step_bytes, 1)
    return np.lib.stride_tricks.as_strided(flat, shape, stride, writeable=True)


def _words_at(piece: Piece, blocks: int, tensors: Sequence[Any]) -> Any:
    """[blocks, words]: the widest type that the piece is a multiple of, for a GPU's sake."""
    import torch

    storage = next(
        storage
        for storage in (tensor.untyped_storage() for tensor in tensors)
        if storage.data_ptr() <= piece.address < storage.data_ptr() + storage.nbytes()
    )
    offset = piece.address - storage.data_ptr()
    measures = (offset, piece.step_bytes, piece.size_bytes, storage.nbytes())
    wide = all(measure % WORD_BYTES == 0 for measure in measures)
    dtype, word = (torch.int64, WORD_BYTES) if wide else (torch.uint8, 1)
    flat = torch.empty(0, dtype=dtype, device=tensors[0].device).set_(storage)
    shape, stride = (blocks, piece.size_bytes // word), (piece.step_bytes // word, 1)
    return flat.as_strided(shape, stride, offset // word)
