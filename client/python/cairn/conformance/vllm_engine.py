"""A fake vLLM (V1): its blocks, and the order in which scheduler and workers call a connector.

What would have raised in EngineCore, or hung a request, is noted instead, so that a rule judges one
thing. One cache group; loads are asynchronous.
"""

import copy
import hashlib
import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from cairn.conformance import world as bounds
from cairn.conformance.world import Connectors, Factory, World, contents, new_name, until

BLOCKS = 96
LAYERS = 2
HEADS = 2
HEAD_SIZE = 32
BLOCK_TOKENS = 16


class Request:
    """What a connector may read of the engine's Request."""

    def __init__(self, request_id: str, tokens: Sequence[int]) -> None:
        self.request_id = request_id
        self.all_token_ids = list(tokens)
        self.prompt_token_ids = self.all_token_ids
        self.num_tokens = self.num_prompt_tokens = len(self.all_token_ids)
        self.num_computed_tokens = 0
        self.lora_request = None
        self.cache_salt = None
        self.mm_features: list[object] = []
        self.kv_transfer_params = None
        self.block_hashes: list[bytes] = []
        last = b"root"
        for at in range(0, self.num_tokens - BLOCK_TOKENS + 1, BLOCK_TOKENS):
            last = hashlib.sha256(last + repr(self.all_token_ids[at : at + 16]).encode()).digest()
            self.block_hashes.append(last)


@dataclass
class Running:
    request: Request
    table: list[int]
    computed: int
    loading: int = 0  # tokens that a load brings
    is_waiting: bool = False
    is_told: bool = False  # in scheduled_new_reqs
    blocks_told: int = 0
    is_resumed: bool = False


@dataclass
class Notes:
    false_async: list[str] = field(default_factory=list)
    unknown_ids: list[str] = field(default_factory=list)
    not_pickled: list[str] = field(default_factory=list)
    mutated: list[str] = field(default_factory=list)


