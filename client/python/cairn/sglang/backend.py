"""CairnHiCache: what SGLang calls. Needs SGLang; the work is in the modules beside it."""

import contextlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from sglang.srt.mem_cache.hicache_storage import (
    HiCacheStorage,
    HiCacheStorageConfig,
    HiCacheStorageExtraInfo,
    PoolHitPolicy,
    PoolTransfer,
    PoolTransferResult,
)

from cairn.connector.packed import connector
from cairn.connector.refusal import Refusal
from cairn.connector.statistics import Statistics
from cairn.sglang import hybrid
from cairn.sglang.identity import ANCHOR, Model, namespace_of
from cairn.sglang.page_store import HASH_BYTES, PageStore
from cairn.sglang.pages import PageLayout
from cairn.sglang.settings import Settings

logger = logging.getLogger("cairn")

GB = 1e9


class CairnHiCache(HiCacheStorage):
    """A host pool's pages in Cairn, one block each; one instance per rank. Four of SGLang's threads
    call it at once. Any doubt is a miss: SGLang then computes."""

    def __init__(self, storage_config: HiCacheStorageConfig, kwargs: dict[str, Any]) -> None:
        if storage_config.dcp_size > 1:
            raise Refusal("dcp_size", storage_config.dcp_size, "not with Cairn; use 1")
        self._config = storage_config
        self._settings = Settings.parse(storage_config.extra_config, os.environ)
        self._salt: dict[str, str] = {"quantization": _quantization()}
        self._model = Model.find(
            storage_config.model_name, _model_folder(), self._settings.options.model_digest
        )
        self._statistics = Statistics()
        self._metrics = _Metrics()
        self._pools: dict[str, Any] = {}
        self._stores: dict[str, PageStore] = {}
        self._is_logical = False
        self._has_complained = False
        self._is_open = False

    # SGLang tells its pools.

    def register_mem_pool_host(self, mem_pool_host: Any) -> None:
        super().register_mem_pool_host(mem_pool_host)
        self._is_logical = getattr(mem_pool_host, "kv_buffer", None) is None
        if not self._is_logical:
            self._add(ANCHOR, mem_pool_host)

    def register_mem_host_pool_v2(self, host_pool: Any, host_pool_name: Any) -> None:
        super().register_mem_host_pool_v2(host_pool, host_pool_name)
        if str(host_pool_name) != ANCHOR:
            self._add(str(host_pool_name), host_pool)

    def on_host_pools_registered(self) -> None:
        """Refusal: a pool that Cairn cannot serve; SGLang then does not start."""
        self._is_open = True
        for name, pool in self._pools.items():
            self._open(name, pool)
        wait_s = self._settings.options.connect_ms / 1e3
        for name, store in self._stores.items():
            if not store.wait_until_connected(wait_s):
                logger.warning("event=cairn_down pool=%s; computing, and trying again", name)

    # One pool.

    def batch_exists(
        self, keys: list[str], extra_info: HiCacheStorageExtraInfo | None = None
    ) -> int:
        store = self._stores.get(ANCHOR)
        return store.leading(_hashes(keys)) if store else 0

    def batch_get_v1(
        self,
        keys: list[str],
        host_indices: torch.Tensor,
        extra_info: HiCacheStorageExtraInfo | None = None,
    ) -> list[bool]:
        if self._is_logical:
            return [True] * len(keys)
        return self._fetch(ANCHOR, keys, host_indices)

    def batch_set_v1(
        self,
        keys: list[str],
        host_indices: torch.Tensor,
        extra_info: HiCacheStorageExtraInfo | None = None,
    ) -> list[bool]:
        if self._is_logical or not self._config.is_storage_writer:
            return [True] * len(keys)
        before = self._before(extra_info)
        if before is None:
            return [False] * len(keys)
        return self._store(ANCHOR, before, keys, host_indices)

    # Hybrid models: several pools.

    def batch_exists_v2(
        self,
        keys: list[str],
        pool_transfers: list[PoolTransfer] | None = None,
        extra_info: HiCacheStorageExtraInfo | None = None,
    ) -> PoolTransferResult:
        gating = [
            transfer
            for transfer in pool_transfers or []
            if transfer.hit_policy != PoolHitPolicy.BLOCK_GROUPS
        ]
        kv_pages, hits = self.batch_exists(keys), {}
        if self._is_logical and gating:
            kv_pages = len(keys)  # the other pools decide
        elif kv_pages:
            hits[ANCHOR] = kv_pages
        allowed = []
        for transfer in gating:
            lengths = self._restorable(keys[:kv_pages], transfer)
            allowed.append(lengths)
            if lengths:
                hits[transfer.name] = max(lengths)
        lengths = hybrid.restorable(kv_pages, allowed)
        return PoolTransferResult(lengths[-1] if lengths else 0, hits, lengths)

    def batch_get_v2(
        self,
        transfers: list[PoolTransfer],
        extra_info: HiCacheStorageExtraInfo | None = None,
    ) -> dict[str, list[bool]]:
        return {
            transfer.name: self._fetch(
                str(transfer.name), transfer.keys or [], transfer.host_indices
            )
            for transfer in transfers
        }

    def batch_set_v2(
        self,
        transfers: list[PoolTransfer],
        extra_info: HiCacheStorageExtraInfo | None = None,
    ) -> dict[str, list[bool]]:
        return {transfer.name: self._store_side(transfer, extra_info) for transfer in transfers}

    # The rest.

    def exists(self, key: str) -> bool:
        return self.batch_exists([key]) == 1

    def clear(self) -> bool:
        """What is stored so far is never found again from here; other engines keep it, and it ages
        out of Cairn."""
        self._salt["cleared"] = uuid.uuid4().hex
        stores, self._stores = self._stores, {}
        for store in stores.values():
            store.close()
        if self._is_open:
            self.on_host_pools_registered()
        return True

    def get_stats(self) -> Any:
        """SGLang's StorageMetrics of what moved since the last call."""
        return self._metrics.take() if self._config.enable_storage_metrics else None

    def statistics(self) -> dict[str, int]:
        """Our own counters: lookups, hits, and misses by reason."""
        return self._statistics.totals()

    def close(self) -> None:
        """On return no NIC touches the host pools. Idempotent."""
        stores, self._stores = self._stores, {}
        for store in stores.values():
            store.close()

    def _add(self, name: str, pool: Any) -> None:
        self._pools[name] = pool
        if self._is_open:
            self._open(name, pool)

    def _open(self, name: str, pool: Any) -> None:
        if name in self._stores:
            return
        layout = PageLayout(pool, torch.arange(2 * pool.page_size, dtype=torch.int64))
        namespace = namespace_of(self._config, self._model, name, layout, self._salt)
        connect = connector(self._settings.options, namespace)
        self._stores[name] = PageStore(name, connect, layout, self._settings, self._statistics)
        logger.info(
            "event=cairn_pool pool=%s layout=%s page_bytes=%d tensor_rank=%d/%d",
            name,
            layout.fingerprint,
            layout.block_bytes,
            self._config.tp_rank,
            self._config.tp_size,
        )

    def _fetch(self, name: str, keys: Sequence[str], host_indices: Any) -> list[bool]:
        store, pages = self._stores.get(name), _hashes(keys)
        if store is None or host_indices is None or len(pages) != len(keys) or not pages:
            return [False] * len(keys)
        with self._metrics.measured("prefetch", len(keys), store.layout.block_bytes):
            return store.fetch(pages, host_indices)

    def _store(
        self, name: str, before: Sequence[bytes], keys: Sequence[str], host_indices: Any
    ) -> list[bool]:
        store, pages = self._stores.get(name), _hashes(keys)
        if store is None or host_indices is None or len(pages) != len(keys) or not pages:
            return [False] * len(keys)
        with self._metrics.measured("backup", len(keys), store.layout.block_bytes):
            return store.store(before, pages, host_indices)

    def _store_side(
        self, transfer: PoolTransfer, extra_info: HiCacheStorageExtraInfo | None
    ) -> list[bool]:
        name, keys = str(transfer.name), transfer.keys or []
        if transfer.hit_policy == PoolHitPolicy.ALL_PAGES:
            before = self._before(extra_info)
            if before is None:
                return [False] * len(keys)
            return self._store(name, before, keys, transfer.host_indices)
        store = self._stores.get(name)
        is_state = transfer.hit_policy == PoolHitPolicy.TRAILING_PAGES
        if store is None or transfer.host_indices is None or not is_state:
            return [False] * len(keys)  # groups of pages: a second form of what is stored already
        # States without their predecessors: each begins a chain of its own.
        tokens = store.layout.tokens
        return [
            self._store(name, (), [key], transfer.host_indices[i * tokens : (i + 1) * tokens])[0]
            for i, key in enumerate(keys)
        ]

    def _restorable(self, keys: Sequence[str], transfer: PoolTransfer) -> set[int]:
        store, pages = self._stores.get(str(transfer.name)), _hashes(keys)
        if store is None:
            return set()
        if transfer.hit_policy == PoolHitPolicy.ALL_PAGES:
            return hybrid.all_pages(store.leading(pages))
        window = max(1, len(transfer.keys or []))
        first = max(0, len(pages) - max(hybrid.TRAILING_PAGES_MAX, window))
        return hybrid.trailing(store.each(pages[first:]), first, window)

    def _before(self, extra_info: HiCacheStorageExtraInfo | None) -> list[bytes] | None:
        """The pages before those of a set. None: SGLang does not tell."""
        prefix_keys = extra_info.prefix_keys if extra_info else None
        if prefix_keys is not None:
            before = _hashes(prefix_keys)
            return before if len(before) == len(prefix_keys) else None
        if not self._has_complained:
            self._has_complained = True
            logger.error(
                "event=cairn_stores_nothing: SGLang does not tell which pages come before those it "
                'stores; set "hicache_storage_pass_prefix_keys": true in '
                "--hicache-storage-backend-extra-config"
            )
        return None

    # Without interface_v1, which Settings insists on. Last: `set` hides the builtin from here on.

    def get(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError('set "interface_v1": 1 in the extra config')

    batch_get = set = batch_set = get


class _Metrics:
    """Pages and GB/s of each call, as SGLang's own dashboards want them."""

    KEPT_MAX = 4096  # calls between two readings; later ones are not counted

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[tuple[str, int, float]] = []

    @contextlib.contextmanager
    def measured(self, kind: str, pages: int, page_bytes: int) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        seconds = max(time.perf_counter() - begin, 1e-9)
        with self._lock:
            if len(self._calls) < self.KEPT_MAX:
                self._calls.append((kind, pages, pages * page_bytes / GB / seconds))

    def take(self) -> Any:
        from sglang.srt.observability.metrics_collector import StorageMetrics

        with self._lock:
            calls, self._calls = self._calls, []
        metrics = StorageMetrics()
        for kind, pages, gb_per_s in calls:
            getattr(metrics, f"{kind}_pgs").append(pages)
            getattr(metrics, f"{kind}_bandwidth").append(gb_per_s)
        return metrics


def _hashes(keys: Sequence[str]) -> list[bytes]:
    """Up to the first that is no page hash of SGLang's."""
    hashes = []
    for key in keys:
        try:
            page = bytes.fromhex(key)
        except ValueError:
            break
        if len(page) != HASH_BYTES:
            break
        hashes.append(page)
    return hashes


def _server_args() -> Any:
    """None: outside of a server, as in SGLang's own unit tests."""
    try:
        from sglang.srt.runtime_context import get_server_args

        return get_server_args()
    except (ImportError, LookupError, RuntimeError, ValueError, AttributeError):
        return None


def _quantization() -> str:
    return str(getattr(_server_args(), "quantization", None))


def _model_folder() -> Path | None:
    """Where the weights are, also when the hub's cache has them."""
    arguments = _server_args()
    path = getattr(arguments, "model_path", None)
    if not path:
        return None
    if Path(path).is_dir():
        return Path(path)
    try:
        from huggingface_hub import snapshot_download

        revision = getattr(arguments, "revision", None)
        return Path(snapshot_download(path, revision=revision, local_files_only=True))
    except (ImportError, OSError, ValueError):
        return None
