"""LMCache's own storage manager, with its store and prefetch controllers, over Cairn."""

import contextlib
import json
import time
from argparse import Namespace

import pytest
import torch
from conftest import adapter_spec
from lmcache.v1.distributed.api import (
    GroupedObjectKeys,
    MemoryLayoutDesc,
    ObjectKey,
    PrefetchTaskSpec,
)
from lmcache.v1.distributed.config import (
    EvictionConfig,
    L1ManagerConfig,
    L1MemoryManagerConfig,
    StorageManagerConfig,
)
from lmcache.v1.distributed.l2_adapters.config import parse_args_to_l2_adapters_config
from lmcache.v1.distributed.storage_manager import StorageManager

WAIT_S = 30
ELEMENTS = 64 << 10
CHUNKS = 12
LAYOUT = MemoryLayoutDesc([torch.Size([ELEMENTS])], [torch.bfloat16])
KEYS = [ObjectKey(chunk_hash=bytes([i]) * 32, model_name="m", kv_rank=0) for i in range(CHUNKS)]


@contextlib.contextmanager
def manager(cluster, model, **params):
    """A process of LMCache, as far as its caches go."""
    spec = json.dumps(adapter_spec(cluster, model, lookup_ms=5000, **params))
    memory = L1MemoryManagerConfig(64 << 20, use_lazy=False, shm_name="")
    made = StorageManager(
        StorageManagerConfig(
            L1ManagerConfig(memory),
            EvictionConfig("LRU"),
            l2_adapter_config=parse_args_to_l2_adapters_config(Namespace(l2_adapter=[spec])),
        )
    )
    try:
        yield made
    finally:
        made.close()


def eventually(probe):
    limit = time.monotonic() + WAIT_S
    while not (answer := probe()) and time.monotonic() < limit:
        time.sleep(0.01)
    return answer


def store(storage, keys):
    reserved = storage.reserve_write(keys, LAYOUT)
    assert len(reserved) == len(keys)
    for key, thing in reserved.items():
        thing.tensor.fill_(key.chunk_hash[0] + 1)
    storage.finish_write(keys)
    ((_, adapter),) = storage.l2_adapters()
    wanted = 2 * ELEMENTS * len(keys)
    assert eventually(lambda: adapter.get_usage().total_bytes_used >= wanted)


def prefetch(storage, keys):
    """How many chunks came from where: all, and from Cairn."""
    group = GroupedObjectKeys(keys, 0, LAYOUT)
    handle = storage.submit_prefetch_task(PrefetchTaskSpec([group]))
    assert storage.wait_prefetch_status(handle, WAIT_S)
    result = storage.query_prefetch_status(handle)
    return sum(row.popcount() for row in result.hit_cells), result.l2_hit_count


def assert_right(storage, keys):
    with storage.read_prefetched_results(keys) as things:
        for key, thing in zip(keys, things, strict=True):
            assert (thing.tensor == key.chunk_hash[0] + 1).all()
    storage.finish_read_prefetched(keys)


def test_a_fresh_process_finds_what_another_stored(request, cluster):
    model = request.node.name
    with manager(cluster, model) as first:
        assert prefetch(first, KEYS) == (0, 0)
        store(first, KEYS)
    with manager(cluster, model) as second:
        assert prefetch(second, KEYS) == (CHUNKS, CHUNKS)
        assert_right(second, KEYS)


def test_a_prefix_ends_at_the_first_chunk_that_is_missing(request, cluster):
    model = request.node.name
    with manager(cluster, model) as first:
        store(first, KEYS[:5] + KEYS[6:])
    with manager(cluster, model) as second:
        assert prefetch(second, KEYS)[1] == 5
        assert_right(second, KEYS[:5])


@pytest.mark.parametrize("fault", ["turn_bits", "freeze"])
def test_a_fault_is_a_miss(request, own_cluster, fault):
    model = request.node.name
    with manager(own_cluster, model) as first:
        store(first, KEYS)
    with manager(own_cluster, model, load_ms=500) as second:
        getattr(own_cluster, fault)()
        hits, _ = prefetch(second, KEYS)
        assert hits == 0
