"""Rules of vLLM's KVConnectorBase_V1. Each docstring: what the engine does, what breaks."""

import time

from cairn.conformance import world as bounds
from cairn.conformance.vllm_engine import BLOCK_TOKENS, Engine
from cairn.conformance.world import Factory, faults_of, until

ENGINE = "vllm"
BLOCKS = 6
PROMPT = list(range(100, 100 + BLOCKS * BLOCK_TOKENS + 1))  # and a token to compute
LONG_BLOCKS = 20
LONG_PROMPT = list(range(5000, 5000 + LONG_BLOCKS * BLOCK_TOKENS + 1))
ASK_S_MAX = 0.05


def test_what_one_request_computed_another_loads(connector: Factory) -> None:
    """The engine counts loaded tokens as computed and reads their blocks. A byte that is not what
    the model would have computed is a wrong answer that nobody notices."""
    with Engine(connector) as engine:
        engine.compute(LONG_PROMPT)
        running = engine.hit(LONG_PROMPT)
        engine.wait_for_load(running)
        wrong = engine.wrong_blocks(running, LONG_BLOCKS)
        assert not wrong, f"loaded blocks (rank, position) hold other bytes: {wrong}"


def test_a_miss_is_not_asynchronous(connector: Factory) -> None:
    """The flag must be false when there is nothing to load: nothing would ever end that load."""
    with Engine(connector) as engine:
        for number in range(3):
            engine.matched(engine.request([7000 + number, *PROMPT]))
        engine.matched(engine.request([1, 2, 3]))
        assert not engine.notes.false_async, "answered (0, True) or (None, True)"


def test_asking_again_gives_the_same_answer(connector: Factory) -> None:
    """A request that finds no free blocks is asked about in every step. Asking may have no effect:
    the answer that counts is the last one."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.finish(engine.hit(PROMPT))
        request = engine.request(PROMPT)
        first = engine.matched(request)
        answers = {engine.matched(request) for _ in range(5)}
        assert answers == {first}, f"answered {first} and then {sorted(answers)}"


def test_the_answer_counts_from_the_local_hit(connector: Factory) -> None:
    """The engine adds the answer to what it found itself, and asserts that the sum is at most the
    request's tokens."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.finish(engine.hit(PROMPT))
        local = 4 * BLOCK_TOKENS
        more = engine.matched(engine.request(PROMPT), local)
        assert local + more <= len(PROMPT), f"{local} tokens of its own and {more} of {len(PROMPT)}"


