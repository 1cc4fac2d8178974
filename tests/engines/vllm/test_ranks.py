"""Two tensor-parallel ranks, a namespace each: a block counts when both hold it."""

from collections import defaultdict

import msgspec
import pytest
import zmq
from cluster import free_port, until
from engines import BLOCK_TOKENS, PROMPTS, Engine, extra_config
from steps import FULL, check, computed, connect, warm


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def pair(folder, model, reference, cluster, port):
    words = ("--cairn", extra_config(cluster), "--tensor-parallel", 2)
    words += ("--events", f"tcp://*:{port}")
    with Engine(model, folder / "pair.log", *words) as engine:
        connect(cluster, engine)
        yield engine


@pytest.fixture
def events(pair, port):
    """Asked for once the engine serves."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.connect(f"tcp://127.0.0.1:{port}")
        socket.subscribe(b"")
        until(lambda: warm(pair, "basic") and socket.poll(100), "an event")
        yield socket


def test_two_ranks_load_what_two_ranks_stored(pair, reference):
    cold = computed(pair, "ranks")
    check(cold, reference, "ranks")
    again = warm(pair, "ranks")
    check(again, reference, "ranks")
    assert again.cached == FULL["ranks"]
    assert again.counters["cairn_loaded_blocks"] % 2 == 0
    assert again.counters["cairn_hit_tokens"] >= FULL["ranks"][0], "from Cairn at least once"


def test_the_engine_publishes_what_both_ranks_stored(pair, events):
    """In the form of its own events, with a medium that routers know."""
    stored: dict[str, set[bytes]] = defaultdict(set)
    computed(pair, "down")
    expected = len({tuple(p[:n]) for p in PROMPTS["down"] for n in _block_ends(p)})

    def collect() -> bool:
        while events.poll(0):
            _, _, payload = events.recv_multipart()
            for event in msgspec.msgpack.decode(payload)[1]:
                if event["type"] == "BlockStored":
                    stored[event["medium"]].update(event["block_hashes"])
        pair.generate([[9] * 8], 1)  # events come with steps
        return len(stored["EXTERNAL"]) >= expected

    until(collect, "events")
    assert stored["EXTERNAL"] <= stored["GPU"]


def _block_ends(prompt: list[int]) -> range:
    return range(BLOCK_TOKENS, len(prompt) + 1, BLOCK_TOKENS)
