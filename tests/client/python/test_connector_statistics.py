"""Counting: nothing is lost between threads, and an engine's thread never waits to count."""

import threading

from cairn.connector.statistics import FOLD_AT, Statistics
from cairn.outcome import Outcome


def test_what_was_counted_is_taken_once():
    statistics = Statistics()
    statistics.add("lookups", 2)
    statistics.miss(Outcome.CHECKSUM, 3)
    assert statistics.take() == {
        "lookups": 2,
        "miss_checksum_blocks": 3,
        "wrong_bytes_blocks": 3,
    }
    assert statistics.take() == {}
    assert statistics.totals()["lookups"] == 2


def test_counting_does_not_wait_for_who_reads():
    statistics = Statistics()
    with statistics._lock:  # as a thread that lost the interpreter in the middle of totals()
        for _ in range(3 * FOLD_AT):
            statistics.add("lookups")
    assert statistics.totals()["lookups"] == 3 * FOLD_AT


def test_additions_do_not_pile_up_when_nobody_reads():
    statistics = Statistics()
    for _ in range(5 * FOLD_AT):
        statistics.add("lookups")
    assert len(statistics._added) < FOLD_AT


def test_threads_lose_nothing():
    statistics, taken = Statistics(), []

    def count() -> None:
        for _ in range(20_000):
            statistics.add("lookups")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.append(statistics.take().get("lookups", 0))
    for thread in threads:
        thread.join()
    assert sum(taken) + statistics.take().get("lookups", 0) == 80_000
    assert statistics.totals()["lookups"] == 80_000
