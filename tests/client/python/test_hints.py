"""What an engine says of a block's future decides, in a real node, which block goes first."""

import cairn
import numpy as np
import pytest
from conftest import BLOCK_BYTES, hashes
from daemons import running_cluster

CHAIN = 64
FILLER = 16  # blocks of a chain that is only there to fill the node
NODE_BLOCKS = (256 << 20) // BLOCK_BYTES


@pytest.fixture
def client(tmp_path, namespace):
    """Of a node whose memory is one shard."""
    with (
        running_cluster(tmp_path, "--node.reactors", "1") as alone,
        cairn.Client(alone.coordinator, namespace, alone.tenant_file, timeout_s=5) as connected,
    ):
        yield connected


@pytest.fixture
def store(client):
    """store(salt, blocks, **hints): a chain."""
    memory = np.random.default_rng(1).integers(0, 256, CHAIN * BLOCK_BYTES, np.uint8)
    with client.register(memory) as region:
        slots = region.slots(BLOCK_BYTES)

        def store_chain(salt: int, blocks: int = CHAIN, **hints) -> None:
            outcomes = client.put(client.chain(hashes(blocks, salt)), slots[:blocks], **hints)
            assert all(outcome.ok for outcome in outcomes)

        yield store_chain


def fill(store, stored: int) -> None:
    """Until some blocks had to go, fewer than one of the chains before has."""
    for salt in range(100, 100 + (NODE_BLOCKS - stored + CHAIN // 2) // FILLER):
        store(salt, FILLER)


def held(client, salt: int) -> int:
    with client.match(client.chain(hashes(CHAIN, salt))) as match:
        return match.blocks


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({}, {"one_off": True}),
        ({}, {"priority": -1}),
        ({"will_return": True}, {}),
        ({"priority": 1}, {}),
    ],
    ids=["one_off", "low", "will_return", "high"],
)
def test_the_newer_goes_first_when_the_hints_say_so(client, store, older, newer):
    store(1, **older)
    store(2, **newer)
    fill(store, 2 * CHAIN)
    assert held(client, 1) == CHAIN
    assert held(client, 2) < CHAIN


def test_without_hints_the_older_goes_first(client, store):
    store(1)
    store(2)
    fill(store, 2 * CHAIN)
    assert held(client, 1) < CHAIN
    assert held(client, 2) == CHAIN
