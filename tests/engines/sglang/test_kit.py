"""SGLang's own cache kit over Cairn: its real tree, controller and storage threads, no model."""

import json
import logging
import re
import signal
import time
import unittest
import uuid
from array import array
from hashlib import sha256
from unittest import mock

import pytest
import torch
from conftest import ROOT, extra_config
from sglang.kernels.ops.attention.fla.chunk_delta_h import CHUNK_SIZE
from sglang.srt.mem_cache.base_prefix_cache import CacheRequestHandle
from sglang.srt.mem_cache.memory_pool import MLATokenToKVPool
from sglang.srt.mem_cache.unified_cache.components.base import ComponentType
from sglang.srt.runtime_context import get_parallel
from sglang.srt.server_args import ServerArgs, set_global_server_args_for_scheduler
from sglang.test.kits.unified_radix_cache import fixtures
from sglang.test.kits.unified_radix_cache.config import CacheConfig
from sglang.test.kits.unified_radix_cache.storage import UnifiedRadixCacheStorageFixtures

fixtures.get_device = lambda *_, **__: "cpu"

PAGE_TOKENS = 16
LAYERS = 4
FULL = CacheConfig(
    page_size=PAGE_TOKENS,
    components=(ComponentType.FULL,),
    kv_size=4096,
    num_layers=LAYERS,
    full_attention_layer_ids=tuple(range(LAYERS)),
    max_context_len=4096,
)
SLIDING = CacheConfig(
    page_size=PAGE_TOKENS,
    components=(ComponentType.FULL, ComponentType.SWA),
    sliding_window_size=2 * PAGE_TOKENS,
    kv_size=2048,
    num_layers=LAYERS,
    full_attention_layer_ids=(1, 3),
    head_num=4,
    max_context_len=2048,
)
STATES = CacheConfig(
    page_size=64,
    components=(ComponentType.FULL, ComponentType.MAMBA),
    enable_mamba_extra_buffer=True,
    mamba_cache_size=60,
    kv_size=1024,
    max_context_len=1024,
)
# Of the host pool, with the copy that goes with it. page_head is for kernels in the real engine.
LAYOUTS = [
    ("page_first", "kernel"),
    ("layer_first", "kernel"),
    ("page_first_direct", "direct"),
    ("page_head", "kernel"),
]


class Kit(UnifiedRadixCacheStorageFixtures, unittest.TestCase):
    """One engine's cache after another on the same Cairn. `model` keeps the tests apart."""

    cfg = FULL

    def start(self, cluster, layout, io_backend, model, memory="cache", **more):
        fixture = fixtures.build_fixture(self.cfg)
        cache = fixture[0]
        override = get_parallel().override(tp_rank=0, tp_size=1, pp_rank=0, pp_size=1)
        override.__enter__()
        self.addCleanup(override.__exit__, None, None, None)
        digest = sha256(model.encode()).hexdigest()
        config = extra_config(cluster, model_digest=digest, **more)
        arguments = ServerArgs(
            model_path="dummy",
            device="cpu",
            page_size=self.cfg.page_size,
            enable_hierarchical_cache=True,
            hicache_io_backend=io_backend,
            hicache_mem_layout=layout,
            hicache_host_memory_mode=memory,
            hicache_write_policy="write_through",
            hicache_storage_backend="dynamic",
            hicache_storage_backend_extra_config=json.dumps(config),
            hicache_storage_prefetch_policy="wait_complete",
        )
        arguments._mamba_cache_chunk_size = max(CHUNK_SIZE, self.cfg.page_size)
        set_global_server_args_for_scheduler(arguments)
        cache.init_hicache(arguments, cache.cache_init_params)
        self.addCleanup(fixtures.drop_hicache_atexit_pin, cache)
        self.addCleanup(self.stop, cache)
        cache.write_through_threshold, cache.load_back_threshold = 1 << 30, 0
        controller = cache.cache_controller
        assert controller.mem_pool_host.layout == layout or self.cfg.has_swa
        controller.prefetch_capacity_limit = max(
            controller.prefetch_capacity_limit, controller.mem_pool_host.size
        )
        return fixture

    def stop(self, cache):
        if cache.cache_controller.enable_storage:
            cache.cache_controller.detach_storage_backend()

    def backend(self, cache):
        return cache.cache_controller.storage_backend

    def fill(self, fixture, tokens, seed):
        """Puts the prompt into the cache, with random KV; returns that."""
        cache, allocator, requests = fixture
        self._insert(cache, allocator, requests, tokens)
        node = fixtures.match_prefix(cache, tokens).last_device_node
        indices = cache.path_device_indices(node)
        generator = torch.Generator().manual_seed(seed)
        for buffer in self.buffers(allocator):
            shape = (len(indices), *buffer.shape[1:])
            buffer[indices] = torch.randn(shape, generator=generator).to(buffer.dtype)
        return self.kv(fixture, tokens)

    def buffers(self, allocator):
        pool = self._get_full_kv_pool(allocator)
        return [*pool.k_buffer, *pool.v_buffer]

    def kv(self, fixture, tokens):
        cache, allocator, _ = fixture
        node = fixtures.match_prefix(cache, tokens).last_device_node
        indices = cache.path_device_indices(node)
        return [buffer[indices].clone() for buffer in self.buffers(allocator)]

    def store(self, cache, tokens):
        self._backup_tree(cache)
        self._write_path_to_l3(cache, fixtures.match_prefix(cache, tokens).last_device_node)
        self._flush_l3_backups(cache)

    def fetch(self, fixture, tokens):
        """Tokens on the device, after what the engine lacks was asked for as its scheduler does."""
        cache, _, requests = fixture
        known = fixtures.match_prefix(cache, tokens)
        node, have = known.last_host_node, known.device_prefix_len + known.host_hit_length
        handle = CacheRequestHandle(uuid.uuid4().hex, 0)
        cache.prefetch_from_storage(
            handle,
            node,
            array("q", tokens[have:]),
            cache.get_last_hash_value(node),
            cache.get_prefix_hash_values(node),
        )
        self._run_prefetch_to_completion(cache, handle)
        if fixtures.match_prefix(cache, tokens).host_hit_length:
            self._load_back_through_admission(cache, requests, tokens)
            cache.ready_to_load_host_cache()
            cache.loading_check()
        return fixtures.match_prefix(cache, tokens).device_prefix_len


