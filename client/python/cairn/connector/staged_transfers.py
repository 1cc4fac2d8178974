"""Transfers for blocks that the NIC cannot reach: by way of host memory."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from cairn.connector.device import CopyEnded, CudaStream, HostBlocks, HostStream, TorchBlocks
from cairn.connector.jobs import Ended, Job
from cairn.connector.layout import BlockLayout
from cairn.connector.options import Options
from cairn.connector.packed import PackedClient
from cairn.connector.staging import Staging
from cairn.connector.statistics import Statistics
from cairn.connector.transfers import Group, Transfers
from cairn.outcome import Outcome


@dataclass(frozen=True)
class StagedGroup:
    """A cache group: its tensors' layout, how to copy its blocks, how to reach its namespace."""

    layout: BlockLayout
    blocks: HostBlocks | TorchBlocks
    connect: Callable[[], PackedClient]


@dataclass(slots=True, eq=False)
class _Whole:
    """A job as the engine gave it."""

    job: Job
    is_load: bool
    reasons: np.ndarray
    parts: int = 0  # that have not ended


@dataclass(slots=True, eq=False)
class _Part:
    """Of a job, as much as there are slots for: its blocks from `begin` on."""

    whole: _Whole
    job: Job
    begin: int
    after: Any  # a mark: the engine's blocks may be copied behind it
    slots: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        return self.begin + len(self.job.block_ids)


class StagedTransfers:
    """As Transfers, but of one thread, the engine's: each call moves on what has ended."""

    def __init__(
        self,
        groups: Sequence[StagedGroup],
        stream: HostStream | CudaStream,
        staging_bytes: int,
        options: Options,
        statistics: Statistics,
    ) -> None:
        self._groups = list(groups)
        self._stream = stream
        self._statistics = statistics
        self._load_s = options.load_ms / 1e3
        share = staging_bytes // len(groups)
        self._staging = [
            Staging(group.layout.block_bytes, group.layout.blocks, share, stream.allocate)
            for group in groups
        ]
        moved = [
            Group(staging.layout(), group.connect)
            for staging, group in zip(self._staging, groups, strict=True)
        ]
        self._transfers = Transfers(moved, options, statistics)
        self._waiting: deque[tuple[float, _Part]] = deque()  # loads, for slots, until then
        self._moving: dict[str, _Part] = {}
        self._copying: list[tuple[CopyEnded, _Part]] = []
        self._finished: list[Ended] = []
        self._names = 0

    @property
    def is_connected(self) -> bool:
        return self._transfers.is_connected

    def load(self, job: Job) -> None:
        """The blocks belong to Cairn until finished() tells of the job."""
        whole = _Whole(job, True, np.full(len(job.block_ids), Outcome.CANCELED, np.uint32))
        mark, until = self._stream.mark(), monotonic() + self._load_s
        most = self._staging[job.group].loads_max
        for begin in range(0, len(job.block_ids), most):
            cut = job.cut(begin, min(begin + most, len(job.block_ids)), is_load=True)
            whole.parts += 1
            self._waiting.append((until, _Part(whole, cut, begin, mark)))
        self._move_on()

    def save(self, job: Job, *, behind: bool = False) -> None:
        """The leading blocks that there is room for; the others are skipped, which costs hits. The
        blocks must stay unchanged until fence() has returned: all are saved behind."""
        self._move_on()
        staging = self._staging[job.group]
        count = min(len(job.block_ids), staging.saves.free)
        whole = _Whole(job, False, np.full(len(job.block_ids), Outcome.OVERLOAD, np.uint32))
        if count < len(job.block_ids):
            self._statistics.miss(Outcome.OVERLOAD, len(job.block_ids) - count)
        if count == 0:
            self._finished.append(Ended(job, False, whole.reasons))
            return
        whole.parts = 1
        cut = job.cut(0, count, is_load=False)
        self._copy(_Part(whole, cut, 0, self._stream.mark(), staging.saves.take(count)))

    def fence(self, block_ids: Collection[int] | None = None) -> None:
        """Call it before the engine queues writes to blocks that it gave away: they will come
        behind the copies of saves that read them, of any without block_ids."""
        if any(self._reads(part, block_ids) for _, part in self._copying):
            self._stream.engine_waits()

    def finished(self) -> list[Ended]:
        """Jobs that ended since the last call. Never blocks."""
        self._move_on()
        finished, self._finished = self._finished, []
        return finished

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, saves included."""
        self._move_on()
        return not (self._moving or self._copying or self._waiting)

    def close(self) -> None:
        """On return neither a NIC nor a copy of ours touches the engine's memory."""
        self._stream.drain()
        self._transfers.close()

    @staticmethod
    def _reads(part: _Part, block_ids: Collection[int] | None) -> bool:
        if part.whole.is_load:
            return False
        return block_ids is None or not set(part.job.block_ids).isdisjoint(block_ids)

    def _move_on(self) -> None:
        for ended in self._transfers.finished():
            self._take(ended)
        copied = [(has_ended(), has_ended, part) for has_ended, part in self._copying]
        self._copying = [(has_ended, part) for is_over, has_ended, part in copied if not is_over]
        for is_over, _, part in copied:
            if is_over:
                self._copied(part)
        self._begin_loads()

    def _begin_loads(self) -> None:
        while self._waiting:
            until, part = self._waiting[0]
            slots = self._staging[part.job.group].loads
            if monotonic() >= until:
                part.whole.reasons[part.begin : part.end] = Outcome.DEADLINE
                self._statistics.miss(Outcome.DEADLINE, len(part.job.block_ids))
                self._end_part(part)
            elif len(part.job.block_ids) <= slots.free:
                part.slots = slots.take(len(part.job.block_ids))
                self._move(part)
            else:
                return
            self._waiting.popleft()

    def _move(self, part: _Part) -> None:
        self._names += 1
        name, job = str(self._names), part.job
        self._moving[name] = part
        staged = Job(name, job.group, job.hashes, job.base, job.first, part.slots)
        (self._transfers.load if part.whole.is_load else self._transfers.save)(staged)

    def _take(self, ended: Ended) -> None:
        part = self._moving.pop(ended.job.owner)
        part.whole.reasons[part.begin : part.end] = ended.reasons
        if part.whole.is_load and not ended.reasons.all():
            self._copy(part)
        else:
            self._end_part(part)

    def _copy(self, part: _Part) -> None:
        group, job = self._groups[part.job.group], part.job
        rows = self._staging[job.group].rows
        ids, slots = job.block_ids, part.slots
        if part.whole.is_load:
            good = np.flatnonzero(part.whole.reasons[part.begin : part.end] == Outcome.OK).tolist()
            ids, slots = [ids[i] for i in good], [slots[i] for i in good]
        move = group.blocks.load if part.whole.is_load else group.blocks.save
        self._copying.append((self._stream.run(lambda: move(ids, rows, slots), part.after), part))

    def _copied(self, part: _Part) -> None:
        if part.whole.is_load:
            self._end_part(part)
        else:
            self._move(part)

    def _end_part(self, part: _Part) -> None:
        staging, whole = self._staging[part.job.group], part.whole
        (staging.loads if whole.is_load else staging.saves).give_back(part.slots)
        whole.parts -= 1
        if whole.parts == 0:
            self._finished.append(Ended(whole.job, whole.is_load, whole.reasons))
