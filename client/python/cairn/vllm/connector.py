"""The class that vLLM makes, once in its scheduler and once in each worker."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorBase_V1, KVConnectorRole

from cairn.connector import Options, Rank, Refusal, Statistics
from cairn.vllm import shims
from cairn.vllm.events import EventLog
from cairn.vllm.identity import identity_of
from cairn.vllm.metadata import StepMetadata
from cairn.vllm.metrics import CairnPromMetrics, CairnStats
from cairn.vllm.scheduler_side import SchedulerSide
from cairn.vllm.worker_side import WorkerSide

logger = logging.getLogger("cairn")


class CairnConnector(KVConnectorBase_V1, shims.SupportsHMA):
    """Best effort: whatever does not come in time, or not as it was stored, is computed.

    Refuses at the start, by name, what it could not serve rightly: see Refusal.
    """

    def __init__(self, vllm_config: Any, role: Any, kv_cache_config: Any = None) -> None:
        shims.construct(super().__init__, vllm_config, role, kv_cache_config)
        transfer = vllm_config.kv_transfer_config
        given = transfer.kv_connector_extra_config or {}
        options = Options.from_mapping(given, shims.environment())
        _check(vllm_config, options)
        _check_groups(shims.cache_groups(kv_cache_config, vllm_config), vllm_config.cache_config)
        identity = identity_of(vllm_config, options, shims.environment())
        self._cairn_config = kv_cache_config
        self._statistics = Statistics()
        self._bad_blocks: set[int] = set()
        self._scheduler: SchedulerSide | None = None
        self._worker: WorkerSide | None = None
        if role == KVConnectorRole.SCHEDULER:
            groups = len(shims.cache_groups(kv_cache_config, vllm_config))
            events = EventLog(identity.tokens_per_block) if _events(vllm_config) else None
            self._scheduler = SchedulerSide(
                options, self._statistics, identity.tokens_per_block, groups, events
            )
            self._scheduler.loads_are_wanted = transfer.is_kv_consumer
            self._scheduler.saves_are_wanted = transfer.is_kv_producer
        else:
            rank = _rank(vllm_config, kv_cache_config)
            self._worker = WorkerSide(options, identity, rank, self._statistics)
            self._several_groups = len(shims.cache_groups(kv_cache_config, vllm_config)) > 1

    @property
    def requires_kv_delivery(self) -> bool:
        return False

    def shutdown(self) -> None:
        for side in (self._scheduler, self._worker):
            if side is not None:
                side.close()

    # In a worker.

    def register_kv_caches(self, kv_caches: dict[str, Any]) -> None:
        caches = self._cairn_config, self._vllm_config
        self._worker.register(kv_caches, shims.cache_groups(*caches), shims.block_count(*caches))

    def get_handshake_metadata(self) -> Any:
        return self._worker.handshake

    def handle_preemptions(self, kv_connector_metadata: Any) -> None:
        """Runs before the step writes to any block; before vLLM 0.16 with the ids of requests."""
        is_step = isinstance(kv_connector_metadata, StepMetadata)
        self._worker.fence(kv_connector_metadata if is_step else None)

    def bind_connector_metadata(self, connector_metadata: Any) -> None:
        super().bind_connector_metadata(connector_metadata)
        self._worker.fence(connector_metadata)

    def start_load_kv(self, forward_context: Any, **_: Any) -> None:
        self._worker.load(self._get_connector_metadata())

    def wait_for_layer_load(self, layer_name: str) -> None:
        """Loads are asynchronous."""

    def save_kv_layer(self, layer_name: str, kv_layer: Any, attn_metadata: Any, **_: Any) -> None:
        """Whole blocks are saved after the step."""

    def wait_for_save(self) -> None:
        self._worker.save(self._get_connector_metadata())

    def get_transfer_results(self, finished_req_ids: set[str]) -> Any:
        return shims.transfer_results(*self._received())

    def get_finished(self, finished_req_ids: set[str]) -> tuple[set[str] | None, set[str] | None]:
        return None, self._received()[0]

    def _received(self) -> tuple[set[str], set[str]]:
        """What ended, and of that what failed as a whole: block ids name one group's blocks."""
        received = self._worker.received()
        if self._several_groups:
            return received.requests, received.failed
        self._bad_blocks |= received.bad_blocks
        return received.requests, set()

    def get_block_ids_with_load_errors(self) -> set[int]:
        bad, self._bad_blocks = self._bad_blocks, set()
        return bad

    def build_connector_worker_meta(self) -> Any:
        saved = self._worker.take_saved()
        return saved if _events(self._vllm_config) else None

    # In the scheduler.

    def set_xfer_handshake_metadata_pp_aware(self, metadata: dict[tuple[int, int], Any]) -> None:
        self._scheduler.connect(metadata.values())

    def set_xfer_handshake_metadata(self, metadata: dict[int, Any]) -> None:
        self._scheduler.connect(metadata.values())

    def get_num_new_matched_tokens(
        self, request: Any, num_computed_tokens: int
    ) -> tuple[int | None, bool]:
        return self._scheduler.matched(request, num_computed_tokens)

    def update_state_after_alloc(self, request: Any, blocks: Any, num_external_tokens: int) -> None:
        self._scheduler.allocated(request, blocks.get_block_ids(), num_external_tokens)

    def build_connector_meta(self, scheduler_output: Any) -> StepMetadata:
        return self._scheduler.step(scheduler_output)

    def update_connector_output(self, connector_output: Any) -> None:
        failed = getattr(connector_output, "failed_recving", None) or set()
        invalid = connector_output.invalid_block_ids or set()
        self._scheduler.received(connector_output.finished_recving or (), failed, invalid)
        saved = getattr(connector_output, "kv_connector_worker_meta", None)
        if saved is not None:
            self._scheduler.saved(saved)

    def request_finished(self, request: Any, block_ids: list[int]) -> tuple[bool, None]:
        """Its blocks may be given away at once: whoever writes to them waits for their saves."""
        self._scheduler.finished(request.request_id)
        return False, None

    def request_finished_all_groups(
        self, request: Any, block_ids: tuple[list[int], ...]
    ) -> tuple[bool, None]:
        return self.request_finished(request, [])

    def reset_cache(self) -> bool:
        self._scheduler.reset()
        logger.warning("event=cairn_reset: blocks are shared within this engine only from here on")
        return True

    def take_events(self) -> Iterable[Any]:
        return self._scheduler.events()

    # Metrics, in both.

    def get_kv_connector_stats(self) -> CairnStats | None:
        moved = self._statistics.take()
        return CairnStats(data=moved) if moved else None

    @classmethod
    def build_kv_connector_stats(cls, data: dict[str, Any] | None = None) -> CairnStats:
        return CairnStats(data=data or {})

    @classmethod
    def build_prom_metrics(cls, *arguments: Any) -> CairnPromMetrics:
        return CairnPromMetrics(*arguments)


