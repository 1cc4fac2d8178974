"""A fake SGLang HiCache: host pools, page keys, and the calls of its storage threads."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from cairn.conformance import world as bounds
from cairn.conformance.world import Connectors, Factory, World, contents, new_name, until

PAGES = 64
LAYERS = 3
HEADS = 2
HEAD_SIZE = 32
PAGE_TOKENS = 16
BATCH_PAGES_MAX = 128  # of one batch_get_v1 or batch_set_v1


class HostTensor:
    """As much of a CPU tensor as a backend asks for; `array` is NumPy's."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape = array.shape
        self.nbytes = array.nbytes
        self.dtype = f"torch.{array.dtype}"
        self.device = SimpleNamespace(type="cpu")

    def data_ptr(self) -> int:
        return self.array.ctypes.data

    def numel(self) -> int:
        return self.array.size

    def element_size(self) -> int:
        return self.array.itemsize

    def is_contiguous(self) -> bool:
        return True


class HostPool:
    """Layout page_first: [keys and values, tokens, layers, heads, size]."""

    layout = "page_first"
    storage_format_tag = None
    page_size = PAGE_TOKENS
    layer_num, head_num, head_dim = LAYERS, HEADS, HEAD_SIZE

    def __init__(self, array: np.ndarray) -> None:
        self.kv_buffer = HostTensor(array)
        self.dtype = self.kv_buffer.dtype
        self.size = PAGES * PAGE_TOKENS

    def get_page_buffer_meta(self, host_indices: Any) -> tuple[list[int], list[int]]:
        half_bytes = self.kv_buffer.nbytes // 2
        page_bytes = half_bytes // PAGES
        pointers = [
            self.kv_buffer.data_ptr() + half * half_bytes + int(first) // PAGE_TOKENS * page_bytes
            for first in host_indices[::PAGE_TOKENS]
            for half in range(2)
        ]
        return pointers, [page_bytes] * len(pointers)


def storage_config(world: World, rank: int) -> Any:
    """As HiCacheStorageConfig."""
    return SimpleNamespace(
        tp_rank=rank,
        tp_size=world.ranks,
        pp_rank=0,
        pp_size=1,
        attn_cp_rank=0,
        attn_cp_size=1,
        dcp_rank=0,
        dcp_size=1,
        dp_rank=0,
        is_mla_model=False,
        is_storage_writer=True,
        enable_storage_metrics=False,
        is_page_first_layout=True,
        model_name=world.name,
        extra_config={},
    )


@dataclass
class Notes:
    """Answers of a form that the engine does not take."""

    bad_answers: list[str] = field(default_factory=list)


class Engine:
    """One process a rank; a context manager."""

    def __init__(self, factory: Factory, *, name: str = "", ranks: int = 2) -> None:
        shape = (2, PAGES * PAGE_TOKENS, LAYERS, HEADS, HEAD_SIZE)
        self.arrays = [np.zeros(shape, np.float32) for _ in range(ranks)]
        self.world = World(name or new_name(), ranks, PAGE_TOKENS, self.arrays)
        self.connectors: Connectors = factory(self.world)
        self.notes = Notes()
        for worker, array in zip(self.connectors.workers, self.arrays, strict=True):
            pool = HostPool(array)
            worker.register_mem_pool_host(pool)
            for name_, arguments in (
                ("register_mem_host_pool_v2", (pool, "kv")),
                ("on_host_pools_registered", ()),
            ):
                getattr(worker, name_, lambda *_: None)(*arguments)
        self.connectors.ready()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.connectors.close()

    # The calls of one rank's storage threads.

    def exists(self, keys: Sequence[str], rank: int = 0) -> int:
        return self.connectors.workers[rank].batch_exists(list(keys), None)

    def found(self, keys: Sequence[str], rank: int = 0) -> int:
        """Asks for a while, until all are there: a store may be behind for a moment."""
        ask = lambda: self.exists(keys, rank) >= len(keys)  # noqa: E731
        try:
            until(ask, "the pages that were stored", bounds.WAIT_S)
        except AssertionError:
            return self.exists(keys, rank)
        return len(keys)

    def set(
        self, keys: Sequence[str], pages: Sequence[int], before: Sequence[str] = (), rank: int = 0
    ) -> list[bool]:
        extra = SimpleNamespace(prefix_keys=list(before), extra_info=None)
        worker = self.connectors.workers[rank]
        answers = worker.batch_set_v1(list(keys), indices(pages), extra)
        return self._answers("batch_set_v1", answers, len(keys))

    def get(self, keys: Sequence[str], pages: Sequence[int], rank: int = 0) -> list[bool]:
        worker = self.connectors.workers[rank]
        answers = worker.batch_get_v1(list(keys), indices(pages), None)
        return self._answers("batch_get_v1", answers, len(keys))

    def _answers(self, call: str, answers: Any, count: int) -> list[bool]:
        is_list = isinstance(answers, list) and len(answers) == count
        if not is_list or not all(isinstance(answer, bool) for answer in answers):
            self.notes.bad_answers.append(f"{call} of {count} keys: {answers!r}")
        return [bool(answer) for answer in (answers or [False] * count)[:count]]

    # The host pool.

    def fill(self, keys: Sequence[str], pages: Sequence[int], rank: int = 0) -> None:
        for key, page in zip(keys, pages, strict=True):
            self.page(page, rank)[:] = self.expected(key, rank)

    def page(self, number: int, rank: int = 0) -> np.ndarray:
        return self.arrays[rank][:, number * PAGE_TOKENS : (number + 1) * PAGE_TOKENS]

    def expected(self, key: str, rank: int = 0) -> np.ndarray:
        return contents(self.page(0).shape, key, rank)

    def wrong(self, keys: Sequence[str], pages: Sequence[int], rank: int = 0) -> list[int]:
        return [
            page
            for key, page in zip(keys, pages, strict=True)
            if not np.array_equal(self.page(page, rank), self.expected(key, rank))
        ]

    def stored(self, keys: Sequence[str], rank: int = 0) -> None:
        """A chain, from the pool's first pages, which are cleared afterwards."""
        pages = range(len(keys))
        self.fill(keys, pages, rank)
        until(lambda: all(self.set(keys, pages, rank=rank)), "a set of all pages")
        self.arrays[rank][:] = 0
        until(lambda: self.exists(keys, rank), "the first of the pages that were stored")


def chain(count: int, seed: str = "prompt") -> list[str]:
    """Keys of its pages: hexadecimal SHA-256, each over the one before."""
    keys, last = [], seed.encode()
    for number in range(count):
        last = hashlib.sha256(last + number.to_bytes(4, "little")).digest()
        keys.append(last.hex())
    return keys


def indices(pages: Sequence[int]) -> np.ndarray:
    """host_indices: of each token of the pages."""
    return np.concatenate([np.arange(PAGE_TOKENS) + page * PAGE_TOKENS for page in pages])
