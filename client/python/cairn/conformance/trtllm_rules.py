"""Rules of TensorRT-LLM's KV cache connector. Each docstring: what the engine does, what breaks."""

import time

from cairn.conformance import world as bounds
from cairn.conformance.trtllm_engine import BLOCK_TOKENS, PAGES, Engine
from cairn.conformance.world import Factory, faults_of

ENGINE = "trtllm"
BLOCKS = 6
PROMPT = list(range(100, 100 + BLOCKS * BLOCK_TOKENS + 1))  # and a token to compute
LONG_BLOCKS = 20
LONG_PROMPT = list(range(5000, 5000 + LONG_BLOCKS * BLOCK_TOKENS + 1))
QUERY_S_MAX = 0.05


def test_what_one_request_computed_another_loads(connector: Factory) -> None:
    """The engine counts the offered tokens as computed and reads their pages. A byte that is not
    what the model would have computed is a wrong answer that nobody notices."""
    with Engine(connector) as engine:
        engine.compute(LONG_PROMPT)
        engine.bystander()
        running = engine.hit(LONG_PROMPT)
        engine.wait_for_load(running)
        wrong = engine.wrong_pages(running, range(running.offered // BLOCK_TOKENS))
        assert not wrong, f"loaded pages (rank, layer group, block) hold other bytes: {wrong}"
        assert running.offered == LONG_BLOCKS * BLOCK_TOKENS, f"only {running.offered} tokens"


def test_a_block_is_known_by_all_tokens_before_it(connector: Factory) -> None:
    """Keys and values depend on every token before them. Equal blocks behind different beginnings
    are different blocks."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        other = [5, *PROMPT[1:]]
        engine.compute(other[: BLOCK_TOKENS + 1])
        engine.bystander()
        running = engine.hit(other, blocks=1)
        assert running.offered == BLOCK_TOKENS, f"{running.offered} tokens of another beginning"


def test_a_miss_is_not_asynchronous(connector: Factory) -> None:
    """The engine raises on (0, True): nothing would ever end the load that it waits for."""
    with Engine(connector) as engine:
        for number in range(3):
            engine.query(engine.request([7000 + number, *PROMPT]))
        engine.query(engine.request([1, 2, 3]))
        assert not engine.notes.false_async, "answered (0, True)"


def test_a_query_is_answered_at_once(connector: Factory) -> None:
    """The engine asks while it holds the mutex of its radix tree: all its requests wait along."""
    with Engine(connector) as engine:
        engine.query(engine.request(PROMPT))
        times = []
        for number in range(9):
            request = engine.request([8000 + number, *PROMPT])
            begun = time.perf_counter()
            engine.query(request)
            times.append(time.perf_counter() - begun)
        median_s = sorted(times)[len(times) // 2]
        assert median_s < QUERY_S_MAX, f"a query took {1e3 * median_s:.0f} ms"


def test_the_last_token_is_left_to_compute(connector: Factory) -> None:
    """The engine needs one token to compute, or the request has no logits to sample from."""
    prompt = PROMPT[: BLOCKS * BLOCK_TOKENS]
    with Engine(connector) as engine:
        engine.compute(prompt)
        engine.bystander()
        offered = engine.hit(prompt).offered
        assert offered < len(prompt), f"offered all {offered} tokens of the prompt"


def test_pages_that_are_not_there_are_left_alone(connector: Factory) -> None:
    """Behind a sliding window a block's page is -1, and page -1 is the pool's last: the connector
    would read or write another request's keys and values."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        for cache in engine.caches:
            cache[0][PAGES - 1] = 5
        engine.bystander()
        running = engine.hit(PROMPT, missing=2)
        engine.wait_for_load(running)
        touched = [cache[0][PAGES - 1].min() != 5 for cache in engine.caches]
        assert not any(touched), "wrote to the pool's last page in place of page -1"
        wrong = engine.wrong_pages(running, range(running.offered // BLOCK_TOKENS))
        assert not wrong, f"pages beside one that is not there hold other bytes: {wrong}"


def test_cache_salts_do_not_share(connector: Factory) -> None:
    """A salt separates users. A key made of tokens alone tells one user what another one asked."""
    with Engine(connector) as engine:
        engine.compute(PROMPT, cache_salt="alice")
        offered = engine.offers(PROMPT, cache_salt="bob")
        assert offered == 0, f"bob was offered {offered} tokens that alice computed"


def test_adapters_do_not_share(connector: Factory) -> None:
    """A LoRA adapter changes every key and value; the tokens are the same."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        offered = engine.offers(PROMPT, lora_task_id=7)
        assert offered == 0, f"an adapter was offered {offered} tokens of the base model"


def test_finished_names_only_what_was_handed_in(connector: Factory) -> None:
    """get_finished returns ids that it was given before, each once: the engine looks them up, and
    one that it does not wait for is a KeyError in its loop."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.bystander()
        engine.wait_for_load(engine.hit(PROMPT))
        engine.settle()
        unknown = sorted(set(engine.notes.unknown_ids))
        assert not unknown, f"ids that nobody waited for: {unknown}"


def test_a_block_that_one_rank_lacks_is_a_miss(connector: Factory) -> None:
    """One answer holds for all ranks. Where a rank has nothing to load, its part of the page stays
    what it was, and the request is answered from that."""
    with Engine(connector) as engine:
        lacking = engine.connectors.workers[1]
        save, lacking.wait_for_save = lacking.wait_for_save, lambda stream: None
        engine.compute(PROMPT)
        lacking.wait_for_save = save
        offered = engine.offers(PROMPT)
        assert offered == 0, f"offered {offered} tokens that rank 1 never stored"


def test_metadata_can_be_pickled(connector: Factory) -> None:
    """What build_connector_meta returns is broadcast over MPI to the other ranks."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        assert not engine.notes.not_pickled, engine.notes.not_pickled[0]


def test_a_load_begins_though_nothing_is_scheduled(connector: Factory) -> None:
    """A request that loads is parked and in no SchedulerOutput. A connector that plans loads from
    there, or skips steps without requests, never begins this one, and it is parked for ever."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        running = engine.hit(PROMPT)
        engine.wait_for_load(running)


def test_a_load_that_was_reported_writes_no_more(connector: Factory) -> None:
    """The engine may honour less than was offered: it waits for the load and then computes over
    it. Bytes that land after the report destroy what it computed."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.bystander()
        running = engine.hit(PROMPT)
        engine.wait_for_load(running)
        engine.overwrite(running, 3)
        running.position = len(PROMPT) - 1  # computed over
        engine.settle()
        own = [cache[0][running.pages[0][:BLOCKS]] for cache in engine.caches]
        assert all((pages == 3).all() for pages in own), "wrote to pages after reporting the load"


def test_the_same_metadata_twice_is_one_load(connector: Factory) -> None:
    """A step without a scheduler output binds no new metadata, and start_load_kv finds the old:
    done twice, it writes to pages that have another owner by now."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.bystander()
        running = engine.hit(PROMPT)
        engine.step()
        bound = engine.bound
        engine.wait_for_load(running)
        engine.overwrite(running, 4)
        for worker, metadata in zip(engine.connectors.workers, bound, strict=True):
            worker.bind_connector_meta(metadata)
        engine.start_load()
        bounds.settle(engine.poll)
        own = [cache[0][running.pages[0][:BLOCKS]] for cache in engine.caches]
        assert all((pages == 4).all() for pages in own), "loaded again into pages given away"


def test_pages_of_a_finished_request_are_not_read(connector: Factory) -> None:
    """request_finished returned False, so the pages have a new owner at once. A save that still
    reads them stores his bytes under the old request's key."""
    with Engine(connector) as engine:
        running = engine.admit(engine.request(PROMPT))
        engine.run(running)
        if not engine.finish(running):
            engine.overwrite(running, 6)
        engine.settle()
        engine.overwrite(running, 6)
        engine.bystander()
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        wrong = engine.wrong_pages(loaded, range(loaded.offered // BLOCK_TOKENS))
        assert not wrong, f"stored what came into the pages later (rank, group, block): {wrong}"


def test_layer_groups_have_pages_of_their_own(connector: Factory) -> None:
    """With windows of several sizes only the *_by_layer_group calls are made, and a page's number
    means something in its own group alone."""
    with Engine(connector, groups=2) as engine:
        engine.compute(PROMPT)
        engine.bystander()
        running = engine.hit(PROMPT)
        assert running.pages[0] != running.pages[1]
        engine.wait_for_load(running)
        wrong = engine.wrong_pages(running, range(running.offered // BLOCK_TOKENS))
        assert not wrong, f"pages (rank, layer group, block) hold other bytes: {wrong}"


def test_another_process_finds_what_this_one_stored(connector: Factory) -> None:
    """The point of a store behind an engine: keys may not depend on the process that made them."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.offers(PROMPT, within_s=bounds.WAIT_S)  # it has been stored
        name = engine.world.name
    with Engine(connector, name=name) as engine:
        assert engine.offers(PROMPT, within_s=bounds.WAIT_S), "nothing was found after a restart"


def test_pages_of_later_chunks_are_saved(connector: Factory) -> None:
    """With chunked prefill the later pages come as deltas in cached_requests. A connector that
    reads new_requests alone stores the first chunk, or the wrong pages."""
    with Engine(connector) as engine:
        running = engine.admit(engine.request(PROMPT), chunk=2 * BLOCK_TOKENS + 3)
        engine.run(running)
        engine.finish(running)
        engine.settle()
        engine.bystander()
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        assert loaded.offered == BLOCKS * BLOCK_TOKENS, f"only {loaded.offered} tokens were stored"
        wrong = engine.wrong_pages(loaded, range(BLOCKS))
        assert not wrong, f"pages (rank, layer group, block) hold other bytes: {wrong}"


def test_a_replay_has_new_pages(connector: Factory) -> None:
    """Out of memory the engine takes a request's pages away and begins it again: it asks anew and
    reports all pages as new. What is remembered of the old ones is somebody else's memory."""
    with Engine(connector) as engine:
        request = engine.request(PROMPT)
        running = engine.admit(request, chunk=2 * BLOCK_TOKENS)
        engine.step()
        engine.step()
        old = list(running.pages[0])
        engine.overwrite(running, 8)
        engine.bystander()
        replay = engine.admit(request)
        engine.run(replay)
        own = [cache[0][old] for cache in engine.caches]
        assert all((pages == 8).all() for pages in own), "wrote to the pages that were taken away"
        engine.finish(replay)
        engine.settle()
        loaded = engine.hit(PROMPT)
        engine.wait_for_load(loaded)
        wrong = engine.wrong_pages(loaded, range(loaded.offered // BLOCK_TOKENS))
        assert not wrong, f"stored from pages that were taken away (rank, group, block): {wrong}"


def test_a_cancelled_request_ends_its_load(connector: Factory) -> None:
    """There is no cancel: when a parked request is given up, the engine keeps its pages until each
    rank has reported the load. Forgotten, the pages are lost for good."""
    with Engine(connector) as engine:
        engine.compute(PROMPT)
        engine.bystander()
        running = engine.hit(PROMPT)
        engine.finish(running)
        ended: list[int] = []
        limit = time.monotonic() + bounds.FAILURE_S
        while running.request.request_id not in ended and time.monotonic() < limit:
            ended += engine.step()
        assert running.request.request_id in ended, "the load of a cancelled request never ended"


def test_a_load_that_failed_is_not_reported_as_done(connector: Factory) -> None:
    """The engine has no word for a failed load; it goes on with the pages as they are. Raising, or
    not reporting, loses a request; reporting is a wrong answer."""
    with Engine(connector) as engine:
        faults = faults_of(engine.connectors)
        engine.compute(PROMPT)
        engine.bystander()
        running = engine.hit(PROMPT)
        faults.freeze()
        try:
            limit = time.monotonic() + bounds.FAILURE_S
            while running.parked and time.monotonic() < limit:
                engine.step()
        except RuntimeError:
            return
        finally:
            faults.thaw()
        wrong = engine.wrong_pages(running, range(running.offered // BLOCK_TOKENS))
        assert running.parked or not wrong, f"reported as loaded, with pages that were not: {wrong}"