class LatentKit(Kit):
    """A pool of latent KV (MLA), which the kit does not build itself."""

    def start(self, *arguments, **more):
        with mock.patch.object(fixtures, "MHATokenToKVPool", latent_pool):
            return super().start(*arguments, **more)

    def buffers(self, allocator):
        return allocator.get_kvcache().kv_buffer


def latent_pool(*, head_num, head_dim, **arguments):
    return MLATokenToKVPool(kv_lora_rank=2 * head_dim, qk_rope_head_dim=head_dim, **arguments)


class SlidingKit(Kit):
    """Every second layer keeps a window only: SGLang asks and moves by its v2 calls."""

    cfg = SLIDING

    def window_kv(self, fixture, tokens):
        """Of the sliding layers, for the last window of the prompt."""
        cache, allocator, _ = fixture
        node = fixtures.match_prefix(cache, tokens).last_device_node
        indices = cache.path_device_indices(node)[-self.cfg.sliding_window_size :]
        rows = allocator.full_to_swa_index_mapping[indices].long()
        pool = allocator.get_kvcache().swa_kv_pool
        return [buffer[rows].clone() for buffer in (*pool.k_buffer, *pool.v_buffer)]


class StatesKit(Kit):
    """Most layers keep a state (Mamba), which is stored where a prompt ended and nowhere else."""

    cfg = STATES

    def states(self, fixture, tokens):
        """Of each kind, after these tokens: views [layer, ...]."""
        cache, _, requests = fixture
        node = fixtures.match_prefix(cache, tokens).last_device_node
        slot = int(fixtures.node_device_value(cache, node, ComponentType.MAMBA)[0])
        kept = requests.mamba_pool.mamba_cache
        return [state[:, slot] for state in (kept.temporal, *kept.conv)]


@pytest.fixture
def kit():
    test = Kit("start")
    yield test
    test.doCleanups()


@pytest.fixture
def stateful():
    test = StatesKit("start")
    yield test
    test.doCleanups()


@pytest.fixture
def latent():
    test = LatentKit("start")
    yield test
    test.doCleanups()


@pytest.fixture
def sliding():
    test = SlidingKit("start")
    yield test
    test.doCleanups()


@pytest.fixture
def model():
    return uuid.uuid4().hex


def equal(got, want, tokens):
    return all(torch.equal(g[:tokens], w[:tokens]) for g, w in zip(got, want, strict=True))


def test_the_page_for_operators_names_the_layouts_that_run_here():
    page = (ROOT / "docs" / "engines" / "sglang.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| `--hicache-mem-layout`"))
    assert re.findall(r"`(\w+)`", row) == [layout for layout, _ in LAYOUTS]


def all_layouts(test):
    return pytest.mark.parametrize(("layout", "io_backend"), LAYOUTS)(test)