def test_asking_does_not_block(connector: Factory) -> None:
    """The scheduler asks in its loop: every running request waits along. None is the answer that
    is not known yet."""
    with Engine(connector) as engine:
        times = []
        for number in range(9):
            request = engine.request([8000 + number, *PROMPT])
            begun = time.perf_counter()
            engine.ask(request)
            times.append(time.perf_counter() - begun)
        median_s = sorted(times)[len(times) // 2]
        assert median_s < ASK_S_MAX, f"asking took {1e3 * median_s:.0f} ms"


def test_the_second_allocation_loads_nothing(connector: Factory) -> None:
    """update_state_after_alloc comes again when the load has ended, with 0 tokens and the same
    blocks. Who loads again writes over what the request has computed since."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        engine.wait_for_load(running)
        engine.overwrite(running.table[:BLOCKS], 3)
        engine.allocated(running, 0)
        engine.settle()
        assert engine.holds(running.table[:BLOCKS], 3), "loaded a second time"


def test_a_request_may_end_before_it_has_blocks(connector: Factory) -> None:
    """request_finished is called for requests that were aborted while they waited: asked about,
    never allocated."""
    with Engine(connector) as engine:
        asked, unknown = engine.request(PROMPT), engine.request([3, *PROMPT])
        engine.matched(asked)
        for request in (asked, unknown):
            try:
                delayed = engine.finish_request(request)
            except Exception as error:
                raise AssertionError(f"request_finished raised {error!r}") from error
            assert not delayed, "keeps blocks that the request never had"


def test_a_request_may_end_while_it_loads(connector: Factory) -> None:
    """An aborted request's blocks are freed when each rank has reported its load. Forgotten, they
    are lost for good."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        engine.finish(running)
        request_id = running.request.request_id
        until(lambda: (engine.step(), engine.received[request_id])[1], "the aborted load's end")


def test_saves_are_fenced_before_their_blocks_are_written(connector: Factory) -> None:
    """A preempted request's blocks have a new owner in the next step. Between handle_preemptions,
    or binding that step's metadata, and the forward pass every save must have let go of them."""
    with Engine(connector) as engine:
        running = engine.admit(engine.request(PROMPT))
        engine.step(running)
        old = engine.preempt(running)
        other = engine.admit(engine.request([9, *PROMPT[1:]]))
        assert set(other.table) == set(old)
        engine.step(other)
        engine.finish(other)
        engine.settle()
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        wrong = engine.wrong_blocks(loaded, BLOCKS)
        assert not wrong, f"stored what the next owner wrote (rank, position): {wrong}"


def test_a_preempted_request_has_new_blocks(connector: Factory) -> None:
    """It comes back as resumed, with its whole table, not what was added. What is remembered of
    the old one is somebody else's memory."""
    with Engine(connector) as engine:
        running = engine.admit(engine.request(PROMPT))
        engine.step(running, chunk=2 * BLOCK_TOKENS)
        engine.preempt(running)
        other = engine.admit(engine.request([9, *PROMPT[1:]]))
        engine.step(other)
        engine.resume(running)
        engine.run(running)
        wrong = engine.wrong_blocks(other, BLOCKS)
        assert not wrong, f"wrote to blocks that were taken away (rank, position): {wrong}"
        engine.finish(running)
        engine.settle()
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        wrong = engine.wrong_blocks(loaded, BLOCKS)
        assert not wrong, f"stored from blocks that were taken away (rank, position): {wrong}"


def test_a_block_that_one_rank_lacks_is_a_miss(connector: Factory) -> None:
    """One answer holds for all ranks, each of which loads its own part."""
    with Engine(connector) as engine:
        lacking = engine.connectors.workers[1]
        save, lacking.wait_for_save = lacking.wait_for_save, lambda: None
        engine.compute(PROMPT)
        lacking.wait_for_save = save
        offered = engine.offers(PROMPT)
        assert offered == 0, f"offered {offered} tokens that rank 1 never stored"


def test_a_load_that_failed_is_reported(connector: Factory) -> None:
    """A failed load must end, and be named: in finished_recving and, by then, among the invalid
    blocks or in failed_recving. Else the request waits for ever, or runs on what never came."""
    with Engine(connector) as engine:
        faults = faults_of(engine.connectors)
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        faults.freeze()
        try:
            engine.wait_for_load(running)
        finally:
            faults.thaw()
        lost = {running.table[position] for _, position in engine.wrong_blocks(running, BLOCKS)}
        named = running.request.request_id in engine.failed or lost <= engine.invalid
        assert named, f"blocks {sorted(lost)} did not come and only {engine.invalid} were named"


def test_metadata_can_be_pickled(connector: Factory) -> None:
    """What build_connector_meta returns goes to workers in other processes."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        assert not engine.notes.not_pickled, engine.notes.not_pickled[0]


def test_the_scheduler_output_is_left_alone(connector: Factory) -> None:
    """build_connector_meta reads the engine's own object: the workers get it afterwards."""
    with Engine(connector) as engine:
        engine.compute(PROMPT, chunk=2 * BLOCK_TOKENS)
        assert not engine.notes.mutated, f"changed it to {engine.notes.mutated[0]}"


def test_only_what_is_waited_for_is_reported(connector: Factory) -> None:
    """EngineCore asserts that a reported request waits for its blocks: one id too many, or the same
    one twice, ends the engine."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        engine.run(running)
        engine.finish(running)
        engine.settle()
        unknown = sorted(set(engine.notes.unknown_ids))
        assert not unknown, f"reported {unknown}, for which nobody waited"


def test_blocks_of_later_steps_are_saved(connector: Factory) -> None:
    """With chunked prefill later blocks come as deltas in scheduled_cached_reqs."""
    with Engine(connector) as engine:
        engine.compute(PROMPT, chunk=2 * BLOCK_TOKENS + 3)
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        wrong = engine.wrong_blocks(loaded, BLOCKS)
        assert not wrong, f"loaded blocks (rank, position) hold other bytes: {wrong}"


def test_another_process_finds_what_this_one_stored(connector: Factory) -> None:
    """The point of a store behind an engine: keys may not depend on the process that made them."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.offers(PROMPT, within_s=bounds.WAIT_S)  # it has been stored
        name = engine.world.name
    with Engine(connector, name=name) as engine:
        assert engine.offers(PROMPT, within_s=bounds.WAIT_S), "nothing was found after a restart"
