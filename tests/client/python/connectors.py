"""A small engine for tests of cairn.connector: its KV tensors, and how to wait for both halves."""

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cairn
import numpy as np
from cairn.connector import Group, Identity, Job, KvTensor, Options, Rank, Statistics, describe
from cairn.connector.packed import PackedClient, chain_base
from conftest import hashes
from patience import PATIENT

BLOCKS = 64
LAYERS = 3
WAIT_S = 30


@dataclasses.dataclass
class Engine:
    cache: Any  # by layer: [blocks, heads, tokens, size]; one array, or one of each layer's own
    layout: object
    namespace: cairn.Namespace
    options: Options

    def connect(self) -> PackedClient:
        given = self.options
        options = given.client_options()
        return PackedClient(given.coordinators, self.namespace, given.tenant_file, **options)

    def group(self) -> Group:
        return Group(self.layout, self.connect)


def make_engine(
    cluster, name: str, rank: Rank | None = None, apart: bool = False, **options
) -> Engine:
    cache = np.random.default_rng(5).random((LAYERS, BLOCKS, 2, 8, 64), np.float32)
    stride = tuple(step // 4 for step in cache.strides[1:])
    if apart:
        cache = list(np.pad(cache, ((0, 0), (0, 1), (0, 0), (0, 0), (0, 0)))[:, :BLOCKS])
    tensors = [
        KvTensor(str(i), layer.ctypes.data, layer.shape, stride, 4, "f32")
        for i, layer in enumerate(cache)
    ]
    layout = describe(tensors, blocks=BLOCKS, kv_heads=2, head_size=64)
    identity = Identity(
        model=name, model_digest=bytes(32), hash_scheme="test", tokens_per_block=8, salt={}
    )
    given = {"coordinators": cluster.coordinator, "tenant_file": cluster.tenant_file}
    given |= {**PATIENT, **options}
    namespace = identity.namespace(layout, rank or Rank())
    return Engine(cache, layout, namespace, Options.from_mapping(given, {}))


def load_of(owner: str, block_ids: list[int], first: int = 0, salt: int = 0) -> Job:
    chain = hashes(first + len(block_ids), salt)
    return Job(owner, 0, b"".join(chain[first:]), first, first, tuple(block_ids))


def save_of(owner: str, block_ids: list[int], first: int = 0, salt: int = 0) -> Job:
    base, chain = chain_base(first), hashes(first + len(block_ids), salt)
    return Job(owner, 0, b"".join(chain[base:]), base, first, tuple(block_ids))


def until(condition: Callable[[], object], what: str = "") -> object:
    limit = time.monotonic() + WAIT_S
    while not (result := condition()):
        assert time.monotonic() < limit, f"never came: {what or condition}"
        time.sleep(0.001)
    return result


def ended(transfers, count: int = 1) -> list:
    """The next jobs that end."""
    out: list = []
    until(lambda: out.extend(transfers.finished()) or len(out) >= count, "the jobs' end")
    return out


def answer(lookups, request_id: str, chain: list[bytes]) -> int:
    value = until(partial(_known, lookups, request_id, chain), "an answer")
    return value[0]


def _known(lookups, request_id: str, chain: list[bytes]) -> tuple[int] | None:
    blocks = lookups.ask(request_id, chain)
    return None if blocks is None else (blocks,)


def new_statistics() -> Statistics:
    return Statistics()
