"""What cairn.events puts on the wire, read back by a plain subscriber."""

import contextlib
import threading
import time

import msgpack
import pytest
import zmq
from cairn import CairnError, events
from cairn.events import EventPublisher, Format, Medium

PATIENCE_MS = 20_000
TOKENS = list(range(64))
HASHES = [bytes([i + 1]) * 32 for i in range(4)]


class Subscriber:
    def __init__(self, publisher):
        self.context = zmq.Context()
        self.events = self.context.socket(zmq.SUB)
        self.events.rcvtimeo = PATIENCE_MS
        self.events.rcvhwm = 0
        self.events.subscribe(b"")
        self.events.connect(publisher.endpoint)
        if publisher.replay_endpoint:
            self.replay = self.context.socket(zmq.DEALER)
            self.replay.rcvtimeo = PATIENCE_MS
            self.replay.connect(publisher.replay_endpoint)
        self.numbers = []
        # A subscription takes a moment: whatever is heard first ends it.
        self.events.rcvtimeo = 20
        limit = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < limit:
            publisher.cleared()
            with contextlib.suppress(zmq.Again):
                self.batch()
                break
        self.events.rcvtimeo = 200
        with contextlib.suppress(zmq.Again):
            while True:
                self.batch()
        self.events.rcvtimeo = PATIENCE_MS

    def batch(self):
        self.topic, number, payload = self.events.recv_multipart()
        self.numbers.append(int.from_bytes(number, "big"))
        return msgpack.unpackb(payload)

    def event(self):
        _, told, _ = self.batch()
        assert len(told) == 1
        return told[0]

    def replayed(self, first):
        self.replay.send_multipart((b"", first.to_bytes(8, "big")))
        batches = []
        while True:
            _, _, number, payload = self.replay.recv_multipart()
            if number == b"\xff" * 8:
                assert payload == b""
                return batches
            batches.append((int.from_bytes(number, "big"), msgpack.unpackb(payload)))


@contextlib.contextmanager
def publishing(**options):
    options.setdefault("replay_endpoint", "tcp://127.0.0.1:*")
    with EventPublisher("tcp://127.0.0.1:*", **options) as publisher:
        subscriber = Subscriber(publisher)
        yield publisher, subscriber
        subscriber.context.destroy(linger=0)


def test_a_stored_chain_is_a_tagged_map():
    with publishing(topic="kv", data_parallel_rank=3, clock=lambda: 12.5) as (publisher, reader):
        publisher.stored(HASHES[:2], None, TOKENS[:32], 16, Medium.SHARED)
        batch = reader.batch()
        assert reader.topic == b"kv"
        first = int.from_bytes(HASHES[0][:8], "big", signed=True)
        second = int.from_bytes(HASHES[1][:8], "big", signed=True)
        event = {
            "type": "BlockStored",
            "block_hashes": [first, second],
            "parent_block_hash": None,
            "token_ids": TOKENS[:32],
            "block_size": 16,
            "lora_id": None,
            "medium": "EXTERNAL",
        }
        assert batch == [12.5, [event], 3]
        publisher.stored(HASHES[2:3], HASHES[1], TOKENS[:16], 16, Medium.DRIVE, lora_name="l")
        told = reader.event()
        assert (told["parent_block_hash"], told["medium"], told["lora_name"]) == (
            second,
            "DISK",
            "l",
        )
        publisher.removed(HASHES[:1], Medium.MEMORY)
        assert reader.event() == {
            "type": "BlockRemoved",
            "block_hashes": [first],
            "medium": "CPU_PINNED",
        }
        publisher.cleared()
        assert reader.event() == {"type": "AllBlocksCleared"}


def test_older_vllm_gets_arrays_and_its_own_cut_of_the_hash():
    with publishing(format=Format.VLLM_ARRAYS) as (publisher, reader):
        block_hash = bytes(24) + b"\xff" + bytes(7)
        publisher.stored([block_hash], 7, TOKENS[:16], 16, Medium.SHARED, lora_name="l")
        expected = ["BlockStored", [0xFF << 56], 7, TOKENS[:16], 16, None, "EXTERNAL", "l"]
        assert reader.event() == expected
        publisher.removed([7], Medium.SHARED)
        assert reader.event() == ["BlockRemoved", [7], "EXTERNAL"]
        publisher.cleared()
        assert reader.event() == ["AllBlocksCleared"]