class Engine:
    """One process of the engine; a context manager. Block 0 is vLLM's null block."""

    def __init__(self, factory: Factory, *, name: str = "", ranks: int = 2) -> None:
        shape = (LAYERS, BLOCKS, HEADS, BLOCK_TOKENS, 2 * HEAD_SIZE)
        self.caches = [np.zeros(shape, np.float32) for _ in range(ranks)]
        self.world = World(name or new_name(), ranks, BLOCK_TOKENS, self.caches)
        self.connectors: Connectors = factory(self.world)
        self.scheduler = self.connectors.scheduler
        self.notes = Notes()
        self.received: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.invalid: set[int] = set()
        self._reports: Counter[str] = Counter()  # by request, of the ranks
        self._delayed: set[str] = set()
        self._loading: set[str] = set()
        self._running: dict[str, Running] = {}
        self._free = list(range(1, BLOCKS))
        self._ids = iter(range(1 << 30))
        for worker, cache in zip(self.connectors.workers, self.caches, strict=True):
            worker.register_kv_caches({f"layer.{i}": cache[i] for i in range(LAYERS)})
        self.connectors.ready()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.connectors.close()

    def request(self, tokens: Sequence[int]) -> Request:
        return Request(f"request-{next(self._ids)}", tokens)

    # The scheduler's side.

    def ask(self, request: Request, local: int = 0) -> int | None:
        tokens, is_async = self.scheduler.get_num_new_matched_tokens(request, local)
        if is_async and not tokens:
            self.notes.false_async.append(request.request_id)
        return tokens

    def matched(self, request: Request, local: int = 0) -> int:
        """Asks in every step until the answer is known."""

        def once() -> tuple[int] | None:
            tokens = self.ask(request, local)
            self.step()
            return None if tokens is None else (tokens,)

        return until(once, "an answer that is not None")[0]

    def offers(self, tokens: Sequence[int], within_s: float | None = None) -> int:
        """What is offered, asked for again and again, as new requests, for a while."""
        try:
            ask = lambda: self.matched(self.request(tokens))  # noqa: E731
            return until(ask, "an offer", within_s or bounds.MISSES_S)
        except AssertionError:
            return 0

    def admit(self, request: Request, more: int = 0, local: int = 0) -> Running:
        """Allocates room for all tokens, of which `more` are loaded."""
        count = -(-request.num_tokens // BLOCK_TOKENS)
        table, self._free = self._free[:count], self._free[count:]
        running = Running(request, table, local, more, bool(more))
        self._running[request.request_id] = running
        self.allocated(running, more)
        if more:
            self._loading.add(request.request_id)
        return running

    def allocated(self, running: Running, more: int) -> None:
        table = running.table
        blocks = SimpleNamespace(get_block_ids=lambda: (list(table),))
        self.scheduler.update_state_after_alloc(running.request, blocks, more)

    def hit(self, tokens: Sequence[int], blocks: int | None = None) -> Running:
        """Admitted with as many blocks to load, or all but the last token's."""
        wanted = (len(tokens) - 1) // BLOCK_TOKENS if blocks is None else blocks

        def ask() -> tuple[Request, int] | None:
            request = self.request(tokens)
            more = self.matched(request)
            return (request, more) if more >= wanted * BLOCK_TOKENS else None

        request, more = until(ask, f"an offer of the {wanted} blocks that were stored")
        return self.admit(request, more)

    def step(self, *running: Running, chunk: int = 1 << 30) -> None:
        """One step of the engine that computes these requests, or none."""
        counts = {
            each.request.request_id: min(chunk, each.request.num_tokens - each.computed)
            for each in running
        }
        output = self._scheduled(running, counts)
        before = copy.deepcopy(output)
        metadata = self.scheduler.build_connector_meta(output)
        if output != before:
            self.notes.mutated.append(repr(output))
        for rank, (worker, meta) in enumerate(
            zip(self.connectors.workers, self._broadcast(metadata), strict=True)
        ):
            _call(worker, "handle_preemptions", meta)
            worker.bind_connector_metadata(meta)
            for each in running:
                self._compute(each, counts[each.request.request_id], rank)
            worker.start_load_kv(None)
            self._save(worker, rank)
        for each in running:
            each.computed += counts[each.request.request_id]
        self._report()

    def _save(self, worker: Any, rank: int) -> None:
        for layer in range(LAYERS):
            worker.wait_for_layer_load(f"layer.{layer}")
            worker.save_kv_layer(f"layer.{layer}", self.caches[rank][layer], None)
        worker.wait_for_save()

    def _scheduled(self, running: Sequence[Running], counts: dict[str, int]) -> Any:
        new = [self._new(each, counts) for each in running if not each.is_told]
        again = [each for each in running if each.is_told]
        cached = SimpleNamespace(
            req_ids=[each.request.request_id for each in again],
            resumed_req_ids={each.request.request_id for each in again if each.is_resumed},
            new_block_ids=[self._new_blocks(each, counts) for each in again],
            num_computed_tokens=[each.computed for each in again],
        )
        for each in running:
            each.is_told, each.is_resumed = True, False
        return SimpleNamespace(
            scheduled_new_reqs=new,
            scheduled_cached_reqs=cached,
            num_scheduled_tokens=dict(counts),
            total_num_scheduled_tokens=sum(counts.values()),
            preempted_req_ids=set(),
            finished_req_ids=set(),
        )

    def _new(self, each: Running, counts: dict[str, int]) -> Any:
        return SimpleNamespace(
            req_id=each.request.request_id,
            prompt_token_ids=list(each.request.all_token_ids),
            block_ids=self._new_blocks(each, counts),
            num_computed_tokens=each.computed,
        )

    def _new_blocks(self, each: Running, counts: dict[str, int]) -> tuple[list[int]] | None:
        """What was not told before; all, of a request that begins or begins again."""
        end = -(-(each.computed + counts[each.request.request_id]) // BLOCK_TOKENS)
        first = 0 if each.is_resumed else each.blocks_told
        each.blocks_told = end
        return (each.table[first:end],) if end > first else None

    def _broadcast(self, metadata: object) -> list[object]:
        try:
            packed = pickle.dumps(metadata)
            return [pickle.loads(packed) for _ in self.connectors.workers]
        except Exception as error:
            self.notes.not_pickled.append(repr(error))
            return [metadata for _ in self.connectors.workers]

    # The workers' side.

    def _compute(self, running: Running, count: int, rank: int) -> None:
        end = (running.computed + count) // BLOCK_TOKENS
        for position in range(running.computed // BLOCK_TOKENS, end):
            block = running.table[position]
            self.caches[rank][:, block] = self.expected(running.request, position, rank)

    def _report(self) -> None:
        results = [self._results(worker) for worker in self.connectors.workers]
        received = {i for result in results for i in self._known(result.finished_recving)}
        sent = {i for result in results for i in self._sent(result.finished_sending)}
        failed = {i for result in results for i in result.failed_recving or ()}
        invalid = set[int]().union(
            *(_call(w, "get_block_ids_with_load_errors") or () for w in self.connectors.workers)
        )
        metas = [_call(w, "build_connector_worker_meta") for w in self.connectors.workers]
        metas = [meta for meta in metas if meta is not None]
        for meta in metas[1:]:
            metas[0] = metas[0].aggregate(meta)
        for worker in self.connectors.workers:
            _call(worker, "clear_connector_metadata")
        self.failed |= failed
        self.invalid |= invalid
        output = SimpleNamespace(
            finished_recving=received,
            finished_sending=sent,
            failed_recving=failed,
            invalid_block_ids=invalid,
            kv_connector_stats=None,
            kv_cache_events=None,
            kv_connector_worker_meta=metas[0] if metas else None,
        )
        _call(self.scheduler, "update_connector_output", output)
        self._take(received)

    def _results(self, worker: Any) -> Any:
        if hasattr(worker, "get_transfer_results"):
            return worker.get_transfer_results(set())
        sent, received = worker.get_finished(set())
        return SimpleNamespace(
            finished_sending=sent, finished_recving=received, failed_recving=None
        )

    def _known(self, request_ids: Any) -> list[str]:
        """Those that the last rank has now reported."""
        complete = []
        for request_id in request_ids or ():
            self._reports[request_id] += 1
            if request_id not in self._loading:
                self.notes.unknown_ids.append(request_id)
            elif self._reports[request_id] == self.world.ranks:
                complete.append(request_id)
        return complete

    def _sent(self, request_ids: Any) -> list[str]:
        unknown = set(request_ids or ()) - self._delayed
        self.notes.unknown_ids += sorted(unknown)
        return sorted(set(request_ids or ()) - unknown)

    def _take(self, received: set[str]) -> None:
        for request_id in received:
            self._loading.discard(request_id)
            self.received[request_id] += 1
            running = self._running.get(request_id)
            if running is not None and running.is_waiting:
                running.is_waiting = False
                running.computed += running.loading

    # What a rule asks for.

    def wait_for_load(self, running: Running) -> None:
        until(lambda: (self.step(), not running.is_waiting)[1], "the end of a load on all ranks")

    def run(self, running: Running, chunk: int = 1 << 30) -> None:
        """Loaded, told of its allocation again, computed to its end."""
        if running.is_waiting:
            self.wait_for_load(running)
            self.allocated(running, 0)
        while running.computed < running.request.num_tokens:
            self.step(running, chunk=chunk)

    def compute(self, tokens: Sequence[int], chunk: int = 1 << 30) -> Running:
        """A whole request; its blocks stay as they are."""
        request = self.request(tokens)
        running = self.admit(request, self.matched(request))
        self.run(running, chunk)
        self.finish(running)
        self.settle()
        return running

    def finish(self, running: Running) -> bool:
        """True: its blocks stay until it is reported as sent."""
        return self.finish_request(running.request, running.table)

    def finish_request(self, request: Request, table: Sequence[int] = ()) -> bool:
        self._running.pop(request.request_id, None)
        if hasattr(self.scheduler, "request_finished_all_groups"):
            delayed, _ = self.scheduler.request_finished_all_groups(request, (list(table),))
        else:
            delayed, _ = self.scheduler.request_finished(request, list(table))
        if delayed:
            self._delayed.add(request.request_id)
        return bool(delayed)

    def preempt(self, running: Running) -> list[int]:
        """Its blocks are given out first to whoever asks next. Returns them."""
        old, running.table = running.table, []
        self._free = old + self._free
        running.computed = running.blocks_told = 0
        return old

    def resume(self, running: Running) -> None:
        """Asks anew, and runs with new blocks."""
        more = self.matched(running.request)
        count = -(-running.request.num_tokens // BLOCK_TOKENS)
        running.table, self._free = self._free[-count:], self._free[:-count]
        running.loading, running.is_waiting = more, bool(more)
        running.is_resumed = True
        self._reports[running.request.request_id] = 0
        if more:
            self._loading.add(running.request.request_id)
        self.allocated(running, more)

    def settle(self) -> None:
        bounds.settle(self.step)

    def expected(self, request: Request, position: int, rank: int) -> np.ndarray:
        prefix = request.all_token_ids[: (position + 1) * BLOCK_TOKENS]
        return contents(self.caches[0][:, 0].shape, prefix, rank)

    def wrong_blocks(self, running: Running, count: int) -> list[tuple[int, int]]:
        """(rank, position) whose block does not hold what the model would compute."""
        return [
            (rank, position)
            for rank, cache in enumerate(self.caches)
            for position in range(count)
            if not np.array_equal(
                cache[:, running.table[position]], self.expected(running.request, position, rank)
            )
        ]

    def overwrite(self, table: Sequence[int], value: float) -> None:
        for cache in self.caches:
            cache[:, list(table)] = value

    def holds(self, table: Sequence[int], value: float) -> bool:
        return all((cache[:, list(table)] == value).all() for cache in self.caches)


def _call(thing: Any, name: str, *arguments: Any) -> Any:
    """Of a method that older versions have not."""
    method = getattr(thing, name, None)
    return method(*arguments) if method is not None else None
