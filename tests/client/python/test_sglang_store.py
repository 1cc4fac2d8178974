"""A host pool's pages in Cairn, against real daemons."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import sglang_pools
from cairn.connector import Statistics
from cairn.connector.packed import connector
from cairn.sglang.identity import Model, namespace_of
from cairn.sglang.page_store import PageStore
from cairn.sglang.pages import PageLayout
from cairn.sglang.settings import Settings
from conftest import hashes
from daemons import running_cluster
from sglang_pools import PAGES, TWO_PAGES, LayerFirst, States, token_indices

CONFIG = SimpleNamespace(
    tp_rank=0,
    tp_size=1,
    pp_rank=0,
    pp_size=1,
    attn_cp_rank=0,
    attn_cp_size=1,
    is_mla_model=False,
)


class Engine:
    """One pool and its store; the pages of chain position i lie at page i of the pool."""

    def __init__(self, cluster, name, pool, **more):
        given = {
            "interface_v1": 1,
            "coordinators": cluster.coordinator,
            "tenant_file": cluster.tenant_file,
            # For a busy machine; the tests of limits give their own.
            "lookup_ms": 5000,
            "load_ms": 20_000,
            "save_ms": 20_000,
            **more,
        }
        settings = Settings.parse(given, {})
        self.pool, self.statistics = pool, Statistics()
        layout = PageLayout(pool, TWO_PAGES)
        namespace = namespace_of(CONFIG, Model(name, bytes(32)), "kv", layout, {})
        connect = connector(settings.options, namespace)
        self.pages = PageStore("kv", connect, layout, settings, self.statistics)

    def store(self, chain, first, end):
        return self.pages.store(chain[:first], chain[first:end], token_indices(range(first, end)))

    def fetch(self, chain, first, end):
        return self.pages.fetch(chain[first:end], token_indices(range(first, end)))


@pytest.fixture
def engines(cluster, request) -> Iterator:
    with contextlib.ExitStack() as closing:

        def make(make_pool=sglang_pools.page_first, on=cluster, **more):
            engine = Engine(on, request.node.nodeid, make_pool(), **more)
            closing.callback(engine.pages.close)
            assert engine.pages.wait_until_connected(10)
            return engine

        yield make


def fill(pool, seed=1):
    array = pool.kv_buffer.array
    array[:] = np.random.default_rng(seed).random(array.shape, np.float32)


@pytest.mark.parametrize("make_pool", [sglang_pools.page_first, LayerFirst, sglang_pools.latent])
def test_pages_come_back_as_they_were(engines, make_pool):
    chain = hashes(PAGES)
    writer, reader = engines(make_pool), engines(make_pool)
    fill(writer.pool)
    assert writer.store(chain, 0, PAGES) == [True] * PAGES
    assert reader.pages.leading(chain) == PAGES
    assert reader.fetch(chain, 0, PAGES) == [True] * PAGES
    assert np.array_equal(reader.pool.kv_buffer.array, writer.pool.kv_buffer.array)


def test_pages_of_several_tensors_come_back_as_they_were(engines):
    chain = hashes(PAGES)
    writer, reader = engines(States), engines(States)
    for tensor in (writer.pool.temporal, writer.pool.convolution):
        tensor.array[:] = np.random.default_rng(1).random(tensor.array.shape, np.float32)
    assert all(writer.store(chain, 0, PAGES))
    assert reader.pages.leading(chain) == PAGES
    assert all(reader.fetch(chain, 0, PAGES))
    assert np.array_equal(reader.pool.temporal.array, writer.pool.temporal.array)
    assert np.array_equal(reader.pool.convolution.array, writer.pool.convolution.array)


def test_a_lookup_answers_no_more_than_was_asked_and_no_hole(engines):
    chain = hashes(PAGES)
    engine = engines()
    assert engine.pages.leading([]) == 0
    assert engine.pages.leading(chain) == 0
    engine.store(chain, 0, 10)
    assert [engine.pages.leading(chain[:end]) for end in (1, 9, 10, 11)] == [1, 9, 10, 10]
    engine.store(chain, 32, 36)  # a run of its own, behind a hole
    assert engine.pages.leading(chain) == 10


@pytest.mark.parametrize("first", [1, 13, 31, 32, 33])
def test_a_lookup_may_begin_anywhere_in_a_chain(engines, first):
    chain = hashes(PAGES)
    engine = engines()
    assert engine.pages.leading(chain[first : first + 1]) == 0
    fill(engine.pool)
    assert all(engine.store(chain, 0, PAGES))
    want = engine.pool.kv_buffer.array.copy()
    assert engine.pages.leading(chain[first : first + 1]) == 1
    assert engine.pages.leading(chain[first:]) == PAGES - first
    engine.pool.kv_buffer.array[:, first:] = 0
    assert all(engine.fetch(chain, first, PAGES))
    assert np.array_equal(engine.pool.kv_buffer.array, want)


def test_a_page_that_was_absent_at_its_first_lookup_is_found_where_another_stored_it(
    engines, tmp_path
):
    """Runs lie on several reactors, and a lookup that begins within one cannot tell on which."""
    with running_cluster(tmp_path, "--node.reactors", "4") as wide:
        writer, reader = engines(on=wide), engines(on=wide)
        for salt in range(12):
            chain, window = hashes(14, salt), 1 + salt % 3
            asked = chain[14 - window :]
            assert reader.pages.leading(asked) == 0
            assert all(writer.store(chain, 0, 14))
            limit = time.monotonic() + 20  # the coordinators' index is a little behind
            while reader.pages.leading(asked) < window:
                assert time.monotonic() < limit, f"chain {salt}"
                time.sleep(0.01)
        writer.pages.close()
        reader.pages.close()


def test_a_chain_is_stored_by_pieces_of_any_length(engines):
    chain = hashes(PAGES)
    writer, reader = engines(), engines()
    for first, end in ((0, 5), (5, 32), (32, 33), (33, PAGES)):
        assert all(writer.store(chain, first, end))
    assert reader.pages.leading(chain) == PAGES


def test_a_tail_without_its_head_is_not_stored(engines):
    chain = hashes(PAGES)
    engine = engines()
    assert engine.store(chain, 5, 8) == [False] * 3
    assert engine.statistics.totals()["miss_parent_absent_blocks"] == 3


def test_what_is_there_already_counts_as_stored_also_when_rounded_otherwise(engines):
    chain = hashes(PAGES)
    one, other, reader = engines(), engines(), engines()
    fill(one.pool, seed=1)
    fill(other.pool, seed=2)
    assert all(one.store(chain, 0, 8)) and all(one.store(chain, 0, 8))
    assert all(other.store(chain, 0, 8))
    assert other.statistics.totals()["miss_conflict_blocks"] == 8
    assert reader.pages.leading(chain) == 8
    assert all(reader.fetch(chain, 0, 8))
    assert np.array_equal(reader.pool.kv_buffer.array[:, :8], one.pool.kv_buffer.array[:, :8])


def test_a_missing_page_is_false_among_those_that_came(engines):
    chain, other = hashes(PAGES), hashes(PAGES, salt=1)
    engine = engines()
    engine.store(chain, 0, 8)
    assert engine.pages.leading(chain) == 8
    wanted = [*chain[:3], other[3], *chain[4:8]]
    came = engine.pages.fetch(wanted, token_indices(range(8)))
    assert came == [True] * 3 + [False] + [True] * 4


def test_each_page_is_asked_for_by_itself(engines):
    chain = hashes(PAGES)
    engine = engines()
    for page in (2, 5, 6):  # as states of Mamba are stored: without a chain
        engine.pages.store((), [chain[page]], token_indices([page]))
    there = engine.pages.each(chain[:8])
    assert [page for page in range(8) if there[page]] == [2, 5, 6]


def test_four_threads_of_sglang_call_at_once(engines):
    engine, wrong = engines(), []

    def traffic(thread):
        chain, pages = hashes(8, salt=thread), range(8 * thread, 8 * thread + 8)
        indices = token_indices(pages)
        for _ in range(30):
            stored = engine.pages.store((), chain, indices)
            found = engine.pages.leading(chain)
            fetched = engine.pages.fetch(chain, indices)
            if not (all(stored) and found == 8 and all(fetched)):
                wrong.append((thread, stored, found, fetched))

    threads = [threading.Thread(target=traffic, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_a_lookup_found_is_held_until_it_was_fetched(engines):
    chain = hashes(PAGES)
    engine = engines()
    engine.store(chain, 0, PAGES)
    assert engine.pages.leading(chain) == PAGES
    assert len(engine.pages._holds) == 1
    engine.fetch(chain, 0, 32)
    assert len(engine.pages._holds) == 1
    engine.fetch(chain, 32, PAGES)
    assert len(engine.pages._holds) == 0


def test_a_frozen_cairn_costs_each_call_its_deadline_at_most_and_then_nothing(engines, own_cluster):
    chain = hashes(PAGES)
    engine = engines(on=own_cluster, lookup_ms=100, load_ms=400, save_ms=400)
    engine.store(chain, 0, 8)
    assert engine.pages.leading(chain) == 8
    own_cluster.freeze()
    seconds = []
    for call in (
        lambda: engine.fetch(chain, 0, 8),
        lambda: engine.store(chain, 8, 16),
        lambda: [engine.pages.leading(chain)],
    ) * 3:
        begin = time.monotonic()
        assert not any(call())
        seconds.append(time.monotonic() - begin)
    own_cluster.process.send_signal(signal.SIGCONT)
    assert max(seconds) < 3 and min(seconds[3:]) < 0.05, seconds
    limit = time.monotonic() + 60
    while engine.pages.leading(chain) < 8:
        assert time.monotonic() < limit, "it never came back"
        time.sleep(0.02)


def test_nothing_touches_the_pool_after_close(engines, own_cluster):
    chain = hashes(PAGES)
    engine = engines(on=own_cluster, load_ms=5000)
    fill(engine.pool)
    engine.store(chain, 0, 8)
    own_cluster.freeze()
    came = []
    thread = threading.Thread(target=lambda: came.extend(engine.fetch(chain, 0, 8)))
    thread.start()
    time.sleep(0.05)  # it is on its way, or not yet: both must end
    engine.pages.close()
    thread.join(10)
    assert not thread.is_alive() and not any(came)
    before = engine.pool.kv_buffer.array.copy()
    own_cluster.process.send_signal(signal.SIGCONT)
    assert engine.pages.leading(chain) == 0
    assert engine.fetch(chain, 0, 8) == engine.store(chain, 0, 8) == [False] * 8
    assert np.array_equal(engine.pool.kv_buffer.array, before)
