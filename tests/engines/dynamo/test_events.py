"""Cairn's events in the eyes of the real Dynamo indexer."""

import contextlib

import msgpack
import pytest
import zmq
from cairn.events import EventPublisher, Format, Medium
from conftest import BLOCK_TOKENS, eventually

TOKENS = list(range(1000, 1000 + 6 * BLOCK_TOKENS))
HASHES = [bytes([i + 1]) * 32 for i in range(6)]


@contextlib.contextmanager
def publishing(indexer, model, *, replay=True, **options):
    """A publisher that the indexer surely hears."""
    options |= {"replay_endpoint": "tcp://127.0.0.1:*"}
    with EventPublisher("tcp://127.0.0.1:*", **options) as publisher:
        indexer.register(publisher, model, replay=replay)
        assert eventually(lambda: hears(indexer, publisher, model))
        yield publisher


def hears(indexer, publisher, model):
    publisher.stored([1], None, [1] * BLOCK_TOKENS, BLOCK_TOKENS, Medium.SHARED)
    return indexer.blocks([1] * BLOCK_TOKENS, model) == 1


def store(publisher, first, count, medium=Medium.SHARED, **more):
    """Blocks first, first + 1, ... of the one chain of these tests."""
    publisher.stored(
        HASHES[first : first + count],
        HASHES[first - 1] if first else None,
        TOKENS[first * BLOCK_TOKENS : (first + count) * BLOCK_TOKENS],
        BLOCK_TOKENS,
        medium,
        **more,
    )


def blocks(indexer, model, **more):
    return indexer.blocks(TOKENS, model, **more)


@pytest.mark.parametrize("form", Format)
def test_each_form_of_an_event_is_understood(indexer, model, form):
    with publishing(indexer, model, format=form) as publisher:
        store(publisher, 0, 3)
        store(publisher, 3, 2)
        assert eventually(lambda: blocks(indexer, model) == 5)
        publisher.removed(HASHES[4:5], Medium.SHARED)
        assert eventually(lambda: blocks(indexer, model) == 4)
        publisher.cleared()
        assert eventually(lambda: blocks(indexer, model) == 0)


@pytest.mark.parametrize(
    ("medium", "tier"),
    [(Medium.SHARED, "disk"), (Medium.MEMORY, "cpu"), (Medium.DRIVE, "disk")],
)
def test_each_medium_counts_in_its_tier(indexer, model, medium, tier):
    with publishing(indexer, model) as publisher:
        store(publisher, 0, 2, medium)
        assert eventually(lambda: blocks(indexer, model) == 2)
        held = indexer.matched(TOKENS, model)
        assert held[tier] == 2 * BLOCK_TOKENS
        assert held["gpu"] == 0


def test_no_medium_but_those_that_indexers_know_exists():
    assert sorted(Medium) == ["CPU_PINNED", "DISK", "EXTERNAL"]


def test_a_medium_of_our_own_would_be_dropped(indexer, model):
    """Why Medium is closed: the indexer says nothing."""
    context = zmq.Context()
    socket = context.socket(zmq.PUB)
    socket.bind("tcp://127.0.0.1:*")
    endpoint = socket.last_endpoint.decode().rstrip("\0")
    indexer.listen(endpoint, model)
    sequence = iter(range(10_000))

    def tell(tokens, medium):
        event = {"type": "BlockStored", "block_hashes": [tokens[0]], "parent_block_hash": None}
        event |= {"token_ids": tokens, "block_size": BLOCK_TOKENS, "lora_id": None}
        batch = msgpack.packb([0.0, [event | {"medium": medium}], 0])
        socket.send_multipart((b"", next(sequence).to_bytes(8, "big"), batch))

    def heard():
        tell([5] * BLOCK_TOKENS, "CAIRN")
        tell([6] * BLOCK_TOKENS, "EXTERNAL")
        return indexer.blocks([6] * BLOCK_TOKENS, model)

    assert eventually(heard) == 1
    assert indexer.blocks([5] * BLOCK_TOKENS, model) == 0
    context.destroy(linger=0)


@pytest.mark.parametrize("form", [Format.SGLANG, Format.VLLM])
def test_salted_blocks_are_their_owners_alone(indexer, model, form):
    with publishing(indexer, model, format=form) as publisher:
        store(publisher, 0, 3, cache_salt="mine")
        assert eventually(lambda: blocks(indexer, model, cache_salt="mine") == 3)
        assert blocks(indexer, model) == 0
        assert blocks(indexer, model, cache_salt="another's") == 0


def test_salted_blocks_are_not_told_where_everybody_would_see_them(indexer, model):
    with publishing(indexer, model, format=Format.VLLM_ARRAYS) as publisher:
        store(publisher, 0, 3, cache_salt="mine")
        publisher.stored([9], None, [9] * BLOCK_TOKENS, BLOCK_TOKENS, Medium.SHARED)
        assert eventually(lambda: indexer.blocks([9] * BLOCK_TOKENS, model))
        assert blocks(indexer, model) == 0


def test_an_indexer_that_comes_late_is_told_the_rest(indexer, model):
    with EventPublisher("tcp://127.0.0.1:*", replay_endpoint="tcp://127.0.0.1:*") as publisher:
        for i in range(4):
            store(publisher, i, 1)
        indexer.register(publisher, model)
        # The first event that it hears shows it the gap.
        assert eventually(lambda: hears(indexer, publisher, model))
        assert eventually(lambda: blocks(indexer, model) == 4)


def test_without_a_replay_a_gap_is_a_loss_and_no_lie(indexer, model):
    with EventPublisher("tcp://127.0.0.1:*") as publisher:
        store(publisher, 0, 2)
        indexer.register(publisher, model, replay=False)
        assert eventually(lambda: hears(indexer, publisher, model))
        store(publisher, 2, 2)  # its parent is unknown there
        publisher.stored([9], None, [9] * BLOCK_TOKENS, BLOCK_TOKENS, Medium.SHARED)
        assert eventually(lambda: indexer.blocks([9] * BLOCK_TOKENS, model))
        assert blocks(indexer, model) == 0


def test_removing_a_middle_block_hides_what_is_behind_it(indexer, model):
    with publishing(indexer, model) as publisher:
        store(publisher, 0, 6)
        assert eventually(lambda: blocks(indexer, model) == 6)
        publisher.removed(HASHES[2:3], Medium.SHARED)
        assert eventually(lambda: blocks(indexer, model) == 2)


def test_a_long_chain_is_told_at_once(indexer, model):
    with publishing(indexer, model) as publisher:
        store(publisher, 0, 6)
        assert eventually(lambda: blocks(indexer, model) == 6)
