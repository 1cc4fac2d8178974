"""A real vLLM: whatever happens to Cairn, greedy tokens are those of an engine without it.

The tests go in this order, with one engine; the first finds no cluster.
"""

import statistics
import threading

from cluster import until
from engines import PROMPTS
from steps import FULL, check, computed, cost_s, serves, warm


def test_without_a_cluster_it_computes_as_fast_as_ever(plain, engine, reference, capsys):
    plain_s, engine_s = cost_s([plain, engine], "down")
    plain.close()
    with capsys.disabled():
        print(f"\nvllm_cairn_down: {plain_s / engine_s:.2f} of the throughput without a connector")
    answer = warm(engine, "down")
    check(answer, reference, "down")
    assert "cairn_hit_tokens" not in answer.counters
    assert plain_s / engine_s > 0.8, "the bar is 0.98, on a quiet machine"


def test_cold_and_warm(started, engine, reference):
    cold = computed(engine, "basic")
    check(cold, reference, "basic")
    assert "cairn_hit_tokens" not in cold.counters
    again = warm(engine, "basic")
    check(again, reference, "basic")
    assert again.cached == FULL["basic"]
    assert again.counters["cairn_hit_tokens"] >= FULL["basic"][0], "from Cairn at least once"


def test_concurrent_requests_that_share_a_prefix(started, engine, reference):
    check(computed(engine, "many"), reference, "many")
    again = warm(engine, "many")
    check(again, reference, "many")
    assert again.cached == FULL["many"], "some loaded what others had just loaded"
    assert again.counters["cairn_hit_tokens"] > 0.25 * sum(FULL["many"])


def test_time_to_the_first_token_of_a_long_prefix(started, engine, reference, capsys):
    check(computed(engine, "long"), reference, "long")
    alone = []
    for prompt in PROMPTS["long"]:
        engine.forget()
        alone.append(engine.generate([prompt]))
    assert all(answer.counters["cairn_hit_tokens"] >= 6400 for answer in alone)
    without_s = min(reference["long"].ttft_s)
    with_s = statistics.median(answer.ttft_s[0] for answer in alone)
    with capsys.disabled():
        print(
            f"\ntime to first token of {len(PROMPTS['long'][0])} tokens:"
            f" {without_s * 1e3:.0f} ms computed, {with_s * 1e3:.0f} ms with Cairn"
        )
    assert with_s < without_s


def test_a_turned_bit_is_found_and_its_block_computed(started, engine, reference):
    computed(engine, "rot")
    started.turn_bits()
    engine.forget()
    answer = engine.generate(PROMPTS["rot"])
    assert answer.tokens == reference["rot"].tokens
    assert answer.counters["cairn_wrong_bytes_blocks"] > 0, "found and refused"
    until(lambda: _healed(engine, reference), "good blocks in place of the bad ones")


def _healed(engine, reference) -> bool:
    answer = warm(engine, "rot")
    assert answer.tokens == reference["rot"].tokens
    return "cairn_wrong_bytes_blocks" not in answer.counters and answer.cached == FULL["rot"]


def test_warm_after_the_node_restarted(started, engine, reference):
    computed(engine, "restart")
    started.stop_node()
    started.start_node()

    def hits() -> float:
        answer = warm(engine, "restart")
        check(answer, reference, "restart")
        return answer.counters.get("cairn_hit_tokens", 0)

    until(hits, "hits")


def in_mid_load(cluster, engine, case: str, act, undo):
    """The answer of a load during which act() was done; again, if the load was over by then."""
    for _ in range(5):
        serves(engine)
        computed(engine, case)
        answer = _while_it_loads(cluster, engine, case, act)
        if any(name.startswith("cairn_missed_blocks") for name in answer.counters):
            return answer
        undo()
    raise AssertionError("each of five loads was too quick")


def _while_it_loads(cluster, engine, case: str, act):
    engine.forget()
    served = cluster.metric("cairn_get_blocks_total")

    def watch() -> None:
        until(lambda: cluster.metric("cairn_get_blocks_total") > served, "a block that is served")
        act()

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer = engine.generate(PROMPTS[case])
    watcher.join()
    return answer


def test_a_node_that_stops_costs_a_deadline(started, engine, reference):
    answer = in_mid_load(started, engine, "slow", started.freeze_node, started.thaw_node)
    assert answer.tokens == reference["slow"].tokens
    assert answer.seconds < 1 + 3 * reference["slow"].seconds + 5
    started.thaw_node()
    check(engine.generate(PROMPTS["slow"]), reference, "slow")


def test_a_node_that_is_killed_in_mid_load(started, engine, reference):
    def start_anew() -> None:
        started.start_node()
        until(lambda: "cairn_saved_blocks" in warm(engine, "killed").counters, "saves once more")

    answer = in_mid_load(started, engine, "killed", started.kill_node, start_anew)
    assert answer.tokens == reference["killed"].tokens
    check(warm(engine, "killed"), reference, "killed")
    start_anew()
    check(warm(engine, "killed"), reference, "killed")
