"""LMCache's L2AdapterInterface over an ObjectStore. Its lock is our pin."""

import itertools
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.api import MemoryLayoutDesc, ObjectKey
from lmcache.v1.distributed.internal_api import L1MemoryDesc, L2StoreResult
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.memory_management import MemoryObj
from lmcache.v1.platform import create_event_notifier

from cairn.connector import Refusal, Statistics
from cairn.connector.packed import connector
from cairn.lmcache.identity import PART_BYTES, parse_settings, part_count, part_hashes
from cairn.lmcache.object_store import Arena, ObjectStore
from cairn.outcome import Outcome

logger = logging.getLogger("cairn")

# The object is there, with the bytes that were sealed first: equal tokens, computed twice.
STORED = (Outcome.OK, Outcome.CONFLICT)


class _Tasks:
    """One kind of task: its descriptor, and the results that nobody took yet."""

    def __init__(self) -> None:
        self._notifier = create_event_notifier()
        self._lock = threading.Lock()
        self._results: dict[int, Any] = {}

    def end(self, task: int, result: Any) -> None:
        with self._lock:
            self._results[task] = result
        self._notifier.notify()

    def take(self, task: int) -> Any:
        with self._lock:
            return self._results.pop(task, None)

    def take_all(self) -> dict[int, Any]:
        with self._lock:
            results, self._results = self._results, {}
        return results

    def fileno(self) -> int:
        return self._notifier.fileno()

    def close(self) -> None:
        self._notifier.close()