@all_layouts
def test_a_fresh_engine_restores_each_bit(kit, cluster, model, layout, io_backend):
    tokens = kit._make_seq(1, 200)  # SGLang moves 128 pages at a time
    first = kit.start(cluster, layout, io_backend, model)
    want = kit.fill(first, tokens, seed=1)
    kit.store(first[0], tokens)
    second = kit.start(cluster, layout, io_backend, model)
    assert kit.fetch(second, tokens) == len(tokens)
    assert equal(kit.kv(second, tokens), want, len(tokens))
    counts = kit.backend(second[0]).statistics()
    assert (counts["lookups"], counts["lookup_hit_blocks"]) == (1, 200)
    assert counts["loaded_blocks"] == 200


@pytest.mark.parametrize(("layout", "io_backend"), LAYOUTS[:3])  # MLA has no heads
def test_a_fresh_engine_restores_each_bit_of_latent_kv(latent, cluster, model, layout, io_backend):
    tokens = latent._make_seq(1, 200)
    first = latent.start(cluster, layout, io_backend, model)
    want = latent.fill(first, tokens, seed=1)
    latent.store(first[0], tokens)
    second = latent.start(cluster, layout, io_backend, model)
    assert latent.backend(second[0])._config.is_mla_model
    assert latent.fetch(second, tokens) == len(tokens)
    assert equal(latent.kv(second, tokens), want, len(tokens))


@all_layouts
def test_another_layout_is_another_namespace(kit, cluster, model, layout, io_backend):
    """Its pages have the same hashes, and other bytes."""
    tokens = kit._make_seq(1, 8)
    first = kit.start(cluster, layout, io_backend, model)
    kit.fill(first, tokens, seed=1)
    kit.store(first[0], tokens)
    for other, other_backend in LAYOUTS:
        fixture = kit.start(cluster, other, other_backend, model)
        assert kit.fetch(fixture, tokens) == (len(tokens) if other == layout else 0)


def test_a_chain_that_grew_by_pieces_is_one_chain(kit, cluster, model):
    tokens = kit._make_seq(1, 90)
    first = kit.start(cluster, "page_first", "kernel", model)
    for pages in (5, 40, 41, 90):  # within a run of Cairn's, over its end, one page, over two ends
        kit.fill(first, tokens[: pages * PAGE_TOKENS], seed=pages)
        kit.store(first[0], tokens[: pages * PAGE_TOKENS])
    second = kit.start(cluster, "page_first", "kernel", model)
    assert kit.fetch(second, tokens) == len(tokens)


def test_an_engine_that_has_the_head_asks_for_the_tail_only(kit, cluster, model):
    tokens = kit._make_seq(1, 60)
    first = kit.start(cluster, "page_first", "kernel", model)
    want = kit.fill(first, tokens, seed=1)
    kit.store(first[0], tokens)
    second = kit.start(cluster, "page_first", "kernel", model)
    head = 13 * PAGE_TOKENS  # not where a run of Cairn's begins
    assert kit.fetch(second, tokens[:head]) == head
    assert kit.fetch(second, tokens) == len(tokens)
    assert equal(kit.kv(second, tokens), want, len(tokens))
    counts = kit.backend(second[0]).statistics()
    assert counts["loaded_blocks"] == 60


def test_a_page_that_came_after_its_first_lookup_is_found(kit, cluster, model):
    """One page, in the middle of a chain: nothing may remember that it was absent."""
    tokens = kit._make_seq(1, 14)
    head = 13 * PAGE_TOKENS
    writer = kit.start(cluster, "page_first", "kernel", model)
    kit.fill(writer, tokens[:head], seed=1)
    kit.store(writer[0], tokens[:head])
    reader = kit.start(cluster, "page_first", "kernel", model)
    assert kit.fetch(reader, tokens[:head]) == kit.fetch(reader, tokens) == head
    kit.fill(writer, tokens, seed=1)
    kit.store(writer[0], tokens)
    assert kit.fetch(reader, tokens) == len(tokens)


@all_layouts
def test_injected_faults_cost_pages_and_never_bytes(
    kit, cluster, model, layout, io_backend, monkeypatch
):
    """SGLang's own injector, around our backend."""
    first = kit.start(cluster, layout, io_backend, model)
    prompts = [kit._make_seq(1 + 10_000 * i, 10) for i in range(12)]
    want = [kit.fill(first, tokens, seed=i) for i, tokens in enumerate(prompts)]
    for tokens in prompts:
        kit.store(first[0], tokens)
    monkeypatch.setenv("SGLANG_TEST_HICACHE_BACKEND_RANDOM_DELAY", "0.02")
    monkeypatch.setenv("SGLANG_TEST_HICACHE_BACKEND_RANDOM_FAILURE", "0.3")
    second = kit.start(cluster, layout, io_backend, model)
    assert "Injector" in type(kit.backend(second[0])).__name__
    restored = 0
    for tokens, kv in zip(prompts, want, strict=True):
        count = kit.fetch(second, tokens)
        assert count % PAGE_TOKENS == 0
        if count:
            assert equal(kit.kv(second, tokens), kv, count)
        restored += count
    assert 0 < restored < sum(map(len, prompts))


