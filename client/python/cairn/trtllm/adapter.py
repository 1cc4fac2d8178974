"""The two classes that TensorRT-LLM makes: the scheduler on rank 0, a worker on every rank."""

import logging
import os
import time
import weakref
from collections.abc import Sequence
from typing import Any

import tensorrt_llm

try:
    from tensorrt_llm._torch.pyexecutor.connectors.kv_cache_connector import (
        KvCacheConnectorScheduler,
        KvCacheConnectorWorker,
    )
except ImportError:  # up to 1.2
    from tensorrt_llm._torch.pyexecutor.kv_cache_connector import (
        KvCacheConnectorScheduler,
        KvCacheConnectorWorker,
    )

from cairn.connector import Refusal, Statistics
from cairn.trtllm import identity, pages
from cairn.trtllm.chains import Roots
from cairn.trtllm.metadata import Step
from cairn.trtllm.scheduler_side import SchedulerSide
from cairn.trtllm.settings import Settings
from cairn.trtllm.worker_side import WorkerSide

logger = logging.getLogger("cairn")

REPORT_S = 60.0  # the engine has no metrics for connectors
# What this process's worker registered: rank 0 has the scheduler beside it.
_registered: list[pages.PageGroup] = []


class CairnWorker(KvCacheConnectorWorker):
    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        self._settings = Settings.parse(os.environ)
        self._ranks = identity.tensor_ranks(llm_args)
        self._rank_number = _rank_number()
        self._identity = _identity_of(llm_args, self._settings)
        self._statistics = Statistics()
        self._side: WorkerSide | None = None

    def register_kv_caches(self, kv_cache_tensor: Any) -> None:
        self._register(pages.of_tensor(kv_cache_tensor))

    def register_kv_cache_layout(self, layout: Any) -> None:
        self._register(pages.of_layout(layout))

    def _register(self, groups: Sequence[pages.PageGroup]) -> None:
        rank = identity.rank_of(self._rank_number, self._ranks, groups)
        self._side = WorkerSide(
            groups,
            identity.namespaces_of(self._identity, groups, rank),
            rank.writes,
            self._settings.options,
            self._settings.staging_bytes,
            self._statistics,
        )
        weakref.finalize(self, self._side.close)
        _registered[:] = groups

    def start_load_kv(self, stream: Any) -> None:
        self._side.start(self.get_connector_meta(), stream)

    def wait_for_layer_load(self, layer_idx: int, stream: Any) -> None:
        """Loads are asynchronous: the engine parks their requests."""

    def save_kv_layer(self, layer_idx: int, stream: Any) -> None:
        """Whole pages are saved after the pass."""

    def wait_for_save(self, stream: Any) -> None:
        self._side.save(stream)

    def get_finished(
        self, finished_gen_req_ids: list[int], started_loading_req_ids: list[int]
    ) -> tuple[list[int], list[int]]:
        return self._side.finished(finished_gen_req_ids, started_loading_req_ids)

    def statistics(self) -> dict[str, int]:
        return self._statistics.totals()

    def shutdown(self) -> None:
        if self._side is not None:
            self._side.close()


class CairnScheduler(KvCacheConnectorScheduler):
    def __init__(self, llm_args: Any) -> None:
        super().__init__(llm_args)
        self._settings = Settings.parse(os.environ)
        self._ranks = identity.tensor_ranks(llm_args)
        self._identity = _identity_of(llm_args, self._settings)
        self._statistics = Statistics()
        roots = Roots(identity.lora_digests(self._settings.lora_adapters or {}))
        self._is_connected = False
        self._report_at = time.monotonic() + REPORT_S
        self._side = SchedulerSide(
            self._identity.tokens_per_block,
            roots,
            self._settings.query_wait_us,
            self._statistics,
        )
        weakref.finalize(self, self._side.close)

    def wait_for_initialization(self) -> None:
        self._connect()

    def _connect(self) -> None:
        """Versions without wait_for_initialization come here with their first request."""
        if _registered and not self._is_connected:
            namespaces = identity.all_namespaces(self._identity, _registered, self._ranks)
            self._side.connect(namespaces, self._settings.options)
            self._is_connected = True

    def get_num_new_matched_tokens(
        self, request: Any, num_computed_tokens: int
    ) -> tuple[int, bool]:
        self._connect()
        return self._side.matched(request, num_computed_tokens)

    def update_state_after_alloc(self, request: Any, block_ids: list[int]) -> None:
        self._side.allocated(request.request_id, [block_ids])

    def update_state_after_alloc_by_layer_group(
        self, request: Any, block_ids_by_layer_group: list[list[int]]
    ) -> None:
        self._side.allocated(request.request_id, block_ids_by_layer_group)

    def build_connector_meta(self, scheduler_output: Any) -> Step:
        if time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + REPORT_S
            logger.info("event=cairn_lookups %s", self._statistics.take())
        return self._side.step(scheduler_output)

    def request_finished(self, request: Any, cache_block_ids: list[int]) -> bool:
        self._side.finished(request.request_id)
        return False

    def request_finished_by_layer_group(
        self, request: Any, cache_block_ids_by_layer_group: list[list[int]]
    ) -> bool:
        return self.request_finished(request, [])

    def statistics(self) -> dict[str, int]:
        return self._statistics.totals()

    def shutdown(self) -> None:
        self._side.close()


def _identity_of(llm_args: Any, settings: Settings) -> Any:
    if not os.path.isfile(settings.options.tenant_file):
        remedy = "no such file on this machine"
        raise Refusal("CAIRN_TENANT_FILE", settings.options.tenant_file, remedy)
    version = str(getattr(tensorrt_llm, "__version__", "unknown"))
    return identity.identity_of(llm_args, settings.options, version)


def _rank_number() -> int:
    from tensorrt_llm._utils import mpi_rank

    return int(mpi_rank())
