"""What the blocking and the asyncio client share: calls into the library, tags, completions."""

import ctypes
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cairn._library import (
    STATISTICS,
    Completion,
    Options,
    PutHints,
    StatisticsFields,
    Transfer,
    brief,
    check,
    library,
)
from cairn.chain import Chain, empty_keys
from cairn.errors import CairnError
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.region import Region, Slot

COMPLETIONS_PER_POLL = 64  # the library's own bound of one cairn_poll
INDEX_BITS = 32  # of a tag: the place in its batch; above: which batch


class Batch:
    """What was submitted together. `ended` once each part has completed."""

    def __init__(self, count: int, keep: object) -> None:
        self.outcomes = [Outcome.CANCELED] * count
        self.blocks = 0
        self.lease = 0
        self.on_end: Callable[[], None] = lambda: None
        self._left = count
        self._keep = keep  # regions stay registered while their transfers fly

    @property
    def ended(self) -> bool:
        return self._left == 0

    def take(self, completion: Completion, index: int) -> None:
        self.outcomes[index] = Outcome(completion.reason)
        self.blocks, self.lease = completion.blocks, completion.lease
        self._left -= 1
        if self.ended:
            self.on_end()

    def cancel(self) -> None:
        self._left = 0
        self.on_end()


class Session:
    """One cairn_client. One thread at a time: a second one is refused, not queued."""

    def __init__(
        self,
        coordinators: str | Sequence[str],
        namespace: Namespace,
        tenant_file: str,
        *,
        connect_timeout_s: float = 5.0,
        lease_s: float = 10.0,
        inflight_bytes_max: int = 0,
        operations_max: int = 0,
        urgency: str | None = None,
        ca_file: str | None = None,
        certificate_file: str | None = None,
        key_file: str | None = None,
        ucx_tls: str | None = None,
    ) -> None:
        self.namespace = namespace
        self._batches: dict[int, Batch] = {}
        self._ids = itertools.count(1)
        self._guard = threading.Lock()
        self._completions = (Completion * COMPLETIONS_PER_POLL)()
        self._handle = ctypes.c_void_p()
        if not isinstance(coordinators, str):
            coordinators = ",".join(coordinators)
        options = Options(
            struct_bytes=ctypes.sizeof(Options),
            operations_max=operations_max,
            coordinators=coordinators.encode(),
            tenant_file=_path(tenant_file),
            ca_file=_path(ca_file),
            certificate_file=_path(certificate_file),
            key_file=_path(key_file),
            ucx_tls=_path(ucx_tls),
            connect_timeout_ns=int(connect_timeout_s * 1e9),
            lease_ns=int(lease_s * 1e9),
            inflight_bytes_max=inflight_bytes_max,
            urgency=None if urgency is None else urgency.encode(),
        )
        fields = namespace.to_c()
        check(library.cairn_connect(options, fields, ctypes.byref(self._handle)))

    @contextmanager
    def entered(self) -> Iterator[ctypes.c_void_p]:
        """The handle, for this thread alone."""
        if not self._guard.acquire(blocking=False):
            text = "client: in use by another thread; give each thread a client of its own"
            raise CairnError("failed_precondition", text)
        try:
            if not self._handle:
                raise CairnError("failed_precondition", "client: closed")
            yield self._handle
        finally:
            self._guard.release()

    def register(self, buffer: Any) -> Region:
        with self.entered() as handle:
            return Region(handle, buffer)

    def chain(self, block_hashes: Sequence[bytes]) -> Chain:
        lengths = {len(block_hash) for block_hash in block_hashes}
        if len(lengths) > 1:
            text = f"block_hashes: of {sorted(lengths)} bytes; give hashes of one length"
            raise CairnError("invalid_argument", text)
        keys = empty_keys(len(block_hashes))
        if lengths:
            with self.entered() as handle:
                packed, count = b"".join(block_hashes), len(block_hashes)
                check(library.cairn_make_keys(handle, packed, lengths.pop(), count, keys))
        return Chain(keys)

    def submit_match(self, chain: Chain, timeout_s: float) -> Batch:
        with self.entered() as handle:
            batch_id, batch = next(self._ids), Batch(1, None)
            tag, deadline_ns = batch_id << INDEX_BITS, _deadline_ns(timeout_s)
            check(library.cairn_match(handle, chain.keys, len(chain), tag, deadline_ns))
            self._batches[batch_id] = batch
            return batch

    def submit_get(
        self, chain: Chain, slots: Sequence[Slot], first: int, lease: int, timeout_s: float
    ) -> Batch:
        return self._submit(
            chain,
            slots,
            first,
            lambda handle, transfers: library.cairn_get(
                handle, transfers, len(transfers), lease, _deadline_ns(timeout_s)
            ),
        )

    def submit_put(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        first: int,
        timeout_s: float,
        will_return: bool,
        one_off: bool,
        priority: int,
        behind: bool,
    ) -> Batch:
        hints = PutHints(ctypes.sizeof(PutHints), will_return, one_off, priority)
        call = library.cairn_put_behind if behind else library.cairn_put
        return self._submit(
            chain,
            slots,
            first,
            lambda handle, transfers: call(
                handle, transfers, len(transfers), hints, _deadline_ns(timeout_s)
            ),
        )

    def _submit(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        first: int,
        call: Callable[[ctypes.c_void_p, ctypes.Array], int],
    ) -> Batch:
        if first < 0 or first + len(slots) > len(chain):
            text = f"slots: {len(slots)} from position {first} on, of a chain of {len(chain)}"
            raise CairnError("invalid_argument", text)
        with self.entered() as handle:
            batch_id, batch = next(self._ids), Batch(len(slots), list(slots))
            transfers = (Transfer * len(slots))()
            for index, slot in enumerate(slots):
                _fill(transfers[index], chain, first + index, slot)
                transfers[index].tag = batch_id << INDEX_BITS | index
            check(call(handle, transfers))
            self._batches[batch_id] = batch
            return batch

    def release(self, lease: int) -> None:
        with self.entered() as handle:
            brief.cairn_release(handle, lease)

    def poll(self) -> int:
        """Ends batches; returns how many completions there were."""
        with self.entered() as handle:
            count = library.cairn_poll(handle, self._completions, COMPLETIONS_PER_POLL)
            self._take(count)
        return count

    def advance(self, timeout_s: float) -> None:
        """Returns when a batch has ended, or the time has passed."""
        with self.entered() as handle:
            count = library.cairn_advance(
                ctypes.byref(handle),
                1,
                -1,
                int(timeout_s * 1e9),
                self._completions,
                COMPLETIONS_PER_POLL,
                ctypes.byref(ctypes.c_size_t()),
            )
            self._take(count)

    def _take(self, count: int) -> None:
        for completion in itertools.islice(self._completions, count):
            batch_id = completion.tag >> INDEX_BITS
            batch = self._batches[batch_id]
            batch.take(completion, completion.tag & (2**INDEX_BITS - 1))
            if batch.ended:
                del self._batches[batch_id]

    @property
    def pending(self) -> bool:
        return bool(self._batches)

    def prepare_to_sleep(self) -> bool:
        with self.entered() as handle:
            return bool(library.cairn_prepare_to_sleep(handle))

    def event_fd(self) -> int:
        with self.entered() as handle:
            return library.cairn_event_fd(handle)

    def statistics(self) -> dict[str, int]:
        fields = StatisticsFields(struct_bytes=ctypes.sizeof(StatisticsFields))
        with self.entered() as handle:
            check(library.cairn_get_statistics(handle, fields))
        return {name: getattr(fields, name) for name in STATISTICS}

    def server_version(self) -> str:
        with self.entered() as handle:
            return library.cairn_server_version(handle).decode()

    def close(self) -> None:
        """On return no NIC touches any region, and every batch has ended."""
        with self._guard:
            handle, self._handle = self._handle, ctypes.c_void_p()
            library.cairn_close(handle)
        batches, self._batches = self._batches, {}
        for batch in batches.values():
            batch.cancel()


def _fill(transfer: Transfer, chain: Chain, position: int, slot: Slot) -> None:
    keys = chain.keys
    transfer.key = keys[position]
    transfer.region = slot.region.handle
    transfer.extents = slot.extents
    transfer.extents_count = len(slot.extents)
    transfer.position = position
    if position > 0:
        transfer.parent = keys[position - 1]
    transfer.run_key = keys[library.cairn_run_start(position)]


def _deadline_ns(timeout_s: float) -> int:
    # time.monotonic_ns reads CLOCK_MONOTONIC on Linux, as the library does.
    return time.monotonic_ns() + int(timeout_s * 1e9)


def _path(path: str | None) -> bytes | None:
    return None if path is None else str(path).encode()