def test_a_salt_is_told_or_the_blocks_are_not():
    with publishing(format=Format.VLLM) as (publisher, reader):
        publisher.stored([1, 2], None, TOKENS[:32], 16, Medium.SHARED, cache_salt="s")
        event = reader.event()
        assert event["extra_keys"] == [["s"], None]
        assert event["cache_salt"] == "s"
    with publishing(format=Format.SGLANG) as (publisher, reader):
        publisher.stored([1], None, TOKENS[:16], 16, Medium.SHARED, cache_salt="s")
        event = reader.event()
        assert event["cache_salt"] == "s" and "extra_keys" not in event
    with publishing(format=Format.VLLM_ARRAYS) as (publisher, reader):
        publisher.stored([1], None, TOKENS[:16], 16, Medium.SHARED, cache_salt="s")
        publisher.removed([2], Medium.SHARED)
        assert reader.event()[:2] == ["BlockRemoved", [2]]


def test_batches_are_numbered_without_a_gap_and_replayed_from_any_number():
    with publishing() as (publisher, reader):
        begun = len(reader.numbers)
        for i in range(5):
            publisher.removed([i], Medium.SHARED)
            reader.event()
        assert reader.numbers == list(range(reader.numbers[0], reader.numbers[-1] + 1))
        wanted = reader.numbers[begun + 2]
        replayed = reader.replayed(wanted)
        assert [number for number, _ in replayed] == list(range(wanted, wanted + 3))
        assert [batch[1][0]["block_hashes"] for _, batch in replayed] == [[2], [3], [4]]
        assert reader.replayed(wanted + 100) == []


def test_the_replay_buffer_is_bounded(monkeypatch):
    monkeypatch.setattr(events, "REPLAY_BATCHES_MAX", 3)
    with publishing() as (publisher, reader):
        for i in range(9):
            publisher.removed([i], Medium.SHARED)
            reader.event()
        assert [batch[1][0]["block_hashes"] for _, batch in reader.replayed(0)] == [[6], [7], [8]]
        monkeypatch.setattr(events, "REPLAY_BYTES_MAX", 2000)
        publisher.stored(range(100), None, list(range(1600)), 16, Medium.SHARED)
        reader.event()
        assert reader.replayed(0) == [], "one batch of more than the bound is not kept either"


def test_a_garbled_replay_request_costs_nothing():
    with publishing() as (publisher, reader):
        reader.replay.send_multipart((b"", b"short"))
        reader.replay.send_multipart((b"alone",))
        publisher.removed([5], Medium.SHARED)
        reader.event()
        assert reader.replayed(reader.numbers[-1])[0][1][1][0]["block_hashes"] == [5]


def test_an_overflow_becomes_one_cleared(monkeypatch):
    monkeypatch.setattr(events, "WAITING_EVENTS_MAX", 10)
    held = threading.Event()
    started = threading.Event()

    def clock():  # in the publisher's thread: holds it in mid-batch
        started.set()
        assert held.wait(PATIENCE_MS / 1000)
        return 0.0

    with EventPublisher("tcp://127.0.0.1:*", replay_endpoint="tcp://127.0.0.1:*", clock=clock) as p:
        p.removed([0], Medium.SHARED)
        assert started.wait(PATIENCE_MS / 1000)
        for i in range(11):
            p.removed([i], Medium.SHARED)
        p.removed([99], Medium.SHARED)
        assert p.overflows == 1
        held.set()
        reader = Subscriber(p)
        told = [event for _, batch in reader.replayed(1) for event in batch[1]]
        assert told[0] == {"type": "AllBlocksCleared"}
        assert told[1]["block_hashes"] == [99]
        reader.context.destroy(linger=0)


def test_a_subscriber_that_never_reads_holds_nobody_up():
    with publishing() as (publisher, _):
        begun = time.monotonic()
        for i in range(20_000):
            publisher.stored([i], None, TOKENS[:16], 16, Medium.SHARED)
        assert time.monotonic() - begun < 5


def test_misuse_names_the_field():
    with EventPublisher("tcp://127.0.0.1:*") as publisher:
        with pytest.raises(CairnError, match="token_ids: 15 for 1 blocks of 16"):
            publisher.stored([1], None, TOKENS[:15], 16, Medium.SHARED)
        with pytest.raises(CairnError, match="block_hashes"):
            publisher.removed([2**64], Medium.SHARED)
        with pytest.raises(ValueError, match="CAIRN"):
            publisher.removed([1], "CAIRN")
        with pytest.raises(ValueError, match="GPU"):
            publisher.stored([1], None, TOKENS[:16], 16, "GPU")
        with pytest.raises(CairnError, match="cannot bind"):
            EventPublisher(publisher.endpoint)


def test_after_close_nothing_is_told_and_nothing_raises():
    publisher = EventPublisher("tcp://127.0.0.1:*")
    publisher.close()
    publisher.close()
    publisher.cleared()


def test_close_sends_what_waits():
    with publishing() as (publisher, reader):
        for i in range(500):
            publisher.removed([i], Medium.SHARED)
        publisher.close()
        told = []
        while len(told) < 500:
            told += [event["block_hashes"][0] for event in reader.batch()[1]]
        assert told == list(range(500))
