"""What is counted, through vLLM's own hooks: its log line and its Prometheus page."""

from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1.metrics import (
    KVConnectorPromMetrics,
    KVConnectorStats,
)

from cairn.connector.statistics import COUNTERS, MISS

HELP = {
    "lookups": "Requests whose prefix Cairn was asked for",
    "lookup_hit_blocks": "Leading blocks that all ranks were found to hold",
    "hit_tokens": "Prompt tokens whose blocks were loaded; the few that were lost included",
    "loaded_blocks": "Blocks loaded into the KV cache, over all ranks",
    "loaded_bytes": "Bytes loaded into the KV cache, over all ranks",
    "saved_blocks": "Blocks stored, over all ranks",
    "saved_bytes": "Bytes stored, over all ranks",
    "wrong_bytes_blocks": "Blocks refused because their checksum differed; none was used",
}


class CairnStats(KVConnectorStats):
    """data: counters by name, what came since the last report."""

    def reset(self) -> None:
        self.data = {}

    def aggregate(self, other: KVConnectorStats) -> KVConnectorStats:
        for name, count in other.data.items():
            self.data[name] = self.data.get(name, 0) + count
        return self

    def reduce(self) -> dict[str, int | float]:
        return {f"cairn_{name}": count for name, count in sorted(self.data.items())}

    def is_empty(self) -> bool:
        return not self.data


class CairnPromMetrics(KVConnectorPromMetrics):
    """vllm:cairn_<counter>, and vllm:cairn_missed_blocks by reason."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._counters = {
            name: self._counter_cls(
                name=f"vllm:cairn_{name}", documentation=HELP[name], labelnames=self._labelnames
            )
            for name in COUNTERS
        }
        self._missed = self._counter_cls(
            name="vllm:cairn_missed_blocks",
            documentation="Blocks that were not loaded or not stored, by reason",
            labelnames=[*self._labelnames, "reason"],
        )

    def observe(self, transfer_stats_data: dict[str, Any], engine_idx: int = 0) -> None:
        labels = self.per_engine_labelvalues[engine_idx]
        for name, count in transfer_stats_data.items():
            if name in self._counters:
                self._counters[name].labels(*labels).inc(count)
            else:
                reason = name.removeprefix(MISS).removesuffix("_blocks")
                self._missed.labels(*labels, reason).inc(count)
