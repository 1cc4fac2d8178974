"""The scheduler's half against real daemons: answers, leases, ranks, and a cluster that is down."""

import time

import pytest
from cairn.connector import Lookups, Rank, Transfers
from cairn.connector.packed import PackedClient
from conftest import hashes
from connectors import answer, ended, make_engine, new_statistics, save_of, until


@pytest.fixture
def engines(cluster, request):
    """Two ranks."""
    name = request.node.nodeid
    return [make_engine(cluster, name, Rank(tensor=i, tensor_size=2)) for i in range(2)]


@pytest.fixture
def lookups(engines):
    asking = make_lookups(engines)
    yield asking
    asking.close()


def make_lookups(engines, statistics=None) -> Lookups:
    connects = [engine.connect for engine in engines]
    asking = Lookups(connects, engines[0].options, statistics or new_statistics())
    until(lambda: asking.is_connected)
    return asking


def store(engine, count: int) -> None:
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    moving.save(save_of("a", list(range(count))))
    assert ended(moving)[0].ok
    moving.close()


def test_only_what_all_ranks_hold_is_a_hit(engines, lookups):
    chain = hashes(12)
    assert answer(lookups, "cold", chain) == 0
    store(engines[0], 9)
    assert answer(lookups, "one rank", chain) == 0
    store(engines[1], 6)
    assert answer(lookups, "both ranks", chain) == 6


def test_the_answer_is_none_until_it_is_known_and_then_stays(engines, lookups):
    for engine in engines:
        store(engine, 4)
    assert lookups.ask("a", hashes(4)) is None
    assert answer(lookups, "a", hashes(4)) == 4
    assert {lookups.ask("a", hashes(4)) for _ in range(100)} == {4}


def test_no_hashes_are_no_hit_at_once(lookups):
    assert lookups.ask("a", []) == 0


def test_release_is_idempotent_and_asks_afresh(engines, lookups):
    assert answer(lookups, "a", hashes(4)) == 0
    lookups.release("a")
    lookups.release("a")
    lookups.release("never asked")
    for engine in engines:
        store(engine, 4)
    assert answer(lookups, "a", hashes(4)) == 4


def test_an_answer_that_aged_is_asked_again(cluster):
    engine = make_engine(cluster, "aged", lease_ms=200)
    asking = make_lookups([engine])
    assert answer(asking, "a", hashes(4)) == 0
    store(engine, 4)
    until(lambda: asking.ask("a", hashes(4)) == 4, "a fresh answer")
    asking.close()


def test_released_before_it_was_known_holds_nothing(own_cluster, monkeypatch):
    engine = make_engine(own_cluster, "early release", lookup_ms=5000)
    store(engine, 4)
    asking = make_lookups([engine])
    released: list[int] = []
    monkeypatch.setattr(PackedClient, "release", lambda _, lease: released.append(lease))
    for i in range(20):
        asking.ask(str(i), hashes(4))
        asking.release(str(i))
    until(lambda: len(released) == 20, "the last lease's release")
    assert len(set(released)) == 20 and not asking._open
    asking.close()


def test_with_the_cluster_down_the_answer_is_zero_at_once(cluster):
    engine = make_engine(cluster, "down", coordinators="127.0.0.1:1", connect_ms=100)
    statistics = new_statistics()
    asking = Lookups([engine.connect], engine.options, statistics)
    times = []
    for i in range(200):
        begun = time.perf_counter()
        assert asking.ask(str(i), hashes(40)) == 0
        times.append(time.perf_counter() - begun)
    assert sorted(times)[100] < 1e-3
    assert statistics.totals()["miss_no_coordinator_blocks"] == 200
    asking.close()


def test_a_stopped_cluster_costs_a_few_deadlines_and_then_nothing(own_cluster):
    engine = make_engine(own_cluster, "stopped", lookup_ms=100)
    asking = make_lookups([engine])
    own_cluster.freeze()
    begun = time.monotonic()
    for i in range(3):
        assert answer(asking, f"slow {i}", hashes(4)) == 0
    assert time.monotonic() - begun < 3
    zeros = [asking.ask(f"fast {i}", hashes(4)) for i in range(50)]
    assert zeros.count(0) >= 48, "the breaker lets one through now and then"
    asking.close()


def test_more_questions_than_the_bound_are_answered_zero(own_cluster):
    engine = make_engine(own_cluster, "bound", lookups_max=4, lookup_ms=2000)
    asking = make_lookups([engine])
    own_cluster.freeze()
    answers = [asking.ask(str(i), hashes(4)) for i in range(10)]
    assert answers.count(None) <= 4 and answers[-1] == 0
    asking.close()


def test_after_closing_the_answer_is_zero(engines):
    asking = make_lookups(engines)
    asking.close()
    asking.close()
    assert asking.ask("a", hashes(3)) == 0
    asking.release("a")


def test_asking_costs_microseconds(engines, lookups):
    """The bar is 20 us per waiting request and step; here with a margin for a busy machine."""
    chain = hashes(500)
    answer(lookups, "a", chain)
    begun = time.process_time()
    for _ in range(1000):
        lookups.ask("a", chain)
    assert 1e6 * (time.process_time() - begun) / 1000 < 20
    begun = time.thread_time()
    for i in range(50):
        lookups.ask(f"new {i}", chain)
    assert 1e6 * (time.thread_time() - begun) / 50 < 60
