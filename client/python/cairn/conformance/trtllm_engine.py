"""A fake TensorRT-LLM: its pages, and the order in which its executor calls a connector.

What would have raised in the engine, or hung it, is noted instead, so that a rule judges one thing.
"""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cairn.conformance import world as bounds
from cairn.conformance.world import Connectors, Factory, World, contents, new_name, until

PAGES = 64
LAYERS = 4
HALVES = 2  # keys and values
ELEMENTS = 256  # of one layer's keys in a page
BLOCK_TOKENS = 16
BAD_PAGE_INDEX = -1


@dataclass
class RequestData:
    request_id: int
    new_tokens: list[int]
    new_block_ids: list[int]
    computed_position: int
    num_scheduled_tokens: int
    block_hashes: list[int] = field(default_factory=list)
    priorities: list[int] | None = None
    cache_salt: str | None = None
    new_block_ids_by_layer_group: list[list[int]] = field(default_factory=list)


@dataclass
class SchedulerOutput:
    new_requests: list[RequestData] = field(default_factory=list)
    cached_requests: list[RequestData] = field(default_factory=list)


class Request:
    """What a connector may read of the engine's LlmRequest."""

    def __init__(
        self,
        request_id: int,
        tokens: Sequence[int],
        cache_salt: str | None = None,
        lora_task_id: int | None = None,
    ) -> None:
        self.request_id = request_id
        self.cache_salt = cache_salt
        self.lora_task_id = lora_task_id
        self.is_generation_only_request = False
        self._tokens = list(tokens)

    def get_tokens(self, beam: int) -> list[int]:
        return list(self._tokens)

    def get_num_tokens(self, beam: int) -> int:
        return len(self._tokens)


@dataclass
class Running:
    """A request that has pages."""

    request: Request
    pages: list[list[int]]  # by layer group
    position: int  # tokens computed
    offered: int = 0
    chunk: int = 1 << 30
    parked: bool = False
    reported: bool = False  # in new_requests
    pages_told: int = 0
    tokens_told: int = 0


@dataclass
class Notes:
    """What the real engine would not have survived, by rule."""

    false_async: list[int] = field(default_factory=list)
    unknown_ids: list[int] = field(default_factory=list)
    not_pickled: list[str] = field(default_factory=list)


@dataclass
class _Region:
    tensor: np.ndarray
    buffers: tuple[Any, ...]

    @property
    def size(self) -> int:
        return self.tensor.shape[1]

    def as_tensor(self) -> np.ndarray:
        return self.tensor


@dataclass(frozen=True)
class _Buffer:
    layer_id: int
    role: str
    expansion: int = 1


@dataclass
class _LayerGroup:
    layer_group_id: int
    layer_ids: tuple[int, ...]
    window_size: int | None
    regions: tuple[_Region, ...]


@dataclass
class _Layout:
    tokens_per_block: int
    groups: tuple[_LayerGroup, ...]
    dtype: str = "float32"


