"""Batches for the library made by NumPy: no Python object per block."""

import contextlib
import ctypes
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cairn._library import Completion, Extents, Key, PutHints, Transfer, brief, check, library
from cairn._session import COMPLETIONS_PER_POLL, INDEX_BITS, Session
from cairn.connector.options import Options
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.region import Region

# The C structs of client/cairn.h.
EXTENTS = np.dtype(
    [("base_bytes", "u8"), ("stride_bytes", "u8"), ("count", "u4"), ("size_bytes", "u4")]
)
KEY = np.dtype("V16")
TRANSFER = np.dtype(
    [
        ("key", KEY),
        ("region", "u8"),
        ("extents", "u8"),
        ("tag", "u8"),
        ("extents_count", "u4"),
        ("position", "u4"),
        ("parent", KEY),
        ("run_key", KEY),
        ("reserved", "u8", 2),
    ]
)
COMPLETION = np.dtype(
    [
        ("tag", "u8"),
        ("code", "i4"),
        ("reason", "u4"),
        ("lease", "u8"),
        ("blocks", "u4"),
        ("reserved", "u4", 3),
    ]
)
for _dtype, _struct in (
    (EXTENTS, Extents),
    (KEY, Key),
    (TRANSFER, Transfer),
    (COMPLETION, Completion),
):
    if _dtype.itemsize != ctypes.sizeof(_struct):
        raise ImportError(f"{_struct.__name__} of client/cairn.h has another layout here")

MATCH_BLOCKS_MAX = 65536  # client/cairn.h
BRIEF_MAX = 512  # blocks that a call takes while it holds the interpreter's lock: 0.1 ms
FEW = 8  # completions of one poll: below, NumPy's calls cost more than they save
_INDEX_MASK = (1 << INDEX_BITS) - 1


class PackedBatch:
    """What was submitted together. reasons: cairn.Outcome values, final once `ended`."""

    __slots__ = ("blocks", "keep", "lease", "left", "reasons")

    def __init__(self, count: int, keep: object) -> None:
        self.reasons = np.full(count, Outcome.CANCELED, np.uint32)
        self.left = count
        self.blocks = 0
        self.lease = 0
        self.keep = keep

    @property
    def ended(self) -> bool:
        return self.left == 0


class PackedClient:
    """One cairn_client for one thread at a time. Arguments and errors as of cairn.Client."""

    def __init__(
        self,
        coordinators: str | Sequence[str],
        namespace: Namespace,
        tenant_file: str,
        **options: Any,
    ) -> None:
        self.namespace = namespace
        self.session = Session(coordinators, namespace, tenant_file, **options)
        self._batches: dict[int, PackedBatch] = {}
        self._ids = itertools.count(1)
        self._completions = (Completion * COMPLETIONS_PER_POLL)()

    def register(self, buffers: Any) -> Region:
        return self.session.register(buffers)

    def keys(self, hashes: bytes, hash_bytes: int) -> np.ndarray:
        """Of packed chained hashes."""
        count = len(hashes) // hash_bytes
        keys = np.empty(count, KEY)
        with self.session.entered() as handle:
            out = _pointer(keys, Key)
            check(_calls(count).cairn_make_keys(handle, hashes, hash_bytes, count, out))
        return keys

    def match(self, chain: np.ndarray, timeout_s: float) -> PackedBatch:
        with self.session.entered() as handle:
            batch_id, batch = next(self._ids), PackedBatch(1, None)
            tag, until_ns = batch_id << INDEX_BITS, _deadline_ns(timeout_s)
            call = _calls(len(chain)).cairn_match
            check(call(handle, _pointer(chain, Key), len(chain), tag, until_ns))
            self._batches[batch_id] = batch
            return batch

    def get(
        self, keys: np.ndarray, extents: np.ndarray, region: Region, timeout_s: float
    ) -> PackedBatch:
        """keys[i] lands in extents[i], each a row of cairn_extents."""
        transfers = _transfers(keys, extents, region)
        with self.session.entered() as handle:
            batch_id = self._tag(transfers)
            call = _calls(len(transfers)).cairn_get
            pointer, until_ns = _pointer(transfers, Transfer), _deadline_ns(timeout_s)
            check(call(handle, pointer, len(transfers), 0, until_ns))
            return self._add(batch_id, len(transfers), region)

    def put(
        self,
        chain: "ChainPart",
        extents: np.ndarray,
        region: Region,
        timeout_s: float,
        *,
        behind: bool = False,
    ) -> PackedBatch:
        """The last len(extents) blocks of the part. behind: of a copy made before this returns."""
        transfers = _transfers(chain.keys[len(chain.keys) - len(extents) :], extents, region)
        chain.fill(transfers)
        hints = PutHints(ctypes.sizeof(PutHints), 0, 0, 0)
        with self.session.entered() as handle:
            batch_id = self._tag(transfers)
            call = library.cairn_put_behind if behind else library.cairn_put
            pointer, until_ns = _pointer(transfers, Transfer), _deadline_ns(timeout_s)
            check(call(handle, pointer, len(transfers), hints, until_ns))
            return self._add(batch_id, len(transfers), region)

    def release(self, lease: int) -> None:
        self.session.release(lease)

    def poll(self) -> int:
        """Takes completions; returns how many there were."""
        with self.session.entered() as handle:
            count = library.cairn_poll(handle, self._completions, COMPLETIONS_PER_POLL)
        self.take(self._completions, count)
        return count

    def take(self, completions: Any, count: int) -> None:
        """The first `count` of an array of cairn_completion."""
        if count <= FEW:
            for completion in completions[:count]:
                self._take_one(completion)
            return
        done = np.frombuffer(completions, COMPLETION)[:count]
        ids = done["tag"] >> np.uint64(INDEX_BITS)
        for batch_id in set(ids.tolist()):
            self._take(batch_id, done[ids == batch_id])

    def _take_one(self, done: Completion) -> None:
        batch_id = done.tag >> INDEX_BITS
        batch = self._batches[batch_id]
        batch.reasons[done.tag & _INDEX_MASK] = done.reason
        batch.blocks, batch.lease = done.blocks, done.lease
        batch.left -= 1
        if batch.ended:
            del self._batches[batch_id]

    def _take(self, batch_id: int, done: np.ndarray) -> None:
        batch = self._batches[batch_id]
        batch.reasons[(done["tag"] & np.uint64(_INDEX_MASK)).astype(np.int64)] = done["reason"]
        batch.blocks, batch.lease = int(done["blocks"][-1]), int(done["lease"][-1])
        batch.left -= len(done)
        if batch.ended:
            del self._batches[batch_id]

    @property
    def pending(self) -> bool:
        return bool(self._batches)

    def statistics(self) -> dict[str, int]:
        return self.session.statistics()

    def close(self) -> None:
        """On return no NIC touches any region; batches in flight end as canceled."""
        self.session.close()
        batches, self._batches = self._batches, {}
        for batch in batches.values():
            batch.left = 0

    def _tag(self, transfers: np.ndarray) -> int:
        batch_id = next(self._ids)
        transfers["tag"] = np.arange(len(transfers), dtype=np.uint64) | (batch_id << INDEX_BITS)
        return batch_id

    def _add(self, batch_id: int, count: int, keep: object) -> PackedBatch:
        batch = PackedBatch(count, keep)
        self._batches[batch_id] = batch
        return batch


