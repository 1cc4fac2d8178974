"""The scheduler's part, on rank 0: what of a request is loaded, and what of it is saved."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cairn.connector import Job, Lookups, Options, Statistics
from cairn.connector.lookup import FRESH_SHARE
from cairn.connector.packed import chain_base, connector
from cairn.namespace import Namespace
from cairn.trtllm.chains import Chain, Roots
from cairn.trtllm.metadata import Step
from cairn.trtllm.pages import valid_runs


@dataclass
class _Request:
    chain: Chain
    question: str = ""  # under which Cairn was asked
    first: int = 0  # blocks that the engine had itself
    offered: int = 0  # blocks behind them
    saved: int = 0  # leading blocks that Cairn holds or was given
    is_loading: bool = False
    tokens: list[int] = field(default_factory=list)
    pages: list[list[int]] = field(default_factory=list)  # by layer group


class SchedulerSide:
    """Called by the engine's loop alone.

    The engine asks once for each allocation, holding its radix tree, and cannot be told "ask
    again": an answer that is not known yet is waited for up to query_wait_us and is 0 otherwise.
    It is kept for whoever asks for the same prompt while this request lives.
    """

    def __init__(
        self, block_tokens: int, roots: Roots, query_wait_us: int, statistics: Statistics
    ) -> None:
        self._block_tokens = block_tokens
        self._roots = roots
        self._wait_s = query_wait_us / 1e6
        self._statistics = statistics
        self._lookups: Lookups | None = None
        self._requests: dict[int, _Request] = {}
        self._askers: Counter[str] = Counter()  # by question
        self._current: dict[str, tuple[str, float]] = {}  # question of a prompt, and until when
        self._asked = 0
        self._next = Step(1)
        self._abandoned: deque[tuple[float, str]] = deque()  # when its lease has ended anyway

    def connect(self, namespaces: Iterable[Namespace], options: Options) -> None:
        """Once the ranks' pages are known."""
        connects = [connector(options, namespace) for namespace in namespaces]
        self._lease_s = options.lease_ms / 1e3
        self._lookups = Lookups(connects, options, self._statistics)

    @property
    def is_connected(self) -> bool:
        return self._lookups is not None and self._lookups.is_connected

    def matched(self, request: Any, computed_tokens: int) -> tuple[int, bool]:
        """Tokens behind the engine's own that are held for it now; loads are asynchronous."""
        self.finished(request.request_id)  # a replay, perhaps
        root = self._roots.of(request)
        if root is None or self._lookups is None:
            return 0, False
        tokens = request.get_tokens(0)
        chain = Chain(self._block_tokens, root)
        chain.extend(tokens)
        first, tail = divmod(computed_tokens, self._block_tokens)
        known = _Request(chain, first=first, saved=first)
        self._requests[request.request_id] = known
        usable = (len(tokens) - 1) // self._block_tokens  # the last token is computed
        if tail or usable <= first:
            return 0, False
        blocks = self._ask(known, chain.hashes[:usable])
        known.saved = max(first, blocks)
        known.offered = max(0, blocks - first)
        return known.offered * self._block_tokens, known.offered > 0

    def _ask(self, known: _Request, hashes: Sequence[bytes]) -> int:
        known.question = self._question_of(hashes[-1].hex())
        self._askers[known.question] += 1
        blocks = self._lookups.ask(known.question, hashes)
        if blocks is None:
            blocks = self._lookups.wait(known.question, self._wait_s)
        if blocks is None:
            self._statistics.add("queries_unknown")
        return min(blocks or 0, len(hashes))

    def _question_of(self, prompt: str) -> str:
        """One for equal prompts, until it ages: loads under way need the lease of the old one."""
        question, until = self._current.get(prompt, ("", 0.0))
        now = time.monotonic()
        if not self._askers[question] or now >= until:
            self._asked += 1
            question = f"{prompt}.{self._asked}"
            self._current[prompt] = question, now + FRESH_SHARE * self._lease_s
        return question

    def allocated(self, request_id: int, pages: Sequence[Sequence[int]]) -> None:
        """pages: by layer group, of the whole request. It is in no SchedulerOutput while its load
        is under way, so the load goes along with the next step, whatever that step does."""
        known = self._requests.get(request_id)
        if known is None or not known.offered:
            return
        end = known.first + known.offered
        for group, ids in enumerate(pages):
            self._next.loads += self._jobs(request_id, group, ids, known.first, end, True)
        self._statistics.add("hit_tokens", known.offered * self._block_tokens)
        known.offered, known.is_loading = 0, True

    def step(self, scheduled: Any) -> Step:
        """Of the engine's SchedulerOutput."""
        step, self._next = self._next, Step(self._next.number + 1)
        for data in scheduled.new_requests:
            known = self._requests.get(data.request_id)
            if known is not None:
                known.is_loading = False
                self._let_go(known)
        for data in [*scheduled.new_requests, *scheduled.cached_requests]:
            known = self._requests.get(data.request_id)
            if known is not None:
                self._take(known, data)
                self._save(data, known, step)
        return step

    def _take(self, known: _Request, data: Any) -> None:
        known.tokens += data.new_tokens
        known.chain.extend(known.tokens)
        groups = getattr(data, "new_block_ids_by_layer_group", None) or [data.new_block_ids]
        known.pages += [[] for _ in range(len(groups) - len(known.pages))]
        for ids, new in zip(known.pages, groups, strict=True):
            ids += new

    def _save(self, data: Any, known: _Request, step: Step) -> None:
        """Blocks that are full when this step has run; drafts do not count."""
        computed = min(data.computed_position + data.num_scheduled_tokens, len(known.tokens))
        end = min(computed // self._block_tokens, *(len(ids) for ids in known.pages))
        first = known.saved
        if end <= first:
            return
        known.saved = end
        for group, ids in enumerate(known.pages):
            step.saves += self._jobs(data.request_id, group, ids, first, end, False)

    def _jobs(
        self, request_id: int, group: int, ids: Sequence[int], first: int, end: int, is_load: bool
    ) -> list[Job]:
        """Of blocks [first, end), as far as they have pages."""
        hashes, jobs = self._requests[request_id].chain.hashes, []
        for begin, until in valid_runs(ids[first:end]):
            start, stop = first + begin, first + until
            base = start if is_load else chain_base(start)
            packed = b"".join(hashes[base:stop])
            jobs.append(Job(str(request_id), group, packed, base, start, tuple(ids[start:stop])))
        return jobs

    def finished(self, request_id: int) -> None:
        """It may never have been scheduled. Its pages may be given away: saves read copies."""
        self._forget_abandoned()
        known = self._requests.pop(request_id, None)
        if known is None:
            return
        if known.is_loading:
            self._next.ended.append(request_id)
            self._abandoned.append((time.monotonic() + self._lease_s, known.question))
        else:
            self._let_go(known)

    def _forget_abandoned(self) -> None:
        """Nobody says when the load of a request ends that was cancelled: its lease does."""
        while self._abandoned and self._abandoned[0][0] <= time.monotonic():
            self._let_go_question(self._abandoned.popleft()[1])

    def _let_go(self, known: _Request) -> None:
        """Its load has ended, or will not be."""
        question, known.question = known.question, ""
        if question:
            self._let_go_question(question)

    def _let_go_question(self, question: str) -> None:
        self._askers[question] -= 1
        if self._askers[question] == 0:
            del self._askers[question]
            prompt = question.partition(".")[0]
            if self._current.get(prompt, ("",))[0] == question:
                del self._current[prompt]
            self._lookups.release(question)

    def close(self) -> None:
        if self._lookups is not None:
            self._lookups.close()