class Engine:
    """One process of the engine; a context manager. groups: of layers, each with pages of its own
    (two: variable sliding windows)."""

    def __init__(
        self, factory: Factory, *, name: str = "", ranks: int = 2, groups: int = 1
    ) -> None:
        self.groups = groups
        shape = (groups, PAGES, LAYERS // groups, HALVES, ELEMENTS)
        self.caches = [np.zeros(shape, np.float32) for _ in range(ranks)]
        flat = [cache[0] for cache in self.caches] if groups == 1 else self.caches
        self.world = World(name or new_name(), ranks, BLOCK_TOKENS, flat)
        self.connectors: Connectors = factory(self.world)
        self.notes = Notes()
        self.bound: list[Any] = []  # metadata of the last step, by rank
        self._free = [list(range(PAGES)) for _ in range(groups)]
        self._running: dict[int, Running] = {}
        self._handed: list[set[int]] = [set() for _ in range(ranks)]
        self._finished: list[set[int]] = [set() for _ in range(ranks)]
        self._new_loading: list[int] = []
        self._new_saving: list[int] = []
        self._ids = iter(range(1, 1 << 30))
        self._register()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.connectors.close()

    def _register(self) -> None:
        for worker, cache in zip(self.connectors.workers, self.world.caches, strict=True):
            if self.groups == 1:
                worker.register_kv_caches(cache)
            else:
                worker.register_kv_cache_layout(self._layout(cache))
        getattr(self.connectors.scheduler, "wait_for_initialization", lambda: None)()
        self.connectors.ready()

    def _layout(self, cache: np.ndarray) -> _Layout:
        per_group = LAYERS // self.groups
        groups = []
        for number in range(self.groups):
            layers = tuple(range(number * per_group, (number + 1) * per_group))
            buffers = tuple(_Buffer(layer, role) for layer in layers for role in ("key", "value"))
            region = _Region(cache[number].view(np.uint8).reshape(PAGES, -1), buffers)
            window = None if number == 0 else PAGES * BLOCK_TOKENS
            groups.append(_LayerGroup(number, layers, window, (region,)))
        return _Layout(BLOCK_TOKENS, tuple(groups))

    # What a rule asks for.

    def request(self, tokens: Sequence[int], **fields: Any) -> Request:
        return Request(next(self._ids), tokens, **fields)

    def query(self, request: Request, computed: int = 0) -> int:
        scheduler = self.connectors.scheduler
        offered, is_async = scheduler.get_num_new_matched_tokens(request, computed)
        if is_async and offered == 0:
            self.notes.false_async.append(request.request_id)
            is_async = False
        self._is_async = is_async
        return offered

    def admit(
        self, request: Request, computed: int = 0, *, chunk: int = 1 << 30, missing: int = 0
    ) -> Running:
        """Asks, allocates, tells. missing: leading blocks that have no page."""
        offered = self.query(request, computed)
        running = Running(request, self._allocate(request, missing), computed, offered, chunk)
        running.parked = self._is_async
        self._running[request.request_id] = running
        scheduler = self.connectors.scheduler
        if self.groups == 1:
            scheduler.update_state_after_alloc(request, list(running.pages[0]))
        else:
            pages = [list(ids) for ids in running.pages]
            scheduler.update_state_after_alloc_by_layer_group(request, pages)
        if running.parked:
            self._new_loading.append(request.request_id)
        else:
            running.position += offered
        return running

    def _allocate(self, request: Request, missing: int) -> list[list[int]]:
        count = -(-request.get_num_tokens(0) // BLOCK_TOKENS)
        pages = []
        for number, free in enumerate(self._free):
            rotated = free[number * 7 :] + free[: number * 7]  # groups differ in their numbers
            taken = rotated[: count - missing]
            self._free[number] = [page for page in free if page not in taken]
            pages.append([BAD_PAGE_INDEX] * missing + taken)
        return pages

    def step(self) -> list[int]:
        """One iteration of the executor; the requests whose loads have ended on all ranks."""
        scheduled = [running for running in self._running.values() if not running.parked]
        output = SchedulerOutput()
        counts = [self._tell(running, output) for running in scheduled]
        metadata = self._broadcast(self.connectors.scheduler.build_connector_meta(output))
        self.bound = metadata
        for worker, meta in zip(self.connectors.workers, metadata, strict=True):
            worker.bind_connector_meta(meta)
        self.start_load()
        for running, count in zip(scheduled, counts, strict=True):
            self._compute(running, count)
        self.save()
        return self.poll()

    def start_load(self) -> None:
        for worker in self.connectors.workers:
            worker.start_load_kv(None)

    def save(self) -> None:
        for worker in self.connectors.workers:
            for layer in range(LAYERS):
                worker.wait_for_layer_load(layer, None)
                worker.save_kv_layer(layer, None)
            worker.wait_for_save(None)

    def _tell(self, running: Running, output: SchedulerOutput) -> int:
        request = running.request
        tokens, position = request.get_tokens(0), running.position
        count = min(running.chunk, len(tokens) - position)
        # The first chunk's pages, then what each later chunk adds.
        blocks = min(-(-(position + count) // BLOCK_TOKENS), len(running.pages[0]))
        new = [ids[running.pages_told : blocks] for ids in running.pages]
        data = RequestData(
            request.request_id,
            tokens[running.tokens_told :],
            list(new[0]) if self.groups == 1 else [],
            position,
            count,
            cache_salt=request.cache_salt,
            new_block_ids_by_layer_group=new if self.groups > 1 else [],
        )
        running.pages_told, running.tokens_told = blocks, len(tokens)
        (output.cached_requests if running.reported else output.new_requests).append(data)
        running.reported = True
        return count

    def _broadcast(self, metadata: object) -> list[object]:
        try:
            packed = pickle.dumps(metadata)
            return [pickle.loads(packed) for _ in self.connectors.workers]
        except Exception as error:
            self.notes.not_pickled.append(repr(error))
            return [metadata for _ in self.connectors.workers]

    def _compute(self, running: Running, count: int) -> None:
        first = running.position // BLOCK_TOKENS
        running.position += count
        for block in range(first, running.position // BLOCK_TOKENS):
            for rank in range(self.world.ranks):
                for group, ids in enumerate(running.pages):
                    if ids[block] != BAD_PAGE_INDEX:
                        expected = self.expected(running.request, block, rank, group)
                        self.caches[rank][group][ids[block]] = expected

    def poll(self) -> list[int]:
        loading, self._new_loading = self._new_loading, []
        saving, self._new_saving = self._new_saving, []
        for rank, worker in enumerate(self.connectors.workers):
            self._handed[rank].update(loading, saving)
            saved, loaded = worker.get_finished(list(saving), list(loading))
            for request_id in [*saved, *loaded]:
                if request_id not in self._handed[rank]:
                    self.notes.unknown_ids.append(request_id)
                    continue
                self._handed[rank].discard(request_id)
                self._finished[rank].add(request_id)
        done = set.intersection(*self._finished)
        for finished in self._finished:
            finished -= done
        for request_id in done:
            running = self._running.get(request_id)
            if running is not None and running.parked:
                running.parked = False
                running.position += running.offered
        return sorted(done)

    def wait_for_load(self, running: Running) -> None:
        until(lambda: (self.step(), not running.parked)[1], "the end of a load on all ranks")

    def run(self, running: Running) -> None:
        """Until all its tokens are computed."""
        tokens = running.request.get_num_tokens(0)
        until(
            lambda: (self.step(), not running.parked and running.position >= tokens)[1],
            "the end of a request",
        )

    def finish(self, running: Running) -> bool:
        """True: its pages stay until it is reported as saved."""
        scheduler, request = self.connectors.scheduler, running.request
        self._running.pop(request.request_id, None)
        if self.groups == 1:
            saves = scheduler.request_finished(request, list(running.pages[0]))
        else:
            pages = [list(ids) for ids in running.pages]
            saves = scheduler.request_finished_by_layer_group(request, pages)
        if saves:
            self._new_saving.append(request.request_id)
        return bool(saves)

    def free(self, running: Running) -> None:
        for free, ids in zip(self._free, running.pages, strict=True):
            free += [page for page in ids if page != BAD_PAGE_INDEX]

    def compute(self, tokens: Sequence[int], **fields: Any) -> Running:
        """A whole request: asked, computed, saved, finished; its pages stay as they are."""
        running = self.admit(self.request(tokens, **fields))
        self.run(running)
        if self.finish(running):
            until(lambda: running.request.request_id in self.step(), "the end of a save")
        self.settle()
        return running

    def settle(self) -> None:
        """Steps without requests, in which saves that are under way go on."""
        bounds.settle(self.step)

    def bystander(self) -> Running:
        """A request that computes while others load."""
        tokens = [900_000 + next(self._ids), *range(BLOCK_TOKENS)]
        return self.admit(self.request(tokens), chunk=1)

    def hit(
        self, tokens: Sequence[int], missing: int = 0, blocks: int | None = None, **fields: Any
    ) -> Running:
        """Admitted with as many blocks offered, or all; asks again, as new requests, until the
        store has them."""
        wanted = (len(tokens) - 1) // BLOCK_TOKENS if blocks is None else blocks

        def ask() -> Running | None:
            running = self.admit(self.request(tokens, **fields), missing=missing)
            if running.offered >= wanted * BLOCK_TOKENS:
                return running
            if running.parked:
                self.wait_for_load(running)
            self.drop(running)
            return None

        return until(ask, f"an offer of the {wanted} blocks that were stored")

    def drop(self, running: Running) -> None:
        """Ends before it has computed anything."""
        self.finish(running)
        self.free(running)
        self.step()

    def offers(self, tokens: Sequence[int], within_s: float | None = None, **fields: Any) -> int:
        """What is offered, asked for again and again for a while."""

        def ask() -> int:
            request = self.request(tokens, **fields)
            offered = self.query(request)
            self.connectors.scheduler.request_finished(request, [])
            self.step()
            return offered

        try:
            return until(ask, "an offer", within_s or bounds.MISSES_S)
        except AssertionError:
            return 0

    def expected(self, request: Request, block: int, rank: int, group: int = 0) -> np.ndarray:
        prefix = request.get_tokens(0)[: (block + 1) * BLOCK_TOKENS]
        salt = (request.cache_salt, request.lora_task_id)
        return contents(self.caches[0].shape[2:], prefix, salt, rank, group)

    def wrong_pages(self, running: Running, blocks: Iterable[int]) -> list[tuple[int, int, int]]:
        """(rank, layer group, block) whose page does not hold what the model would compute."""
        return [
            (rank, group, block)
            for rank in range(self.world.ranks)
            for group, ids in enumerate(running.pages)
            for block in blocks
            if ids[block] != BAD_PAGE_INDEX
            and not np.array_equal(
                self.caches[rank][group][ids[block]],
                self.expected(running.request, block, rank, group),
            )
        ]

    def overwrite(self, running: Running, value: float) -> None:
        """The pages have been given to somebody else."""
        for cache in self.caches:
            for group, ids in enumerate(running.pages):
                cache[group][[page for page in ids if page != BAD_PAGE_INDEX]] = value
