"""KV events in vLLM's own classes: what Cairn came to hold, for routers that hear the engine."""

from dataclasses import dataclass
from typing import Any

from vllm.distributed.kv_events import BlockStored
from vllm.v1.core.kv_cache_utils import maybe_convert_block_hash

from cairn.vllm.metadata import Saved

MEDIUM = "EXTERNAL"  # routers drop media that they do not know
SAVES_MAX = 4096  # not yet reported; the oldest is forgotten: an event less


@dataclass
class _Save:
    request: Any
    first: int
    jobs: int = 0
    position: int = 1 << 62


class EventLog:
    """The scheduler's. A block counts as stored when every rank's part of it is."""

    def __init__(self, block_tokens: int) -> None:
        self.reports_per_save = 1
        self._block_tokens = block_tokens
        self._saves: dict[tuple[str, int], _Save] = {}
        self._events: list[BlockStored] = []

    def saving(self, request: Any, first: int, end: int) -> None:
        if len(self._saves) >= SAVES_MAX:
            del self._saves[next(iter(self._saves))]
        self._saves[request.request_id, end] = _Save(request, first)

    def saved(self, report: Saved) -> None:
        for key, (jobs, position) in report.reports.items():
            save = self._saves.get(key)
            if save is None:
                continue
            save.jobs += jobs
            save.position = min(save.position, position)
            if save.jobs >= self.reports_per_save:
                del self._saves[key]
                if save.position > save.first:
                    self._events.append(self._stored(save.request, save.first, save.position))

    def take(self) -> list[BlockStored]:
        events, self._events = self._events, []
        return events

    def _stored(self, request: Any, first: int, end: int) -> BlockStored:
        hashes = [maybe_convert_block_hash(request.block_hashes[i]) for i in range(first, end)]
        parent = maybe_convert_block_hash(request.block_hashes[first - 1]) if first > 0 else None
        lora = request.lora_request
        tokens = request.all_token_ids[first * self._block_tokens : end * self._block_tokens]
        return BlockStored(
            block_hashes=hashes,
            parent_block_hash=parent,
            token_ids=list(tokens),
            block_size=self._block_tokens,
            lora_id=lora.adapter_id if lora else None,
            medium=MEDIUM,
            lora_name=lora.name if lora else None,
        )