class CairnL2Adapter(L2AdapterInterface):
    """Loaded by LMCache's `plugin` type. Each object is one block, or one for each 8 MiB, and
    belongs to no chain: LMCache's keys do not tell what stands before what."""

    def __init__(
        self, params: Mapping[str, Any], l1_memory_desc: L1MemoryDesc | None = None
    ) -> None:
        super().__init__()  # no capacity: Cairn evicts for itself
        if l1_memory_desc is None:
            remedy = "start LMCache's server with an L1 in host memory"
            raise Refusal("l1_memory_desc", None, remedy)
        options, namespace = parse_settings(params, version("lmcache"), os.environ)
        self._statistics = Statistics()
        self._numbers = itertools.count(1)
        self._stores, self._lookups, self._loads = _Tasks(), _Tasks(), _Tasks()
        self._kv_dtype = namespace.kv_dtype
        self._parts: dict[int, int] = {}  # of an object, by its group; what we know of has several
        self._arena = Arena(l1_memory_desc.ptr, l1_memory_desc.size)
        self._objects = ObjectStore(
            connector(options, namespace), self._arena, options, self._statistics
        )
        self._objects.wait_for_first_try()

    def get_store_event_fd(self) -> int:
        return self._stores.fileno()

    def get_lookup_and_lock_event_fd(self) -> int:
        return self._lookups.fileno()

    def get_load_event_fd(self) -> int:
        return self._loads.fileno()

    def submit_store_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        task = next(self._numbers)
        sizes = [thing.get_size() for thing in objects]
        done = partial(self._end_store, task, keys, sizes)
        self._move(self._objects.store, keys, objects, done)
        return task

    def pop_completed_store_tasks(self) -> dict[int, L2StoreResult]:
        return self._stores.take_all()

    def submit_lookup_and_lock_task(
        self, keys: list[ObjectKey], group_layout_descs: dict[int, MemoryLayoutDesc]
    ) -> int:
        task = next(self._numbers)
        self._parts |= {group: _parts_of(desc) for group, desc in group_layout_descs.items()}
        hashes = self._hashes(keys)
        order = _rows(keys)
        rows = [[one for place in row for one in hashes[place]] for row in order]
        self._objects.look_up(rows, partial(self._end_lookup, task, hashes, order))
        return task

    def query_lookup_and_lock_result(self, task_id: int) -> Bitmap | None:
        return self._lookups.take(task_id)

    def submit_unlock(self, keys: list[ObjectKey]) -> None:
        self._objects.unlock(list(itertools.chain.from_iterable(self._hashes(keys))))

    def submit_load_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        task = next(self._numbers)
        self._move(self._objects.load, keys, objects, partial(self._end_load, task, keys))
        return task

    def query_load_result(self, task_id: int) -> Bitmap | None:
        return self._loads.take(task_id)

    def close(self) -> None:
        """On return no NIC touches LMCache's memory."""
        self._objects.close()
        for tasks in (self._stores, self._lookups, self._loads):
            tasks.close()

    def report_status(self) -> dict[str, Any]:
        return {"is_healthy": self._objects.is_connected, **self._statistics.totals()}

    def _hashes(self, keys: Sequence[ObjectKey]) -> list[list[bytes]]:
        return [part_hashes(key, self._parts.get(key.object_group_id, 1)) for key in keys]

    def _move(
        self,
        move: Callable[[Sequence[bytes], np.ndarray, Callable[[np.ndarray], None]], None],
        keys: Sequence[ObjectKey],
        objects: Sequence[MemoryObj],
        done: Callable[[list[int], np.ndarray], None],
    ) -> None:
        """All parts of all objects at once; done: with each object's parts, and how each ended."""
        counts = [part_count(thing.get_size()) for thing in objects]
        hashes = [
            one for key, count in zip(keys, counts, strict=True) for one in part_hashes(key, count)
        ]
        try:
            extents = self._arena.extents([p for thing in objects for p in self._places(thing)])
        except ValueError as error:
            logger.error("event=cairn_lmcache_refused error=%s", error)
            done(counts, np.full(len(hashes), Outcome.CANCELED, np.uint32))
            return
        move(hashes, extents, partial(done, counts))

    def _places(self, thing: MemoryObj) -> list[tuple[int, int]]:
        """ValueError: not the bytes that our namespace speaks of."""
        dtype = str(thing.get_dtype()).removeprefix("torch.")
        if dtype not in (self._kv_dtype, "None"):
            raise ValueError(f"an object of {dtype}; kv_dtype says {self._kv_dtype}")
        address, size_bytes = thing.data_ptr, thing.get_size()
        return [
            (address + at, min(PART_BYTES, size_bytes - at))
            for at in range(0, max(1, size_bytes), PART_BYTES)
        ]

    # On the thread of the object store.

    def _end_store(
        self,
        task: int,
        keys: Sequence[ObjectKey],
        sizes: Sequence[int],
        counts: list[int],
        reasons: np.ndarray,
    ) -> None:
        stored = np.flatnonzero(_of_objects(counts, np.isin(reasons, STORED)))
        _tell(self._notify_keys_stored, [keys[i] for i in stored], [sizes[i] for i in stored])
        moved_bytes = sum(sizes[i] for i in stored)
        self._stores.end(task, L2StoreResult(len(stored) == len(keys), moved_bytes))

    def _end_lookup(
        self, task: int, hashes: list[list[bytes]], order: list[list[int]], found: np.ndarray
    ) -> None:
        places = [place for row in order for place in row]
        hits = _of_objects([len(hashes[place]) for place in places], found)
        bitmap = Bitmap(len(hashes))
        at = 0
        for place, hit in zip(places, hits, strict=True):
            parts = hashes[place]
            if hit:
                bitmap.set(place)
            else:
                held = found[at : at + len(parts)]
                self._objects.unlock([parts[i] for i in np.flatnonzero(held)])
            at += len(parts)
        self._lookups.end(task, bitmap)

    def _end_load(
        self, task: int, keys: Sequence[ObjectKey], counts: list[int], reasons: np.ndarray
    ) -> None:
        bitmap = Bitmap(len(keys))
        loaded = _of_objects(counts, reasons == Outcome.OK)
        for place, is_loaded in enumerate(loaded):
            if is_loaded:
                bitmap.set(place)
        used = [key for key, is_loaded in zip(keys, loaded, strict=True) if is_loaded]
        _tell(self._notify_keys_accessed, used)
        self._loads.end(task, bitmap)


def _tell(notify: Callable[..., None], *arguments: Any) -> None:
    """LMCache's listeners run on our thread; none of them may end it."""
    try:
        notify(*arguments)
    except Exception:
        logger.exception("event=cairn_lmcache_listener_failed")


def _of_objects(counts: Sequence[int], of_parts: np.ndarray) -> list[bool]:
    """Whether all parts of each object are true."""
    ends = np.cumsum(counts, dtype=np.int64)
    return [
        bool(of_parts[end - count : end].all()) for end, count in zip(ends, counts, strict=True)
    ]


def _parts_of(desc: MemoryLayoutDesc) -> int:
    return part_count(
        sum(
            shape.numel() * dtype.itemsize
            for shape, dtype in zip(desc.shapes, desc.dtypes, strict=True)
        )
    )


def _rows(keys: Sequence[ObjectKey]) -> list[list[int]]:
    """Places of the keys, one row for each rank and group: LMCache gives each in prompt order."""
    rows: dict[tuple, list[int]] = {}
    for place, key in enumerate(keys):
        row = (key.model_name, key.kv_rank, key.object_group_id, key.cache_salt)
        rows.setdefault(row, []).append(place)
    return list(rows.values())
