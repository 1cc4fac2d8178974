"""Blocks that belong to no chain: stored, found and held, loaded, each for itself.

Engine-free: blocks have hashes, and places in one registered arena.
"""

import contextlib
import ctypes
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from cairn.connector import Options, Statistics
from cairn.connector.breaker import Breaker
from cairn.connector.client_thread import SLEEP_MAX_S, ClientThread, Link
from cairn.connector.lookup import UNANSWERED
from cairn.connector.packed import EXTENTS, PackedBatch, PackedClient
from cairn.errors import BackPressure, CairnError
from cairn.outcome import Outcome
from cairn.region import Region

logger = logging.getLogger("cairn")

HASH_BYTES = 32
RETRY_S = 0.001  # of a submission that met back-pressure
# Of one row of a lookup. A row is mostly a prefix, which takes one; what is behind so many gaps
# counts as absent.
ROUNDS_MAX = 8

Done = Callable[[np.ndarray], None]


class Singles:
    """Keys for PackedClient.put: each block is the first and only one of its chain."""

    def __init__(self, keys: np.ndarray) -> None:
        self.keys = keys

    def fill(self, transfers: np.ndarray) -> None:
        transfers["run_key"] = self.keys


@dataclass(slots=True, eq=False)
class _Lookup:
    hashes: list[bytes]
    keys: np.ndarray | None
    found: np.ndarray
    done: Done
    until: float
    pending: int = 0
    reason: Outcome = Outcome.OK  # the last one that ended a row


@dataclass(slots=True, eq=False)
class _Match:
    lookup: _Lookup
    places: np.ndarray  # of its keys in the lookup
    batch: PackedBatch
    rounds_left: int


@dataclass(slots=True, eq=False)
class _Lease:
    lease: int
    hashes: list[bytes]
    left: int
    until: float


@dataclass(slots=True, eq=False)
class _Transfer:
    hashes: list[bytes]
    extents: np.ndarray
    is_load: bool
    done: Done
    until: float
    batch: PackedBatch | None = None


@dataclass(frozen=True)
class Arena:
    """The engine's memory: registered once; the engine keeps it mapped until close()."""

    address: int
    size_bytes: int

    def extents(self, places: Sequence[tuple[int, int]]) -> np.ndarray:
        """Of (address, bytes) each. ValueError: one lies outside."""
        rows = np.zeros((len(places), 1), EXTENTS)
        for row, (address, size_bytes) in zip(rows[:, 0], places, strict=True):
            offset = address - self.address
            if offset < 0 or offset + size_bytes > self.size_bytes:
                raise ValueError(f"{size_bytes} bytes at {address:#x} are not in the arena")
            row["base_bytes"], row["count"], row["size_bytes"] = offset, 1, size_bytes
        return rows


@dataclass
class _Locks:
    """Which lease holds which block, by the order of the locks."""

    of_hash: dict[bytes, deque[_Lease]] = field(default_factory=dict)
    leases: deque[_Lease] = field(default_factory=deque)  # the first to expire first

    def add(self, lease: _Lease) -> None:
        self.leases.append(lease)
        for one in lease.hashes:
            self.of_hash.setdefault(one, deque()).append(lease)

    def drop(self, block_hash: bytes) -> _Lease | None:
        """The lease that holds nothing any more."""
        held = self.of_hash.get(block_hash)
        if not held:
            return None
        lease = held.popleft()
        if not held:
            del self.of_hash[block_hash]
        lease.left -= 1
        if lease.left:
            return None
        self.leases.remove(lease)
        return lease

    def expire(self, now: float) -> None:
        while self.leases and self.leases[0].until < now:
            lease = self.leases.popleft()
            for one in lease.hashes:
                held = self.of_hash.get(one, deque())
                with contextlib.suppress(ValueError):
                    held.remove(lease)
                if not held:
                    self.of_hash.pop(one, None)


