"""cairn.trtllm under a replay of the engine's order of calls, two ranks, over a real `cairn up`.

The rules of order are the conformance kit's (test_conformance_cairn.py); here is what is Cairn's
own: lost loads, bounds, latency, a cluster that is down.
"""

import signal
import statistics
import time

import cairn_trtllm
import pytest
from cairn.conformance.trtllm_engine import BLOCK_TOKENS, Engine
from cairn.conformance.trtllm_rules import BLOCKS, PROMPT
from cairn.trtllm.worker_side import LostLoad
from connectors import until


def page_bytes(engine: Engine) -> int:
    return engine.caches[0][0][0].nbytes


def test_a_load_that_is_lost_ends_the_step_and_says_so(own_cluster):
    with Engine(cairn_trtllm.factory(own_cluster, CAIRN_LOAD_MS="300")) as engine:
        engine.compute(PROMPT)
        engine.hit(PROMPT)
        own_cluster.freeze()
        with pytest.raises(LostLoad, match="blocks that Cairn held for it did not come"):
            until(lambda: engine.step() and False)
        own_cluster.process.send_signal(signal.SIGCONT)


def test_a_lost_load_that_nobody_waits_for_ends_quietly(own_cluster):
    with Engine(cairn_trtllm.factory(own_cluster, CAIRN_LOAD_MS="300")) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        own_cluster.freeze()
        engine.step()
        engine.finish(running)
        until(lambda: running.request.request_id in engine.step(), "the load's end")
        own_cluster.process.send_signal(signal.SIGCONT)


def test_staging_smaller_than_a_load_moves_it_in_parts(cluster):
    small = {"CAIRN_STAGING_BYTES": str(1 << 20)}
    prompt = list(range(30 * BLOCK_TOKENS + 1))
    with Engine(cairn_trtllm.factory(cluster, **small)) as engine:
        for worker in engine.connectors.workers:
            loads = worker._side._staging[0].loads
            loads.take(loads.free - 4)
            worker._side._staging[0].loads_max = 4
        engine.compute(prompt)
        running = engine.hit(prompt)
        engine.wait_for_load(running)
        assert running.offered == 30 * BLOCK_TOKENS
        assert not engine.wrong_pages(running, range(30))
        assert all(worker._side._staging[0].loads.free == 4 for worker in engine.connectors.workers)


def test_saves_beyond_the_staging_memory_are_skipped_and_counted(cluster):
    with Engine(cairn_trtllm.factory(cluster)) as engine:
        for worker in engine.connectors.workers:
            saves = worker._side._staging[0].saves
            saves.take(saves.free - 2)
        engine.compute(PROMPT)
        until(lambda: engine.step() or engine.connectors.workers[0]._side.is_idle)
        counts = engine.connectors.workers[0].statistics()
        assert counts["saved_blocks"] == 2 and counts["miss_overload_blocks"] == BLOCKS - 2
        assert engine.hit(PROMPT, blocks=2).offered == 2 * BLOCK_TOKENS


def test_local_hits_are_loaded_around(cluster):
    with Engine(cairn_trtllm.factory(cluster)) as engine:
        engine.compute(PROMPT)
        engine.hit(PROMPT)
        request = engine.request(PROMPT)
        computed = 2 * BLOCK_TOKENS
        assert engine.query(request, computed) == (BLOCKS - 2) * BLOCK_TOKENS
        assert engine.query(request, computed + 3) == 0, "a block that is begun is not replaced"
        assert engine.query(request, BLOCKS * BLOCK_TOKENS) == 0


def test_a_query_costs_microseconds(cluster, capsys):
    """500 us at most are waited for an answer that is not known; all else is our own work."""
    with Engine(cairn_trtllm.factory(cluster)) as engine:
        engine.compute(PROMPT)
        known, unknown = [], []
        until(lambda: engine.query(engine.request(PROMPT)), "an answer")
        for number in range(200):
            known.append(query_s(engine, PROMPT))
            unknown.append(query_s(engine, [9000 + number, *PROMPT * 10]))
        with capsys.disabled():
            print(
                f"\n  trtllm query: known {1e6 * statistics.median(known):.0f} us,"
                f" unknown 60 blocks {1e6 * statistics.median(unknown):.0f} us,"
                f" p99 {1e6 * sorted(unknown)[197]:.0f} us"
            )
        assert statistics.median(known) < 200e-6
        assert statistics.median(unknown) < 2e-3


def query_s(engine: Engine, prompt: list[int]) -> float:
    request = engine.request(prompt)
    begun = time.perf_counter()
    engine.query(request)
    return time.perf_counter() - begun


def test_without_waiting_a_prompt_is_known_the_second_time(cluster):
    with Engine(cairn_trtllm.factory(cluster, CAIRN_QUERY_WAIT_US="0")) as engine:
        engine.compute(PROMPT)
        first = engine.request(PROMPT)
        assert engine.query(first) == 0
        until(lambda: engine.query(engine.request(PROMPT)) == BLOCKS * BLOCK_TOKENS)


def test_with_the_cluster_down_the_engine_computes(cluster):
    down = {"CAIRN_COORDINATORS": "127.0.0.1:1", "CAIRN_CONNECT_MS": "5000"}

    def make(world):
        connectors = cairn_trtllm.factory(cluster, **down)(world)
        connectors.ready = lambda: None
        return connectors

    with Engine(make) as engine:
        times = [query_s(engine, [number, *PROMPT]) for number in range(50)]
        assert max(times) < 2, "a query waited for the connection"
        running = engine.compute(PROMPT)
        assert not engine.wrong_pages(running, range(BLOCKS))


def test_leases_are_let_go_when_the_last_asker_is_gone(cluster):
    with Engine(cairn_trtllm.factory(cluster)) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        side = engine.connectors.scheduler._side
        assert side._askers and side._lookups._questions
        engine.wait_for_load(running)
        engine.step()
        assert not side._askers and not side._lookups._questions
        engine.finish(running)
        assert not side._requests


def test_an_answer_that_aged_is_held_until_its_loads_have_ended(cluster):
    short = {"CAIRN_LEASE_MS": "600", "CAIRN_LOAD_MS": "300"}
    with Engine(cairn_trtllm.factory(cluster, **short)) as engine:
        engine.compute(PROMPT)
        engine.hit(PROMPT)
        side = engine.connectors.scheduler._side
        (first,) = side._askers

        def another() -> bool:
            request = engine.request(PROMPT)
            engine.query(request)
            known = side._requests[request.request_id].question
            engine.connectors.scheduler.request_finished(request, [])
            return known != first

        until(another, "a fresh question")
        assert first in side._lookups._questions, "its lease was let go under a load"
        assert set(side._askers) == {first}
