"""What travels between the scheduler and the workers."""

from dataclasses import dataclass, field

from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorMetadata

from cairn.connector import Job
from cairn.namespace import Namespace
from cairn.vllm import shims


@dataclass
class StepMetadata(KVConnectorMetadata):
    """Scheduler to workers, each step. written: blocks that the engine or a load will write to."""

    loads: list[Job] = field(default_factory=list)
    saves: list[Job] = field(default_factory=list)
    written: list[int] = field(default_factory=list)


@dataclass
class Handshake(shims.HandshakeMetadata):
    """Worker to scheduler, once: the namespaces of its cache groups, and whether it stores."""

    namespaces: tuple[Namespace, ...]
    writes: bool


@dataclass
class Saved(shims.WorkerMetadata):
    """Workers to scheduler: of saves by request and end position, how many jobs reported, and the
    least position up to which all of them are stored."""

    reports: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)

    def add(self, key: tuple[str, int], jobs: int, position: int) -> None:
        jobs_before, position_before = self.reports.get(key, (0, position))
        self.reports[key] = (jobs_before + jobs, min(position_before, position))

    def aggregate(self, other: "Saved") -> "Saved":
        for key, (jobs, position) in other.reports.items():
            self.add(key, jobs, position)
        return self