class ObjectStore(ClientThread):
    """One client and one region. Calls return at once, from any thread; `done` is called on a
    thread of ours, once, by the deadline: with an array of bool for a lookup, of Outcome else."""

    def __init__(
        self,
        connect: Callable[[], PackedClient],
        arena: Arena,
        options: Options,
        statistics: Statistics,
    ) -> None:
        super().__init__("cairn-objects", [Link(self._open)])
        self._connect = connect
        self._arena = arena
        self._region: Region | None = None
        self._lookup_s = options.lookup_ms / 1e3
        self._load_s, self._save_s = options.load_ms / 1e3, options.save_ms / 1e3
        self._lease_s = options.lease_ms / 1e3
        self._statistics = statistics
        self._breaker = Breaker()
        self._matches: list[_Match] = []
        self._active: list[_Transfer] = []
        self._waiting: deque[_Transfer] = deque()
        self._locks = _Locks()
        self._tried = threading.Event()
        self._thread.start()

    def look_up(self, rows: Sequence[Sequence[bytes]], done: Done) -> None:
        """Which blocks are there, row after row. They stay held until unlock, once for each lookup,
        or the lease's end. Rows are asked for in order: put what is missed together behind."""
        hashes = [one for row in rows for one in row]
        found = np.zeros(len(hashes), bool)
        lookup = _Lookup(hashes, None, found, done, time.monotonic() + self._lookup_s)
        ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
        places = [
            np.arange(end - len(row), end) for row, end in zip(rows, ends, strict=True) if row
        ]
        self._do(partial(self._begin_lookup, lookup, places))

    def unlock(self, hashes: Sequence[bytes]) -> None:
        self._do(partial(self._unlock, list(hashes)))

    def load(self, hashes: Sequence[bytes], extents: np.ndarray, done: Done) -> None:
        """The places belong to Cairn until `done`."""
        until = time.monotonic() + self._load_s
        self._do(partial(self._submit, _Transfer(list(hashes), extents, True, done, until)))

    def store(self, hashes: Sequence[bytes], extents: np.ndarray, done: Done) -> None:
        """The bytes must stay unchanged until `done`."""
        until = time.monotonic() + self._save_s
        self._do(partial(self._submit, _Transfer(list(hashes), extents, False, done, until)))

    def wait_for_first_try(self) -> None:
        """Returns when a coordinator answered, or none did within connect_ms."""
        self._tried.wait()

    def _do(self, command: Callable[[], None]) -> None:
        self.post(command)
        if self._is_over:
            self._ended()

    # On the thread.

    def _open(self) -> PackedClient:
        try:
            client = self._connect()
        finally:
            self._tried.set()
        try:
            memory = (ctypes.c_char * self._arena.size_bytes).from_address(self._arena.address)
            self._region = client.register(memory)
        except BaseException:
            client.close()
            raise
        return client

    def _begin_lookup(self, lookup: _Lookup, rows: list[np.ndarray]) -> None:
        client = self.links[0].client
        if client is None:
            lookup.reason = Outcome.NO_COORDINATOR
        elif not self._breaker.allows():
            lookup.reason = Outcome.CIRCUIT_OPEN
        else:
            lookup.keys = client.keys(b"".join(lookup.hashes), HASH_BYTES)
            for places in rows:
                self._match(lookup, places, ROUNDS_MAX)
        if lookup.pending == 0:
            self._end_lookup(lookup)

    def _match(self, lookup: _Lookup, places: np.ndarray, rounds_left: int) -> None:
        left_s = lookup.until - time.monotonic()
        if left_s <= 0:
            lookup.reason = Outcome.DEADLINE
            return
        try:
            batch = self.links[0].client.match(lookup.keys[places], left_s)
        except (BackPressure, CairnError):
            lookup.reason = Outcome.OVERLOAD
            return
        lookup.pending += 1
        self._matches.append(_Match(lookup, places, batch, rounds_left - 1))

    def _end_match(self, match: _Match) -> None:
        lookup, batch = match.lookup, match.batch
        lookup.pending -= 1
        held = match.places[: batch.blocks]
        lookup.found[held] = True
        if batch.lease:
            hashes = [lookup.hashes[place] for place in held]
            until = time.monotonic() + self._lease_s
            self._locks.add(_Lease(batch.lease, hashes, len(hashes), until))
        behind = match.places[batch.blocks + 1 :]
        reason = Outcome(int(batch.reasons[0]))
        if batch.blocks < len(match.places):
            lookup.reason = reason
        if len(behind) and reason == Outcome.ABSENT and match.rounds_left:
            self._match(lookup, behind, match.rounds_left)
        if lookup.pending == 0:
            self._end_lookup(lookup)

    def _end_lookup(self, lookup: _Lookup) -> None:
        if lookup.keys is not None:
            if lookup.reason in UNANSWERED and not lookup.found.any():
                self._breaker.failed()
            else:
                self._breaker.succeeded()
        self._statistics.add("lookups")
        self._statistics.add("lookup_hit_blocks", int(lookup.found.sum()))
        if not lookup.found.any():
            self._statistics.miss(lookup.reason)
        lookup.done(lookup.found)

    def _unlock(self, hashes: list[bytes]) -> None:
        client = self.links[0].client
        for block_hash in hashes:
            lease = self._locks.drop(block_hash)
            if lease is not None and client is not None:
                client.release(lease.lease)

    def _submit(self, transfer: _Transfer) -> None:
        if self.links[0].client is None:
            self._end(transfer, Outcome.NO_COORDINATOR)
        elif time.monotonic() >= transfer.until:
            self._end(transfer, Outcome.DEADLINE)
        else:
            self._try_to_submit(transfer)

    def _try_to_submit(self, transfer: _Transfer) -> None:
        client, left_s = self.links[0].client, transfer.until - time.monotonic()
        try:
            keys = client.keys(b"".join(transfer.hashes), HASH_BYTES)
            if transfer.is_load:
                transfer.batch = client.get(keys, transfer.extents, self._region, left_s)
            else:
                transfer.batch = client.put(Singles(keys), transfer.extents, self._region, left_s)
        except BackPressure:
            self._waiting.append(transfer)
        except (CairnError, ValueError) as error:
            logger.error("event=cairn_transfer_refused error=%s", error)
            self._end(transfer, Outcome.CANCELED)
        else:
            self._active.append(transfer)

    def _step(self) -> None:
        for match in [match for match in self._matches if match.batch.ended]:
            self._matches.remove(match)
            self._end_match(match)
        for transfer in [transfer for transfer in self._active if transfer.batch.ended]:
            self._active.remove(transfer)
            self._end(transfer, transfer.batch.reasons)
        for _ in range(len(self._waiting)):
            self._submit(self._waiting.popleft())
        self._locks.expire(time.monotonic())

    def _due_s(self) -> float:
        return RETRY_S if self._waiting else SLEEP_MAX_S

    def _end(self, transfer: _Transfer, reasons: Outcome | np.ndarray) -> None:
        if isinstance(reasons, Outcome):
            reasons = np.full(len(transfer.hashes), reasons, np.uint32)
        moved = "loaded" if transfer.is_load else "saved"
        sizes = transfer.extents["size_bytes"][:, 0]
        self._statistics.ended(moved, reasons, 0)
        self._statistics.add(f"{moved}_bytes", int(sizes[reasons == Outcome.OK].sum()))
        transfer.done(reasons)

    def _ended(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._commands.popleft()()
        for lookup in {match.lookup for match in self._matches}:
            self._end_lookup(lookup)
        for transfer in [*self._active, *self._waiting]:
            self._end(transfer, Outcome.CANCELED)
        self._matches, self._active, self._waiting = [], [], deque()