def test_while_cairn_is_frozen_a_lookup_ends_in_time_and_later_ones_at_once(
    kit, own_cluster, model
):
    tokens = kit._make_seq(1, 20)
    first = kit.start(own_cluster, "page_first", "kernel", model)
    want = kit.fill(first, tokens, seed=1)
    kit.store(first[0], tokens)
    limits = {"lookup_ms": 300, "load_ms": 300}
    second = kit.start(own_cluster, "page_first", "kernel", model, **limits)
    backend = kit.backend(second[0])
    keys = kit._all_page_hashes(first[0], fixtures.match_prefix(first[0], tokens).last_device_node)
    own_cluster.freeze()
    seconds = lookups_s(backend, keys, 6)
    own_cluster.process.send_signal(signal.SIGCONT)
    assert max(seconds) < 3 and min(seconds[3:]) < 0.05, seconds
    assert backend.statistics()["miss_circuit_open_blocks"] > 0
    until = time.monotonic() + 60
    while kit.fetch(second, tokens) < len(tokens):
        assert time.monotonic() < until, "it never came back"
        time.sleep(0.05)
    assert equal(kit.kv(second, tokens), want, len(tokens))


def lookups_s(backend, keys, count):
    """How long each of so many that find nothing takes."""
    seconds = []
    for _ in range(count):
        begin = time.monotonic()
        assert backend.batch_exists(keys) == 0
        assert not any(backend.batch_get_v1(keys, torch.arange(PAGE_TOKENS * len(keys))))
        seconds.append(time.monotonic() - begin)
    return seconds


def test_without_cairn_an_engine_starts_and_misses_at_once(kit, cluster, model):
    fixture = kit.start(cluster, "page_first", "kernel", model, coordinators="127.0.0.1:9")
    tokens = kit._make_seq(1, 8)
    kit.fill(fixture, tokens, seed=1)
    kit.store(fixture[0], tokens)
    backend = kit.backend(fixture[0])
    node = fixtures.match_prefix(fixture[0], tokens).last_device_node
    seconds = lookups_s(backend, kit._all_page_hashes(fixture[0], node), 20)
    assert max(seconds) < 1, seconds
    assert backend.statistics()["miss_no_coordinator_blocks"] > 0


def test_without_the_prefix_keys_nothing_is_stored_and_the_log_says_why(
    kit, cluster, model, caplog
):
    tokens = kit._make_seq(1, 8)
    options = {"hicache_storage_pass_prefix_keys": False}
    fixture = kit.start(cluster, "page_first", "kernel", model, **options)
    kit.fill(fixture, tokens, seed=1)
    with caplog.at_level(logging.ERROR, "cairn"):
        kit.store(fixture[0], tokens)
    complaints = [r for r in caplog.records if "hicache_storage_pass_prefix_keys" in r.message]
    assert len(complaints) == 1
    other = kit.start(cluster, "page_first", "kernel", model)
    assert kit.fetch(other, tokens) == 0


def test_what_was_cleared_is_not_found_again(kit, cluster, model):
    tokens = kit._make_seq(1, 8)
    fixture = kit.start(cluster, "page_first", "kernel", model)
    kit.fill(fixture, tokens, seed=1)
    kit.store(fixture[0], tokens)
    keys = kit._all_page_hashes(
        fixture[0], fixtures.match_prefix(fixture[0], tokens).last_device_node
    )
    backend = kit.backend(fixture[0])
    assert backend.batch_exists(keys) == 8
    assert fixture[0].cache_controller.clear_storage_backend()
    assert backend.batch_exists(keys) == 0
    kit.store(fixture[0], tokens)
    assert backend.batch_exists(keys) == 8


def test_after_detach_the_pool_is_nobodys(kit, cluster, model):
    tokens = kit._make_seq(1, 8)
    fixture = kit.start(cluster, "page_first", "kernel", model)
    kit.fill(fixture, tokens, seed=1)
    kit.store(fixture[0], tokens)
    backend = kit.backend(fixture[0])
    fixture[0].cache_controller.detach_storage_backend()
    assert backend.batch_exists(["00" * 32]) == 0
    assert backend.batch_get_v1(["00" * 32], torch.arange(PAGE_TOKENS)) == [False]
    assert backend.batch_set_v1(["00" * 32], torch.arange(PAGE_TOKENS)) == [False]
    backend.close()


