"""A worker's half: moves blocks between the engine's tensors and Cairn."""

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cairn.connector.client_thread import SLEEP_MAX_S, ClientThread, Link
from cairn.connector.jobs import Ended, Job
from cairn.connector.layout import BlockLayout
from cairn.connector.options import Options
from cairn.connector.packed import ChainPart, PackedBatch, PackedClient
from cairn.connector.statistics import Statistics
from cairn.errors import BackPressure, CairnError
from cairn.outcome import Outcome
from cairn.region import Region

logger = logging.getLogger("cairn")

RETRY_S = 0.001  # of a submission that met back-pressure


@dataclass(frozen=True)
class Group:
    """A cache group: its tensors' layout, and how to reach its namespace."""

    layout: BlockLayout
    connect: Callable[[], PackedClient]


@dataclass(slots=True, eq=False)
class _Active:
    job: Job
    is_load: bool
    behind: bool
    until: float
    batch: PackedBatch | None = None
    reads: bool = False  # counted in _reading


class Transfers(ClientThread):
    """One client and one registered region per cache group. Each job ends by its deadline, once."""

    def __init__(self, groups: Sequence[Group], options: Options, statistics: Statistics) -> None:
        super().__init__(
            "cairn-transfers", [Link(partial(self._open, i)) for i in range(len(groups))]
        )
        self._groups = list(groups)
        self._regions: list[Region | None] = [None] * len(groups)
        self._load_s, self._save_s = options.load_ms / 1e3, options.save_ms / 1e3
        self._saving_blocks_max = options.saving_blocks_max
        self._statistics = statistics
        self._active: list[_Active] = []
        self._waiting: deque[_Active] = deque()
        self._finished: deque[Ended] = deque()
        self._change = threading.Condition()
        self._reading: Counter[int] = Counter()  # the engine's blocks that saves may still read
        self._saving_blocks = 0
        self._thread.start()

    def load(self, job: Job) -> None:
        """The blocks belong to Cairn until finished() tells of the job."""
        self._begin(_Active(job, True, False, time.monotonic() + self._load_s))

    def save(self, job: Job, *, behind: bool = False) -> None:
        """The blocks must stay unchanged until the job's end; behind: until fence() has returned,
        which then waits for a copy only."""
        active = _Active(job, False, behind, time.monotonic() + self._save_s)
        with self._change:
            fits = self._saving_blocks + len(job.block_ids) <= self._saving_blocks_max
            if fits:
                active.reads = True
                self._reading.update(job.block_ids)
                self._saving_blocks += len(job.block_ids)
        if fits:
            self._begin(active)
        else:
            self._end(active, Outcome.OVERLOAD)

    def finished(self) -> list[Ended]:
        """Jobs that ended since the last call. Never blocks."""
        return [self._finished.popleft() for _ in range(len(self._finished))]

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, saves included."""
        return not (self._active or self._waiting or self._commands)

    def fence(self, block_ids: Collection[int] | None = None) -> None:
        """Returns when no save reads these blocks, or any; by save_ms. Call it before the engine
        writes to blocks that it gave away: then a request may end or be preempted at any time."""
        with self._change:
            self._change.wait_for(lambda: not self._is_reading(block_ids))

    def _is_reading(self, block_ids: Collection[int] | None) -> bool:
        if block_ids is None or not self._reading:
            return bool(self._reading)
        return not self._reading.keys().isdisjoint(block_ids)

    def _begin(self, active: _Active) -> None:
        if self.links[active.job.group].client is None:
            # At once, for the thread may be trying to connect: no fence waits for that.
            return self._end(active, Outcome.NO_COORDINATOR)
        self.post(partial(self._submit, active))
        if self._is_over:
            self._ended()

    # On the thread.

    def _open(self, group: int) -> PackedClient:
        client = self._groups[group].connect()
        try:
            self._regions[group] = client.register(self._groups[group].layout.memory())
        except BaseException:
            client.close()
            raise
        return client

    def _submit(self, active: _Active) -> None:
        if self.links[active.job.group].client is None:
            self._end(active, Outcome.NO_COORDINATOR)
        elif time.monotonic() >= active.until:
            self._end(active, Outcome.DEADLINE)
        else:
            self._try_to_submit(active)

    def _try_to_submit(self, active: _Active) -> None:
        try:
            active.batch = self._call(active)
        except BackPressure:
            self._waiting.append(active)
        except (CairnError, ValueError) as error:
            logger.error("event=cairn_job_refused owner=%s error=%s", active.job.owner, error)
            self._end(active, Outcome.CANCELED)
        else:
            self._active.append(active)
            if active.behind:
                self._stop_reading(active)

    def _call(self, active: _Active) -> PackedBatch:
        job, left_s = active.job, active.until - time.monotonic()
        client, region = self.links[job.group].client, self._regions[job.group]
        keys = client.keys(job.hashes, job.hash_bytes)
        extents = self._groups[job.group].layout.extents(job.block_ids)
        if active.is_load:
            return client.get(keys[job.first - job.base :], extents, region, left_s)
        return client.put(ChainPart(keys, job.base), extents, region, left_s, behind=active.behind)

    def _step(self) -> None:
        for active in [active for active in self._active if active.batch.ended]:
            self._active.remove(active)
            self._end(active, active.batch.reasons)
        for _ in range(len(self._waiting)):
            self._submit(self._waiting.popleft())

    def _due_s(self) -> float:
        return RETRY_S if self._waiting else SLEEP_MAX_S

    def _end(self, active: _Active, reasons: Outcome | np.ndarray) -> None:
        job = active.job
        if isinstance(reasons, Outcome):
            reasons = np.full(len(job.block_ids), reasons, np.uint32)
        block_bytes = self._groups[job.group].layout.block_bytes
        self._statistics.ended("loaded" if active.is_load else "saved", reasons, block_bytes)
        self._finished.append(Ended(job, active.is_load, reasons))
        self._stop_reading(active)

    def _stop_reading(self, active: _Active) -> None:
        if not active.reads:
            return
        active.reads = False
        with self._change:
            self._reading -= Counter(active.job.block_ids)  # drops the zeros, too
            self._saving_blocks -= len(active.job.block_ids)
            self._change.notify_all()

    def _ended(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._commands.popleft()()
        for active in [*self._active, *self._waiting]:
            self._end(active, Outcome.CANCELED)
        self._active, self._waiting = [], deque()
