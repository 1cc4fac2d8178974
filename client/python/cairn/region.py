"""Registered memory, and the places of blocks in it."""

import ctypes
from collections.abc import Sequence
from typing import Any

from cairn._library import Extents, Piece, check, library
from cairn.errors import CairnError


class Slot:
    """Where one block lies in a region: the concatenation of its pieces. `a + b` joins two."""

    __slots__ = ("extents", "region")

    def __init__(self, region: "Region", extents: Sequence[tuple[int, int, int, int]]) -> None:
        self.region = region
        self.extents = (Extents * len(extents))(*extents)

    def __add__(self, other: "Slot") -> "Slot":
        if other.region is not self.region:
            raise CairnError("invalid_argument", "slot: a block's pieces lie in one region")
        return Slot(self.region, [*_tuples(self.extents), *_tuples(other.extents)])


def _tuples(extents: Sequence[Extents]) -> list[tuple[int, int, int, int]]:
    return [(e.base_bytes, e.stride_bytes, e.count, e.size_bytes) for e in extents]


class Region:
    """Memory that transfers may name; a context manager. Keeps the buffer alive.

    Zero-copy over any writable C-contiguous buffer: bytearray, NumPy array, mmap, shared memory, or
    a PyTorch tensor on the CPU. A list or tuple of up to 1,024 of them, say a tensor per layer, is
    one region whose offsets run through them in order; each extent of a slot lies in one of them.
    Registering costs milliseconds: register the whole KV cache once.
    """

    def __init__(self, client_handle: ctypes.c_void_p, buffer: Any) -> None:
        self._handle = ctypes.c_void_p()
        buffers = buffer if isinstance(buffer, list | tuple) else [buffer]
        memory = [_memory_of(each) for each in buffers]
        self._keep = [keep for _, _, keep in memory]
        self.size_bytes = sum(size for _, size, _ in memory)
        pieces = (Piece * len(memory))(*((address, size) for address, size, _ in memory))
        handle = ctypes.byref(self._handle)
        check(library.cairn_register_pieces(client_handle, pieces, len(pieces), handle))

    @property
    def handle(self) -> ctypes.c_void_p:
        if not self._handle:
            raise CairnError("failed_precondition", "region: closed")
        return self._handle

    def slot(self, offset_bytes: int, size_bytes: int) -> Slot:
        """One contiguous piece."""
        return self.strided(offset_bytes, 0, 1, size_bytes)

    def slots(self, size_bytes: int) -> list[Slot]:
        """The whole region cut into blocks of this size."""
        return [self.slot(at, size_bytes) for at in range(0, self.size_bytes, size_bytes)]

    def strided(self, base_bytes: int, stride_bytes: int, count: int, size_bytes: int) -> Slot:
        """count pieces of size_bytes, the i-th at base_bytes + i * stride_bytes: one per layer."""
        end = base_bytes + stride_bytes * (count - 1) + size_bytes
        if min(base_bytes, stride_bytes) < 0 or count < 1 or size_bytes < 1:
            text = "negative or empty; offsets are at least 0, count and size at least 1"
            raise CairnError("invalid_argument", f"slot: {text}")
        if end > self.size_bytes:
            text = f"slot: ends at byte {end} of a region of {self.size_bytes}"
            raise CairnError("invalid_argument", text)
        return Slot(self, [(base_bytes, stride_bytes, count, size_bytes)])

    def close(self) -> None:
        """Ends the transfers that name it; afterwards nothing touches the memory. Idempotent."""
        handle, self._handle = self._handle, ctypes.c_void_p()
        library.cairn_unregister(handle)
        self._keep = None

    def __enter__(self) -> "Region":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()


def _memory_of(buffer: Any) -> tuple[int, int, object]:
    """Address, bytes, and what keeps them in place."""
    if hasattr(buffer, "data_ptr"):
        return _memory_of_tensor(buffer)
    try:
        view = memoryview(buffer)
    except TypeError as error:
        text = f"region: {type(buffer).__name__} is neither a buffer nor a tensor"
        raise CairnError("invalid_argument", text) from error
    if view.readonly or not view.c_contiguous:
        text = "region: the buffer must be writable and C-contiguous; copy it into one that is"
        raise CairnError("invalid_argument", text)
    if view.nbytes == 0:
        raise CairnError("invalid_argument", "region: the buffer is empty")
    pinned = (ctypes.c_char * view.nbytes).from_buffer(view)
    return ctypes.addressof(pinned), view.nbytes, pinned


def _memory_of_tensor(tensor: Any) -> tuple[int, int, object]:
    if tensor.device.type != "cpu":
        text = f"region: a tensor on {tensor.device}; host memory only, so use a pinned CPU tensor"
        raise CairnError("invalid_argument", text)
    if not tensor.is_contiguous() or tensor.numel() == 0:
        text = "region: the tensor must be contiguous and not empty"
        raise CairnError("invalid_argument", text)
    return tensor.data_ptr(), tensor.numel() * tensor.element_size(), tensor
