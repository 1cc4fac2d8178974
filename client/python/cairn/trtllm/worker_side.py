"""A rank's part: its pages, the staging memory between them and Cairn, the jobs that it does.

The engine has no way to be told that a load failed: it counts the offered tokens as computed. So a
load is tried twice, its blocks being held by their nodes all the while, and where that is not
enough LostLoad ends the engine's step: no token is ever made from bytes that did not come.
"""

import dataclasses
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cairn.connector import Ended, Group, Job, Options, Statistics, Transfers
from cairn.connector.device import CopyEnded, stream_of
from cairn.connector.packed import connector
from cairn.connector.staging import Staging
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.trtllm import copies
from cairn.trtllm.metadata import Step
from cairn.trtllm.pages import PageGroup

TRIES = 2


class LostLoad(RuntimeError):
    """Blocks that were offered and held did not come."""


@dataclass(slots=True, eq=False)
class _Part:
    """Of a job, as much as there are slots for. job.block_ids: pages."""

    job: Job
    is_load: bool
    after: Any  # a mark: the pages may be copied behind it
    slots: tuple[int, ...] = ()
    tries: int = 0


class WorkerSide:
    """Called by the engine's loop alone; nothing waits, and each call moves on what has ended."""

    def __init__(
        self,
        groups: Sequence[PageGroup],
        namespaces: Sequence[Namespace],
        writes: bool,
        options: Options,
        staging_bytes: int,
        statistics: Statistics,
    ) -> None:
        self._groups = list(groups)
        self._writes = writes
        self._statistics = statistics
        self._stream = stream_of(groups[0].rows[0])
        share = staging_bytes // len(groups)
        self._staging = [
            Staging(
                group.block_bytes, group.pages, share, self._stream.allocate, "CAIRN_STAGING_BYTES"
            )
            for group in groups
        ]
        self._transfers = Transfers(
            [
                Group(staging.layout(), connector(options, namespace))
                for staging, namespace in zip(self._staging, namespaces, strict=True)
            ],
            options,
            statistics,
        )
        self._step = 0
        self._waiting: deque[_Part] = deque()  # loads, for slots
        self._moving: dict[str, _Part] = {}
        self._copying: list[tuple[CopyEnded, _Part]] = []
        self._loading: Counter[str] = Counter()  # parts by request
        self._asked: dict[str, int] = {}  # loads that the engine wants to hear of
        self._lost: dict[str, Outcome] = {}
        self._ended: set[str] = set()
        self._saves: list[Job] = []
        self._parts = 0

    def start(self, step: Step | None, stream: Any) -> None:
        """Before the forward pass. A step that was shown before is not done again."""
        self._saves = []
        if step is not None and step.number > self._step:
            self._step = step.number
            self._saves = step.saves if self._writes else []
            self._ended.update(str(request_id) for request_id in step.ended)
            mark = self._stream.mark(stream) if step.loads else None
            for job in step.loads:
                self._ended.discard(job.owner)
                self._queue_load(job, mark)
        self._move_on()

    def save(self, stream: Any) -> None:
        """At the forward pass's end: its pages are copied before the engine can give them away."""
        jobs, self._saves = self._saves, []
        if jobs:
            mark = self._stream.mark(stream)
            for job in jobs:
                self._save(job, mark)
            self._stream.engine_waits(stream)
        self._move_on()

    def finished(self, saving: Iterable[int], loading: Iterable[int]) -> tuple[list, list]:
        """What ended, of the requests that the engine has asked for so far."""
        self._asked.update({str(request_id): request_id for request_id in loading})
        self._move_on()
        done = [owner for owner in self._asked if not self._loading[owner]]
        for owner in done:
            reason = self._lost.pop(owner, None)
            if reason is not None and owner not in self._ended:
                raise LostLoad(
                    f"cairn: request {owner}: blocks that Cairn held for it did not come in time or"
                    f" not as they were stored ({reason.name.lower()}), and the engine has counted"
                    " them as computed; it has no way to go on without them"
                )
            self._ended.discard(owner)
        return list(saving), [self._asked.pop(owner) for owner in done]

    def close(self) -> None:
        self._transfers.close()

    @property
    def is_connected(self) -> bool:
        return self._transfers.is_connected

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, saves included."""
        self._move_on()
        return not (self._moving or self._copying or self._waiting)

    def _queue_load(self, job: Job, mark: Any) -> None:
        most = self._staging[job.group].loads_max
        for begin in range(0, len(job.block_ids), most):
            part = job.cut(begin, min(begin + most, len(job.block_ids)), is_load=True)
            self._waiting.append(_Part(part, True, mark))
            self._loading[job.owner] += 1

    def _save(self, job: Job, mark: Any) -> None:
        """As much as there is room for; a save that is skipped costs a hit later."""
        staging = self._staging[job.group]
        count = min(len(job.block_ids), staging.saves.free)
        skipped = len(job.block_ids) - count
        if skipped:
            self._statistics.miss(Outcome.OVERLOAD, skipped)
        if count:
            part = _Part(job.cut(0, count, is_load=False), False, mark, staging.saves.take(count))
            self._copy(part)

    def _copy(self, part: _Part) -> None:
        job = part.job
        rows = self._staging[job.group].rows
        moved = copies.pairs(self._groups[job.group], job.block_ids, rows, part.slots, part.is_load)
        self._copying.append((self._stream.run(lambda: copies.make(moved), part.after), part))

    def _move_on(self) -> None:
        for ended in self._transfers.finished():
            self._take(ended)
        still = []
        for has_ended, part in self._copying:
            if has_ended():
                self._copied(part)
            else:
                still.append((has_ended, part))
        self._copying = still
        while self._waiting and self._fits(self._waiting[0]):
            part = self._waiting.popleft()
            part.slots = self._staging[part.job.group].loads.take(len(part.job.block_ids))
            self._move(part)

    def _fits(self, part: _Part) -> bool:
        return len(part.job.block_ids) <= self._staging[part.job.group].loads.free

    def _move(self, part: _Part) -> None:
        self._parts += 1
        part.tries += 1
        name = str(self._parts)
        self._moving[name] = part
        job = dataclasses.replace(part.job, owner=name, block_ids=part.slots)
        (self._transfers.load if part.is_load else self._transfers.save)(job)

    def _take(self, ended: Ended) -> None:
        part = self._moving.pop(ended.job.owner)
        if not part.is_load:
            self._staging[part.job.group].saves.give_back(part.slots)
        elif ended.ok:
            self._copy(part)
        elif part.tries < TRIES:
            self._move(part)
        else:
            self._lost[part.job.owner] = Outcome(int(ended.reasons.max()))
            self._loaded(part)

    def _copied(self, part: _Part) -> None:
        if part.is_load:
            self._loaded(part)
        else:
            self._move(part)

    def _loaded(self, part: _Part) -> None:
        self._staging[part.job.group].loads.give_back(part.slots)
        self._loading -= Counter([part.job.owner])