class Advance:
    """Of clients that belong to one thread, without the interpreter between their steps."""

    def __init__(self, wake_fd: int) -> None:
        self._wake_fd = wake_fd
        self._completions = (Completion * COMPLETIONS_PER_POLL)()
        self._of = ctypes.c_size_t()

    def __call__(self, clients: Sequence[PackedClient], timeout_s: float) -> bool:
        """Returns when a batch has ended, of which completions were taken; else false, when the
        time has passed or wake_fd was written to."""
        with contextlib.ExitStack() as entered:
            handles = [entered.enter_context(client.session.entered()) for client in clients]
            count = library.cairn_advance(
                (ctypes.c_void_p * len(handles))(*handles),
                len(handles),
                self._wake_fd,
                int(timeout_s * 1e9),
                self._completions,
                COMPLETIONS_PER_POLL,
                self._of,
            )
        if count:
            clients[self._of.value].take(self._completions, count)
        return count > 0


def connector(options: Options, namespace: Namespace) -> Callable[[], PackedClient]:
    """How a thread reaches the namespace, when it comes to it."""

    def connect() -> PackedClient:
        given = options.client_options()
        return PackedClient(options.coordinators, namespace, options.tenant_file, **given)

    return connect


class ChainPart:
    """Keys of positions base, base + 1, ...: enough of a chain to store its last blocks.

    They must reach back to chain_base(position of the first that is stored).
    """

    def __init__(self, keys: np.ndarray, base: int) -> None:
        self.keys = keys
        self.base = base

    def fill(self, transfers: np.ndarray) -> None:
        """Position, parent and run of the last len(transfers) blocks."""
        first = len(self.keys) - len(transfers)
        positions = np.arange(self.base + first, self.base + len(self.keys), dtype=np.uint32)
        transfers["position"] = positions
        transfers["run_key"] = self.keys[run_starts(positions) - self.base]
        if positions[0] > 0:
            transfers["parent"] = self.keys[first - 1 : len(self.keys) - 1]
        else:
            transfers["parent"][1:] = self.keys[: len(transfers) - 1]


def chain_base(position: int) -> int:
    """The earliest block whose key a put of this position names: its run's first, or its parent."""
    return min(library.cairn_run_start(position), max(position - 1, 0))


def _calls(blocks: int) -> ctypes.CDLL:
    return brief if blocks <= BRIEF_MAX else library


_run_starts = np.empty(0, np.int64)


def run_starts(positions: np.ndarray) -> np.ndarray:
    """cairn_run_start of each; the library is asked once for each position ever."""
    global _run_starts
    need = int(positions.max()) + 1
    if need > len(_run_starts):
        size = max(1024, 2 * need)
        known = len(_run_starts)
        more = (library.cairn_run_start(position) for position in range(known, size))
        _run_starts = np.concatenate([_run_starts, np.fromiter(more, np.int64, size - known)])
    return _run_starts[positions]


def _transfers(keys: np.ndarray, extents: np.ndarray, region: Region) -> np.ndarray:
    if len(keys) != len(extents) or not extents.flags.c_contiguous:
        raise ValueError(f"extents: rows for {len(extents)} blocks, of {len(keys)} keys")
    count, per_block = extents.shape
    transfers = np.zeros(count, TRANSFER)
    transfers["key"] = keys
    transfers["region"] = region.handle.value
    step_bytes = per_block * EXTENTS.itemsize
    transfers["extents"] = extents.ctypes.data + np.arange(count, dtype=np.uint64) * step_bytes
    transfers["extents_count"] = per_block
    return transfers


def _pointer(array: np.ndarray, struct: type[ctypes.Structure]) -> Any:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(struct))


def _deadline_ns(timeout_s: float) -> int:
    return time.monotonic_ns() + int(timeout_s * 1e9)