def _check(vllm_config: Any, options: Options) -> None:
    transfer, parallel = vllm_config.kv_transfer_config, vllm_config.parallel_config
    if not Path(options.tenant_file).is_file():
        raise Refusal("tenant_file", options.tenant_file, "no such file on this machine")
    policy = getattr(transfer, "kv_load_failure_policy", "recompute")
    if policy != "recompute":
        remedy = 'a lost block would fail its request; set "kv_load_failure_policy": "recompute"'
        raise Refusal("kv_load_failure_policy", policy, remedy)
    for field in ("decode_context_parallel_size", "prefill_context_parallel_size"):
        if getattr(parallel, field, 1) > 1:
            raise Refusal(field, getattr(parallel, field), "sharded contexts cannot be shared yet")


def _check_groups(groups: Sequence[Any], cache: Any) -> None:
    """One hash per block: hashes are made for blocks of one size."""
    for group in groups:
        tokens = group.kv_cache_spec.block_size
        if tokens != cache.block_size:
            remedy = f"cache groups with blocks of other than {cache.block_size} tokens are unknown"
            raise Refusal("kv_cache_spec.block_size", tokens, remedy)
    if getattr(cache, "prefix_match_unit", None) not in (None, cache.block_size):
        remedy = f"leave it unset, or set it to the block size, {cache.block_size}"
        raise Refusal("prefix_match_unit", cache.prefix_match_unit, remedy)


def _events(vllm_config: Any) -> bool:
    events = vllm_config.kv_events_config
    return events is not None and events.enable_kv_cache_events


def _rank(vllm_config: Any, kv_cache_config: Any) -> Rank:
    from vllm.distributed.parallel_state import get_pp_group, get_tp_group

    tensor, pipeline = get_tp_group(), get_pp_group()
    return Rank(
        tensor.rank_in_group,
        tensor.world_size,
        pipeline.rank_in_group,
        pipeline.world_size,
        shims.replicas(kv_cache_config, vllm_config, tensor.world_size),
    )
