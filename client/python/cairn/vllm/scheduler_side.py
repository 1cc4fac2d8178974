"""The scheduler's part: what of a request is loaded, and what of it is saved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cairn.connector import Job, Lookups, Options, RecentSaves, Statistics
from cairn.connector.packed import chain_base, connector
from cairn.vllm import shims
from cairn.vllm.chains import Chains
from cairn.vllm.events import EventLog
from cairn.vllm.metadata import Handshake, Saved, StepMetadata

NEVER = 1 << 60  # a position
NULL_BLOCK = 0  # vLLM's placeholder for positions behind a sliding window


@dataclass
class _Request:
    """One that has blocks."""

    request: Any
    block_ids: list[list[int]] = field(default_factory=list)  # by group
    saved: int = 0  # leading blocks that Cairn holds or was given


@dataclass(frozen=True)
class _Load:
    first: int
    block_ids: set[int]


class SchedulerSide:
    """Called by the scheduler alone; nothing here waits.

    A request asks before it has blocks; its answer is held under lease until its load has ended, or
    it ends. Once it has blocks, each that becomes full is saved in the step that fills it.
    """

    def __init__(
        self,
        options: Options,
        statistics: Statistics,
        block_tokens: int,
        groups: int,
        events: EventLog | None,
    ) -> None:
        self.options = options
        self.loads_are_wanted = True
        self.saves_are_wanted = True
        self._statistics = statistics
        self._block_tokens = block_tokens
        self._groups = groups
        self._events = events
        self._chains = Chains()
        self._recent = RecentSaves()
        self._lookups: Lookups | None = None
        self._requests: dict[str, _Request] = {}
        self._first: dict[str, tuple[int, int]] = {}  # local hit, and what Cairn answered
        self._loading: dict[str, _Load] = {}
        self._given_up: set[str] = set()  # a load failed: not again for this request
        self._next = StepMetadata()

    def connect(self, handshakes: Iterable[Handshake]) -> None:
        """Once all workers have registered their tensors."""
        ranks = list(handshakes)
        namespaces = dict.fromkeys(name for rank in ranks for name in rank.namespaces)
        connects = [connector(self.options, namespace) for namespace in namespaces]
        self._lookups = Lookups(connects, self.options, self._statistics)
        if self._events:
            self._events.reports_per_save = self._groups * sum(rank.writes for rank in ranks)

    def matched(self, request: Any, computed_tokens: int) -> tuple[int | None, bool]:
        """Tokens beyond the local hit that can be loaded; None: not known yet."""
        first, tail = divmod(computed_tokens, self._block_tokens)
        usable = (request.num_tokens - 1) // self._block_tokens  # the last token is computed
        self._first[request.request_id] = (first, first)
        if tail or usable <= first or not self._may_load(request):
            return 0, False
        chain = self._chains.of(request)
        if chain is None:
            return 0, False
        blocks = self._lookups.ask(request.request_id, chain, usable)
        if blocks is None:
            return None, False
        self._first[request.request_id] = (first, blocks)
        more = max(0, min(blocks, usable) - first)
        return more * self._block_tokens, more > 0

    def _may_load(self, request: Any) -> bool:
        return (
            self._lookups is not None
            and self.loads_are_wanted
            and request.request_id not in self._given_up
            and not getattr(request, "skip_reading_prefix_cache", False)
        )

    def allocated(self, request: Any, block_ids: Sequence[Sequence[int]], more: int) -> None:
        """block_ids: by group, the request's whole table. more: tokens to load."""
        request_id = request.request_id
        first, known = self._first.pop(request_id, (0, 0))
        tracked = self._requests.setdefault(request_id, _Request(request))
        tracked.saved = max(tracked.saved, known)
        if more == 0:
            if request_id not in self._loading:
                self._let_go(request_id)
            return
        chain, blocks = self._chains.of(request), more // self._block_tokens
        loading: set[int] = set()
        for group, ids in enumerate(block_ids):
            job = _job(request_id, group, chain, first, ids[first : first + blocks], True)
            if job is not None:
                self._next.loads.append(job)
                self._next.written += job.block_ids
                loading.update(job.block_ids)
        self._loading[request_id] = _Load(first, loading)
        self._statistics.add("hit_tokens", more)

    def step(self, scheduled: Any) -> StepMetadata:
        """Of vLLM's SchedulerOutput: the jobs that go along with this step."""
        step, self._next = self._next, StepMetadata()
        computed: dict[str, int] = {}
        for new in scheduled.scheduled_new_reqs:
            self._take_blocks(new.req_id, new.block_ids, True, new.num_computed_tokens, step)
            computed[new.req_id] = new.num_computed_tokens
        cached = scheduled.scheduled_cached_reqs
        for i, request_id in enumerate(cached.req_ids):
            resumed = request_id in shims.resumed_ids(cached)
            ids, computed[request_id] = cached.new_block_ids[i], cached.num_computed_tokens[i]
            self._take_blocks(request_id, ids, resumed, computed[request_id], step)
        if self.saves_are_wanted and self._lookups is not None:
            for request_id, tokens in scheduled.num_scheduled_tokens.items():
                full = (computed.get(request_id, 0) + tokens) // self._block_tokens
                self._save(request_id, full, step)
        return step

    def _take_blocks(
        self, request_id: str, ids: Any, whole: bool, computed: int, step: StepMetadata
    ) -> None:
        tracked = self._requests.get(request_id)
        if tracked is None or ids is None:
            return
        kept = computed // self._block_tokens if whole else 0
        for group_ids in ids:
            step.written += group_ids[kept:]
        if whole:
            tracked.block_ids = [list(group_ids) for group_ids in ids]
        else:
            for known, group_ids in zip(tracked.block_ids, ids, strict=True):
                known += group_ids

    def _save(self, request_id: str, full: int, step: StepMetadata) -> None:
        """Blocks that are full when this step has run."""
        tracked = self._requests.get(request_id)
        chain = self._chains.of(tracked.request) if tracked and tracked.block_ids else None
        if chain is None:
            return
        end = min(full, len(chain), *(len(ids) for ids in tracked.block_ids))
        if end <= tracked.saved:
            return
        first = self._recent.skip(chain, tracked.saved, end)
        tracked.saved = end
        if first == end:
            return
        self._recent.add(chain[first:end])
        for group, ids in enumerate(tracked.block_ids):
            job = _job(request_id, group, chain, first, ids[first:end], False)
            if job is not None:
                step.saves.append(job)
        if self._events:
            self._events.saving(tracked.request, first, end)

    def received(self, request_ids: Iterable[str], failed: set[str], invalid: set[int]) -> None:
        """Loads that ended, and what of them did not come."""
        for request_id in request_ids:
            load = self._loading.pop(request_id, None)
            if load and (request_id in failed or not load.block_ids.isdisjoint(invalid)):
                self._give_up(request_id, load)
            self._let_go(request_id)

    def _give_up(self, request_id: str, load: _Load) -> None:
        """What it computes instead is saved, in place of what was lost."""
        tracked = self._requests.get(request_id)
        if tracked is not None:
            tracked.saved = load.first if tracked.saved < NEVER else NEVER
            self._recent.forget(self._chains.of(tracked.request)[load.first :])
            self._given_up.add(request_id)

    def saved(self, report: Saved) -> None:
        if self._events:
            self._events.saved(report)

    def events(self) -> Sequence[Any]:
        return self._events.take() if self._events else ()

    def finished(self, request_id: str) -> None:
        """It may never have been scheduled, and its load may still be under way."""
        self._requests.pop(request_id, None)
        self._first.pop(request_id, None)
        self._given_up.discard(request_id)
        self._chains.forget(request_id)
        if request_id not in self._loading:
            self._let_go(request_id)

    def reset(self) -> None:
        """The weights may have changed: what was stored is not found again, and what requests
        hold now is not stored."""
        self._chains.begin_anew()
        self._recent = RecentSaves()
        for tracked in self._requests.values():
            tracked.saved = NEVER
        for request_id in self._lookups.asking() if self._lookups else ():
            if request_id not in self._loading:
                self._let_go(request_id)

    def _let_go(self, request_id: str) -> None:
        if self._lookups is not None:
            self._lookups.release(request_id)

    def close(self) -> None:
        if self._lookups is not None:
            self._lookups.close()


def _job(
    owner: str, group: int, chain: Sequence[bytes], first: int, ids: Sequence[int], is_load: bool
) -> Job | None:
    """Without the null blocks at its head; None: nothing is left."""
    skipped = next((i for i, block_id in enumerate(ids) if block_id != NULL_BLOCK), len(ids))
    if skipped == len(ids):
        return None
    start, end = first + skipped, first + len(ids)
    base = start if is_load else chain_base(start)
    return Job(owner, group, b"".join(chain[base:end]), base, start, tuple(ids[skipped:]))
