"""Rules of SGLang's HiCacheStorage (interface_v1). Each docstring: what the engine does, what
breaks."""

import threading
import time

from cairn.conformance import world as bounds
from cairn.conformance.sglang_engine import Engine, chain
from cairn.conformance.world import Factory, faults_of

ENGINE = "sglang"
PAGES = 6
LONG = 20
TARGET = 30  # pages of the pool to load into


def test_what_was_set_comes_back(connector: Factory) -> None:
    """A page that is said to have come is copied to the device and read. A wrong byte is a wrong
    answer that nobody notices."""
    keys = chain(LONG)
    with Engine(connector) as engine:
        engine.stored(keys)
        assert engine.found(keys) == LONG
        pages = range(TARGET, TARGET + LONG)
        assert all(engine.get(keys, pages)), "pages that exist did not come"
        wrong = engine.wrong(keys, pages)
        assert not wrong, f"pages {wrong} hold other bytes"


def test_pages_land_where_their_tokens_lie(connector: Factory) -> None:
    """host_indices names the pages one by one: the allocator gives them out in any order."""
    keys, places = chain(PAGES), [9, 33, 12, 5, 40, 21]
    with Engine(connector) as engine:
        engine.fill(keys, places)
        assert all(engine.set(keys, places))
        engine.arrays[0][:] = 0
        assert engine.found(keys) == PAGES
        others = places[::-1]
        assert all(engine.get(keys, others))
        wrong = engine.wrong(keys, others)
        assert not wrong, f"pages {wrong} hold other bytes"
        rest = [page for page in range(48) if page not in places and engine.page(page).any()]
        assert not rest, f"wrote to pages {rest}, which were not named"


def test_exists_counts_no_more_than_it_was_asked(connector: Factory) -> None:
    """The engine allocates host memory for as many pages as it is told, also for more than it asked
    about."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.found(keys)
        answers = {count: engine.exists(keys[:count]) for count in (1, 3, PAGES)}
        over = {count: answer for count, answer in answers.items() if answer > count}
        assert not over, f"asked about pages, answered: {over}"


def test_exists_counts_leading_pages(connector: Factory) -> None:
    """A page behind a hole cannot be used: attention needs every token before it."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.found(keys)
        asked = [*keys[:2], *chain(1, "another"), *keys[3:]]
        assert engine.exists(asked) == 2, f"{engine.exists(asked)} pages, with a hole behind two"


def test_a_lookup_begins_anywhere(connector: Factory) -> None:
    """The engine asks for what its own memory lacks, which is a chain's end."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.found(keys)
        assert engine.found(keys[3:]) == PAGES - 3, "pages behind the third were not found"
        pages = range(TARGET, TARGET + PAGES - 3)
        assert all(engine.get(keys[3:], pages)) and not engine.wrong(keys[3:], pages)


def test_a_page_that_is_absent_is_false(connector: Factory) -> None:
    """False makes the engine compute the page; True makes it use what lies there."""
    keys, absent = chain(2), chain(2, "nobody stored this")
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.found(keys)
        answers = engine.get([*keys, *absent], range(TARGET, TARGET + 4))
        assert answers == [True, True, False, False], f"answered {answers}"


def test_there_is_one_answer_for_each_key(connector: Factory) -> None:
    """A page's keys and values are two pieces of memory and one key: the engine zips the answers
    with its pages."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.get(keys, range(TARGET, TARGET + PAGES))
        assert not engine.notes.bad_answers, engine.notes.bad_answers[0]


def test_setting_what_is_there_is_true(connector: Factory) -> None:
    """One False ends the backup of everything behind it. Another rank, engine or turn has often
    stored the page before."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.fill(keys, range(PAGES))
        assert all(engine.set(keys, range(PAGES))), "False for pages that are stored"


def test_four_threads_call_at_once(connector: Factory) -> None:
    """Backup, prefetch, its I/O and a detach run on threads of their own, without a lock."""
    with Engine(connector) as engine:
        chains = [chain(4, f"thread {number}") for number in range(4)]
        for number, keys in enumerate(chains):
            engine.fill(keys, range(4 * number, 4 * number + 4))
        failures: list[str] = []

        def work(number: int) -> None:
            keys, own = chains[number], range(4 * number, 4 * number + 4)
            target = range(TARGET + 4 * number, TARGET + 4 * number + 4)
            try:
                ok = all(engine.set(keys, own)) and engine.found(keys) == 4
                ok = ok and all(engine.get(keys, target)) and not engine.wrong(keys, target)
                if not ok:
                    failures.append(f"thread {number} got other pages")
            except Exception as error:
                failures.append(f"thread {number}: {error!r}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]


def test_ranks_do_not_share(connector: Factory) -> None:
    """Every rank uses the same keys, and holds other heads."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        for rank in range(2):
            engine.stored(keys, rank)
        for rank in range(2):
            assert engine.found(keys, rank) == PAGES
            pages = range(TARGET, TARGET + PAGES)
            assert all(engine.get(keys, pages, rank))
            wrong = engine.wrong(keys, pages, rank)
            assert not wrong, f"rank {rank} was given another's pages {wrong}"


def test_a_get_ends_though_the_store_does_not_answer(connector: Factory) -> None:
    """With prefetch policy wait_complete a request waits for the call; with timeout its host memory
    stays allocated until then. HiCache passes no deadline: the backend needs its own."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        faults = faults_of(engine.connectors)
        engine.stored(keys)
        engine.found(keys)
        faults.freeze()
        try:
            begun = time.monotonic()
            engine.get(keys, range(TARGET, TARGET + PAGES))
            spent_s = time.monotonic() - begun
        finally:
            faults.thaw()
        assert spent_s < bounds.FAILURE_S, f"a get took {spent_s:.1f} s"


def test_a_page_that_did_not_come_is_false(connector: Factory) -> None:
    """As for a page that is absent: what the store did not deliver is not there."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        faults = faults_of(engine.connectors)
        engine.stored(keys)
        engine.found(keys)
        faults.freeze()
        try:
            answers = engine.get(keys, range(TARGET, TARGET + PAGES))
        finally:
            faults.thaw()
        claimed = [TARGET + i for i, answer in enumerate(answers) if answer]
        lost = engine.wrong(keys, range(TARGET, TARGET + PAGES))
        assert not set(claimed) & set(lost), f"True for pages {claimed}, which did not come"


def test_after_a_get_nothing_lands_late(connector: Factory) -> None:
    """When the call has returned the pages are freed and given to another request."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        faults = faults_of(engine.connectors)
        engine.stored(keys)
        engine.found(keys)
        faults.freeze()
        try:
            engine.get(keys, range(TARGET, TARGET + PAGES))
            engine.arrays[0][:] = 7
        finally:
            faults.thaw()
        limit = time.monotonic() + bounds.MISSES_S
        while time.monotonic() < limit:
            engine.exists(keys)
            assert (engine.arrays[0] == 7).all(), "pages changed after the get had returned"
            time.sleep(0.01)


def test_another_process_finds_what_this_one_stored(connector: Factory) -> None:
    """The point of a store behind an engine: keys may not depend on the process that made them."""
    keys = chain(PAGES)
    with Engine(connector) as engine:
        engine.stored(keys)
        engine.found(keys)
        name = engine.world.name
    with Engine(connector, name=name) as engine:
        assert engine.found(keys) == PAGES, "pages were not found after a restart"
