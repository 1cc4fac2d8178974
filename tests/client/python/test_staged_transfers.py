"""Blocks that the NIC cannot reach, by way of host memory, beside a device that takes its time."""

from collections import deque

import numpy as np
import pytest
from cairn.connector import Refusal
from cairn.connector.device import HostBlocks
from cairn.connector.staged_transfers import StagedGroup, StagedTransfers
from cairn.outcome import Outcome
from connectors import ended, load_of, make_engine, new_statistics, save_of, until

SLOTS = 16


class LateStream:
    """Copies are made when the test says so, in their order."""

    def __init__(self) -> None:
        self.queued: deque = deque()
        self.waits = 0

    def allocate(self, slots: int, size_bytes: int) -> np.ndarray:
        return np.zeros((slots, size_bytes), np.uint8)

    def mark(self) -> str:
        return "mark"

    def run(self, copies, after):
        assert after == "mark"
        copied = []
        self.queued.append(lambda: copied.append(copies()))
        return lambda: bool(copied)

    def engine_waits(self) -> None:
        self.waits += 1
        self.drain()

    def drain(self) -> None:
        while self.queued:
            self.queued.popleft()()


class Device:
    """An engine whose blocks are staged."""

    def __init__(self, engine, slots: int = SLOTS) -> None:
        self.cache = engine.cache
        self.stream = LateStream()
        self.statistics = new_statistics()
        group = StagedGroup(engine.layout, HostBlocks(engine.layout), engine.connect)
        staging_bytes = slots * engine.layout.block_bytes
        self.moving = StagedTransfers(
            [group], self.stream, staging_bytes, engine.options, self.statistics
        )
        until(lambda: self.moving.is_connected)

    def stored(self, count: int) -> None:
        for first in range(0, count, SLOTS // 2):
            blocks = list(range(first, min(first + SLOTS // 2, count)))
            self.moving.save(save_of("a", blocks, first))
            self.stream.drain()
            assert ended(self.moving)[0].ok

    def loaded(self) -> list:
        """The next jobs that end, while the device works."""
        done: list = []
        until(lambda: self.stream.drain() or done.extend(self.moving.finished()) or done)
        return done


@pytest.fixture
def device(cluster, request):
    made = Device(make_engine(cluster, request.node.nodeid))
    yield made
    made.moving.close()


def test_a_load_has_ended_when_its_copy_has(device):
    device.stored(4)
    stored = device.cache.copy()
    device.moving.load(load_of("b", [20, 21, 22, 23]))
    until(lambda: device.moving.finished() or device.stream.queued, "its bytes in host memory")
    assert device.moving.finished() == []
    assert np.array_equal(device.cache, stored), "the device has done nothing yet"
    (job,) = device.loaded()
    assert job.ok and job.is_load
    assert np.array_equal(device.cache[:, 20:24], stored[:, :4])


def test_a_load_of_more_blocks_than_slots_comes_in_parts(device):
    device.stored(40)
    stored = device.cache.copy()
    device.moving.load(load_of("b", list(range(24, 64))))
    device.moving.load(load_of("c", list(range(24)), first=16))
    for job in (device.loaded() + device.loaded())[:2]:
        assert job.ok, job
    assert np.array_equal(device.cache[:, 24:64], stored[:, :40])
    assert np.array_equal(device.cache[:, :24], stored[:, 16:40])


def test_what_did_not_come_is_named_and_not_written(device):
    device.stored(3)
    stored = device.cache.copy()
    device.moving.load(load_of("b", [20, 21, 22, 23, 24]))
    (job,) = device.loaded()
    assert job.reasons.tolist() == [0, 0, 0, Outcome.ABSENT, Outcome.ABSENT]
    assert job.bad_block_ids() == [23, 24]
    assert np.array_equal(device.cache[:, 20:23], stored[:, :3])
    assert np.array_equal(device.cache[:, 23:], stored[:, 23:])


def test_the_engine_waits_for_copies_of_the_blocks_that_it_writes_and_for_no_others(device):
    stored = device.cache.copy()
    device.moving.save(save_of("a", [0, 1, 2]))
    device.moving.fence([3, 4])
    assert device.stream.waits == 0
    device.moving.fence([2])
    assert device.stream.waits == 1
    device.cache[:, :3] = 0
    assert ended(device.moving)[0].ok
    device.moving.fence()
    assert device.stream.waits == 1, "nothing is copied any more"
    device.moving.load(load_of("b", [5, 6, 7]))
    assert device.loaded()[0].ok
    assert np.array_equal(device.cache[:, 5:8], stored[:, :3])


def test_saves_beyond_the_slots_are_skipped_and_counted(device):
    device.moving.save(save_of("a", list(range(12))))
    device.stream.drain()
    (job,) = ended(device.moving)
    assert job.reasons.tolist() == [0] * 8 + [Outcome.OVERLOAD] * 4
    assert device.statistics.take()["miss_overload_blocks"] == 4
    device.moving.save(save_of("b", list(range(8)), salt=1))
    device.moving.save(save_of("c", [9], salt=2))
    assert [done.reasons.tolist() for done in ended(device.moving)] == [[Outcome.OVERLOAD]]
    device.stream.drain()
    assert ended(device.moving)[0].ok, "no slot is lost"


def test_loads_that_wait_for_slots_end_by_their_deadline(cluster, request):
    device = Device(make_engine(cluster, request.node.nodeid, load_ms=3000))
    device.stored(8)
    stored = device.cache.copy()
    device.moving.load(load_of("b", list(range(20, 28))))
    device.moving.load(load_of("c", list(range(30, 38))))
    until(
        lambda: not device.moving.is_idle and device.stream.queued,
        "a load in the device's hands, and with it all slots",
    )
    (late,) = ended(device.moving)
    assert late.job.owner == "c" and set(late.reasons.tolist()) == {Outcome.DEADLINE}
    assert device.loaded()[0].ok
    assert np.array_equal(device.cache[:, 30:38], stored[:, 30:38]), "nothing comes afterwards"
    device.moving.close()


def test_too_little_staging_is_refused_by_name(cluster):
    with pytest.raises(Refusal, match="staging_bytes"):
        Device(make_engine(cluster, "small"), slots=1)