def test_a_sliding_window_model_restores_both_of_its_pools(sliding, cluster, model):
    tokens = sliding._make_seq(1, 12)
    first = sliding.start(cluster, "page_first", "kernel", model)
    want = sliding.fill(first, tokens, seed=1)
    pool = first[1].get_kvcache().swa_kv_pool
    for i, buffer in enumerate((*pool.k_buffer, *pool.v_buffer)):
        buffer[:] = torch.randn(buffer.shape, generator=torch.Generator().manual_seed(i))
    window = sliding.window_kv(first, tokens)
    sliding.store(first[0], tokens)
    second = sliding.start(cluster, "page_first", "kernel", model)
    assert sliding.fetch(second, tokens) == len(tokens)
    assert equal(sliding.kv(second, tokens), want, len(tokens))
    assert equal(sliding.window_kv(second, tokens), window, sliding.cfg.sliding_window_size)


def test_without_its_window_a_sliding_window_model_restores_nothing(sliding, cluster, model):
    """The window was never stored: its pages alone are worth nothing."""
    tokens = sliding._make_seq(1, 12)
    first = sliding.start(cluster, "page_first", "kernel", model)
    sliding.fill(first, tokens, seed=1)
    backend = sliding.backend(first[0])
    backend.batch_set_v2 = lambda transfers, extra_info=None: {t.name: [] for t in transfers}
    sliding.store(first[0], tokens)
    second = sliding.start(cluster, "page_first", "kernel", model)
    assert sliding.fetch(second, tokens) == 0
    counts = sliding.backend(second[0]).statistics()
    assert counts["lookup_hit_blocks"] == 12 and counts["loaded_blocks"] == 0


def test_an_engine_whose_host_memory_is_a_buffer_only_restores_each_bit(kit, cluster, model):
    tokens = kit._make_seq(1, 40)
    first = kit.start(cluster, "page_first", "kernel", model, memory="buffer_only")
    want = kit.fill(first, tokens, seed=1)
    kit._buffer_backup_and_wait(first[0], fixtures.match_prefix(first[0], tokens).last_device_node)
    second = kit.start(cluster, "page_first", "kernel", model, memory="buffer_only")
    assert kit.fetch(second, tokens) == len(tokens)
    assert equal(kit.kv(second, tokens), want, len(tokens))


def test_sglang_gets_its_metrics(kit, cluster, model):
    tokens = kit._make_seq(1, 8)
    fixture = kit.start(cluster, "page_first", "kernel", model)
    backend = kit.backend(fixture[0])
    assert backend.get_stats() is None
    backend._config.enable_storage_metrics = True
    kit.fill(fixture, tokens, seed=1)
    kit.store(fixture[0], tokens)
    stats = backend.get_stats()
    assert set(stats.backup_pgs) == {8} and min(stats.backup_bandwidth) > 0
    assert backend.get_stats().backup_pgs == []


def test_when_cairn_dies_lookups_end_in_time_and_then_at_once(kit, own_cluster, model):
    tokens = kit._make_seq(1, 20)
    fixture = kit.start(own_cluster, "page_first", "kernel", model, lookup_ms=500, load_ms=500)
    kit.fill(fixture, tokens, seed=1)
    kit.store(fixture[0], tokens)
    backend = kit.backend(fixture[0])
    node = fixtures.match_prefix(fixture[0], tokens).last_device_node
    keys = kit._all_page_hashes(fixture[0], node)
    own_cluster.process.kill()
    own_cluster.process.wait()
    seconds = lookups_s(backend, keys, 20)
    assert max(seconds) < 3 and min(seconds[5:]) < 0.05, seconds


def test_a_model_with_states_restores_its_pages_and_the_state_behind_them(stateful, cluster, model):
    tokens = stateful._make_seq(1, 4)
    first = stateful.start(cluster, "page_first", "kernel", model)
    want = stateful.fill(first, tokens, seed=1)
    generator = torch.Generator().manual_seed(2)
    for state in stateful.states(first, tokens):
        state[:] = torch.randn(state.shape, generator=generator).to(state.dtype)
    states = [state.clone() for state in stateful.states(first, tokens)]
    stateful.store(first[0], tokens)
    second = stateful.start(cluster, "page_first", "kernel", model)
    assert stateful.fetch(second, tokens) == len(tokens)
    assert equal(stateful.kv(second, tokens), want, len(tokens))
    assert all(map(torch.equal, stateful.states(second, tokens), states))
