"""The scheduler's half: how many blocks of a request all ranks hold."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from cairn.connector.breaker import Breaker
from cairn.connector.client_thread import ClientThread, Link
from cairn.connector.options import Options
from cairn.connector.packed import MATCH_BLOCKS_MAX, PackedBatch, PackedClient
from cairn.connector.statistics import Statistics
from cairn.errors import CairnError
from cairn.outcome import Outcome

FRESH_SHARE = 0.5  # of a lease: an answer older than that is asked for again
LATE_S = 1.0  # behind the deadline: our thread is stuck, answer without it
# Nobody looked: the cluster did not answer, which says nothing about the blocks.
UNANSWERED = frozenset(
    {
        Outcome.DEADLINE,
        Outcome.NODE_DOWN,
        Outcome.NO_COORDINATOR,
        Outcome.NO_NODE,
        Outcome.CIRCUIT_OPEN,
        Outcome.SESSION,
    }
)


@dataclass(slots=True, eq=False)
class _Question:
    hashes: Sequence[bytes]  # until it is submitted
    give_up_at: float
    blocks: int | None = None  # the answer, set last
    fresh_until: float = 0.0
    matches: list[tuple[PackedClient, PackedBatch]] = field(default_factory=list)
    released: bool = False


class Lookups(ClientThread):
    """One client per namespace of the engine's ranks; a block counts when each of them holds it."""

    def __init__(
        self,
        connects: Sequence[Callable[[], PackedClient]],
        options: Options,
        statistics: Statistics,
    ) -> None:
        super().__init__("cairn-lookups", [Link(connect) for connect in connects])
        self._lookup_s = options.lookup_ms / 1e3
        self._fresh_s = FRESH_SHARE * options.lease_ms / 1e3
        self._lookups_max = options.lookups_max
        self._statistics = statistics
        self._breaker = Breaker()
        self._questions: dict[str, _Question] = {}
        self._open: list[_Question] = []
        self._answered = threading.Condition()
        self._thread.start()

    def ask(
        self, request_id: str, chain: Sequence[bytes], usable: int = MATCH_BLOCKS_MAX
    ) -> int | None:
        """How many of the chain's `usable` leading blocks can be loaded now; None: ask again in a
        while.

        They stay held until release(request_id), the lease's end at the latest. Microseconds; with
        Cairn down, 0 at once.
        """
        question = self._questions.get(request_id)
        if question is None:
            return self._put_question(request_id, chain, usable)
        now = time.monotonic()
        if question.blocks is None:
            return None if now < question.give_up_at else 0
        if now < question.fresh_until:
            return question.blocks
        self.release(request_id)
        return self._put_question(request_id, chain, usable)

    def wait(self, request_id: str, timeout_s: float) -> int | None:
        """After ask() said None: the answer, if it comes in so short a time."""
        question = self._questions[request_id]
        with self._answered:
            self._answered.wait_for(lambda: question.blocks is not None, timeout_s)
        return question.blocks

    def release(self, request_id: str) -> None:
        """Lets the blocks go. Idempotent."""
        question = self._questions.pop(request_id, None)
        if question is not None:
            self.post(partial(self._let_go, question))

    def asking(self) -> list[str]:
        """Requests that were not released."""
        return list(self._questions)

    def _put_question(self, request_id: str, chain: Sequence[bytes], usable: int) -> int | None:
        hashes = chain[: min(usable, MATCH_BLOCKS_MAX)]
        if not hashes:
            return 0
        refusal = self._why_not()
        if refusal is not Outcome.OK:
            self._statistics.miss(refusal)
            return 0
        question = _Question(hashes, time.monotonic() + self._lookup_s + LATE_S)
        self._questions[request_id] = question
        self.post(partial(self._submit, question))
        return None

    def _why_not(self) -> Outcome:
        if self._closing or not self.is_connected:
            return Outcome.NO_COORDINATOR
        if len(self._open) + len(self._commands) >= self._lookups_max:
            return Outcome.OVERLOAD
        return Outcome.OK if self._breaker.allows() else Outcome.CIRCUIT_OPEN

    # On the thread.

    def _submit(self, question: _Question) -> None:
        packed, hash_bytes = b"".join(question.hashes), len(question.hashes[0])
        question.hashes = ()
        self._open.append(question)
        try:
            for link in self.links:
                chain = link.client.keys(packed, hash_bytes)
                question.matches.append((link.client, link.client.match(chain, self._lookup_s)))
        except CairnError:
            self._answer(question, 0, Outcome.OVERLOAD)

    def _step(self) -> None:
        complete = [question for question in self._open if _is_complete(question)]
        if complete:
            self._open = [question for question in self._open if not _is_complete(question)]
            self._take_turns(partial(self._end, question) for question in complete)

    def _end(self, question: _Question) -> None:
        if question.blocks is None:
            least = min((batch for _, batch in question.matches), key=lambda batch: batch.blocks)
            self._answer(question, least.blocks, Outcome(int(least.reasons[0])))
        if question.released:
            self._let_go(question)

    def _answer(self, question: _Question, blocks: int, reason: Outcome) -> None:
        if blocks == 0 and reason in UNANSWERED:
            self._breaker.failed()
        else:
            self._breaker.succeeded()
        self._statistics.add("lookups")
        self._statistics.add("lookup_hit_blocks", blocks)
        if blocks == 0:
            self._statistics.miss(reason)
        question.fresh_until = time.monotonic() + self._fresh_s
        with self._answered:
            question.blocks = blocks
            self._answered.notify_all()

    def _let_go(self, question: _Question) -> None:
        question.released = True
        for client, batch in question.matches:
            if batch.ended and batch.lease:
                client.release(batch.lease)
                batch.lease = 0

    def _ended(self) -> None:
        for question in self._open:
            question.blocks = question.blocks or 0


def _is_complete(question: _Question) -> bool:
    return all(batch.ended for _, batch in question.matches)
