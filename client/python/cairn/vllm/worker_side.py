"""A worker's part: its tensors, its rank's namespaces, the jobs that it is told to do."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cairn.connector import (
    BlockLayout,
    Ended,
    Group,
    Identity,
    KvTensor,
    Options,
    Rank,
    Refusal,
    Statistics,
    Transfers,
    describe,
)
from cairn.connector.device import HostBlocks, TorchBlocks, stream_of
from cairn.connector.packed import connector
from cairn.connector.staged_transfers import StagedGroup, StagedTransfers
from cairn.vllm import shims
from cairn.vllm.metadata import Handshake, Saved, StepMetadata

# Whole blocks of these are a function of the tokens before their end, and nothing else.
KINDS = frozenset({"full_attention", "sliding_window", "mla_attention", "sliding_window_mla"})
STAGING_BYTES = 512 << 20  # of each rank with a GPU
SLIDING = frozenset({"sliding_window", "sliding_window_mla"})


@dataclass
class Received:
    """Requests whose loads ended; those that did not come whole, and the blocks that did not."""

    requests: set[str]
    failed: set[str]
    bad_blocks: set[int]


class WorkerSide:
    """Called by the worker alone. Owns the tensors' registration while it lives."""

    def __init__(
        self, options: Options, identity: Identity, rank: Rank, statistics: Statistics
    ) -> None:
        self._options = options
        self._identity = identity
        self._rank = rank
        self._statistics = statistics
        self._transfers: Transfers | StagedTransfers | None = None
        self._handshake: Handshake | None = None
        self._tensors: object = None
        self._slides = False
        self._outstanding: Counter[str] = Counter()  # loads by request
        self._failed: set[str] = set()
        self._saved = Saved()

    def register(
        self, tensors: Mapping[str, Any], cache_groups: Sequence[Any], blocks: int
    ) -> None:
        """Refusal: a layout, device or kind of cache that is not known here."""
        layouts = [_layout_of(group, tensors, blocks) for group in cache_groups]
        namespaces = tuple(
            self._identity.namespace(layout, self._rank, number)
            for number, layout in enumerate(layouts)
        )
        connects = [connector(self._options, namespace) for namespace in namespaces]
        kinds = {shims.spec_kind(group.kv_cache_spec) for group in cache_groups}
        self._slides = bool(kinds & SLIDING)
        self._tensors = tensors
        self._handshake = Handshake(namespaces, self._rank.writes)
        device = _device_of(tensors)
        if device.type == "cpu" and not self._options.staging_bytes:
            groups = [Group(*group) for group in zip(layouts, connects, strict=True)]
            self._transfers = Transfers(groups, self._options, self._statistics)
        else:
            blocks = [
                _blocks_of(group, tensors, layout)
                for group, layout in zip(cache_groups, layouts, strict=True)
            ]
            self._transfers = StagedTransfers(
                [StagedGroup(*group) for group in zip(layouts, blocks, connects, strict=True)],
                stream_of(next(iter(tensors.values()))),
                self._options.staging_bytes or STAGING_BYTES,
                self._options,
                self._statistics,
            )

    @property
    def handshake(self) -> Handshake | None:
        return self._handshake

    def fence(self, step: StepMetadata | None) -> None:
        """Before the engine writes to the blocks of the step; None: to any."""
        if self._transfers:
            self._transfers.fence(step.written if step else None)

    def load(self, step: StepMetadata) -> None:
        for job in step.loads:
            self._outstanding[job.owner] += 1
            self._transfers.load(job)

    def save(self, step: StepMetadata) -> None:
        if not self._rank.writes:
            return
        for job in step.saves:
            self._transfers.save(job, behind=self._slides)
        if self._slides:
            # Blocks that leave the window are given away without a word.
            self._transfers.fence([i for job in step.saves for i in job.block_ids])

    def received(self) -> Received:
        """Since the last call."""
        received = Received(set(), set(), set())
        for ended in self._transfers.finished() if self._transfers else ():
            if ended.is_load:
                self._take_load(ended, received)
            else:
                self._take_save(ended)
        return received

    def _take_load(self, ended: Ended, received: Received) -> None:
        owner = ended.job.owner
        if not ended.ok:
            self._failed.add(owner)
            received.bad_blocks.update(ended.bad_block_ids())
        self._outstanding[owner] -= 1
        if self._outstanding[owner] == 0:
            del self._outstanding[owner]
            received.requests.add(owner)
            if owner in self._failed:
                self._failed.remove(owner)
                received.failed.add(owner)

    def _take_save(self, ended: Ended) -> None:
        job = ended.job
        good = int(np.argmax(ended.reasons != 0)) if not ended.ok else len(job.block_ids)
        self._saved.add((job.owner, job.first + len(job.block_ids)), 1, job.first + good)

    def take_saved(self) -> Saved | None:
        saved, self._saved = self._saved, Saved()
        return saved if saved.reports else None

    def close(self) -> None:
        if self._transfers:
            self._transfers.close()


def _layout_of(group: Any, tensors: Mapping[str, Any], blocks: int) -> BlockLayout:
    kind = shims.spec_kind(group.kv_cache_spec)
    if kind not in KINDS:
        remedy = f"blocks of this kind of cache cannot be shared; known are {sorted(KINDS)}"
        raise Refusal("kv_cache_spec", kind, remedy)
    spec = group.kv_cache_spec
    spec = next(iter(getattr(spec, "kv_cache_specs", {}).values()), spec)
    described = [_describe(name, tensors[name], blocks) for name in _layers_of(group, tensors)]
    return describe(described, blocks=blocks, kv_heads=spec.num_kv_heads, head_size=spec.head_size)


def _layers_of(group: Any, tensors: Mapping[str, Any]) -> Iterable[str]:
    return tensors if group.layer_names is None else group.layer_names


def _device_of(tensors: Mapping[str, Any]) -> Any:
    """The one that all layers lie on."""
    (first, device), *others = ((name, tensor.device) for name, tensor in tensors.items())
    for name, other in others:
        if other != device:
            raise Refusal(f"{name}.device", str(other), f"{first} lies on {device}")
    return device


def _blocks_of(
    group: Any, tensors: Mapping[str, Any], layout: BlockLayout
) -> HostBlocks | TorchBlocks:
    own = [tensors[name] for name in _layers_of(group, tensors)]
    return HostBlocks(layout) if own[0].device.type == "cpu" else TorchBlocks(own, layout)


def _describe(name: str, tensor: Any, blocks: int) -> KvTensor:
    if not hasattr(tensor, "data_ptr"):
        raise Refusal(name, type(tensor).__name__, "a layer's cache must be one tensor")
    if tensor.device.type not in ("cpu", "cuda"):
        remedy = "the cache must lie in host memory or on a GPU of CUDA or ROCm"
        raise Refusal(f"{name}.device", str(tensor.device), remedy)
    return KvTensor(
        name=name,
        address=tensor.data_ptr(),
        shape=tuple(tensor.shape),
        stride=tuple(tensor.stride()),
        itemsize=tensor.element_size(),
        dtype=str(tensor.dtype).removeprefix("torch."),
        block_axis=shims.block_axis(tuple(tensor.shape), blocks),
    )
