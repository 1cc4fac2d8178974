"""The bytes of the engine's pages, by layer group: rows of uint8, one a page."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cairn.connector import Refusal
from cairn.connector.layout import BLOCK_BYTES_MAX, BLOCK_BYTES_MIN

V1_DIMENSIONS = 4  # [blocks, layers, keys and values, elements of a layer's half]


@dataclass(frozen=True)
class PageGroup:
    """rows: each [pages, bytes] of uint8; a page is its row in all of them, in order.

    The other fields are those of cairn.connector's BlockLayout that a namespace is made of.
    """

    rows: tuple[Any, ...]
    dtype: str
    fingerprint: str
    layers: int
    latent: bool  # one vector for keys and values: all ranks hold the same
    kv_heads: int = 0  # not told: a page is opaque
    head_size: int = 0

    def __post_init__(self) -> None:
        if not BLOCK_BYTES_MIN <= self.block_bytes <= BLOCK_BYTES_MAX:
            remedy = "a page has 4 KiB to 64 MiB over all layers; change tokens_per_block"
            raise Refusal("tokens_per_block", f"pages of {self.block_bytes} bytes", remedy)

    @property
    def block_bytes(self) -> int:
        return sum(row.shape[1] for row in self.rows)

    @property
    def pages(self) -> int:
        return self.rows[0].shape[0]


def of_tensor(tensor: Any) -> list[PageGroup]:
    """The one tensor of a cache with one pool."""
    shape = tuple(tensor.shape)
    contiguous = (
        tensor.is_contiguous() if hasattr(tensor, "is_contiguous") else tensor.flags.c_contiguous
    )
    if len(shape) != V1_DIMENSIONS or not contiguous:
        remedy = "expected a contiguous [blocks, layers, 1 or 2, elements]; this version is unknown"
        raise Refusal("kv_cache_tensor.shape", shape, remedy)
    dtype = str(tensor.dtype).removeprefix("torch.")
    fingerprint = f"{dtype}.trt1.{shape[1]}x{shape[2]}x{shape[3]}"
    rows = (_bytes_of(tensor),)
    return [PageGroup(rows, dtype, fingerprint, shape[1], latent=shape[2] == 1)]


def of_layout(layout: Any) -> list[PageGroup]:
    """The engine's KvCacheLayout: regions of bytes by layer group."""
    return [_group_of(group, str(getattr(layout, "dtype", "bytes"))) for group in layout.groups]


def _group_of(group: Any, dtype: str) -> PageGroup:
    if getattr(group, "replicated_regions", ()):
        remedy = "side caches that all ranks replicate cannot be shared yet"
        raise Refusal("replicated_regions", group.layer_group_id, remedy)
    buffers = [
        (buffer.layer_id, buffer.role, getattr(buffer, "expansion", 1), region.size)
        for region in group.regions
        for buffer in region.buffers
    ]
    words = f"{buffers}|{group.window_size}".encode()
    roles = {role for _, role, _, _ in buffers}
    dtype = dtype.removeprefix("torch.").rpartition(".")[2].lower()
    return PageGroup(
        tuple(_bytes_of(region.as_tensor()) for region in group.regions),
        dtype,
        f"{dtype}.trt2.{hashlib.sha256(words).hexdigest()[:32]}",
        len(group.layer_ids),
        latent=not any("value" in str(role).lower() for role in roles),
    )


def _bytes_of(tensor: Any) -> Any:
    """[blocks, bytes] without a copy: an array, also of a tensor in host memory, else a tensor."""
    if not hasattr(tensor, "data_ptr"):
        return tensor.view("uint8").reshape(tensor.shape[0], -1)
    import torch

    view = tensor.view(torch.uint8).reshape(tensor.shape[0], -1)
    return view.numpy() if tensor.device.type == "cpu" else view


def valid_runs(ids: Sequence[int]) -> list[tuple[int, int]]:
    """[begin, end) of the places that have a page: -1 marks those behind a sliding window."""
    runs, begin = [], None
    for place, page in enumerate([*ids, -1]):
        if page >= 0 and begin is None:
            begin = place
        elif page < 0 and begin is not None:
            runs.append((begin, place))
            begin = None
    return runs
