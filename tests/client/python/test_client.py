"""The blocking client against real daemons."""

import os
import signal
import threading
import time

import cairn
import numpy as np
import pytest
from conftest import BLOCK_BYTES, hashes

BLOCKS = 8


@pytest.fixture
def memory() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, BLOCKS * BLOCK_BYTES, dtype=np.uint8)


def test_what_was_put_is_matched_and_fetched(client, memory):
    stored = memory.copy()
    with client.register(memory) as region:
        slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
        assert all(outcome.ok for outcome in client.put(chain, slots))
        memory[:] = 0
        with client.match(chain) as match:
            assert (match.blocks, match.miss) == (BLOCKS, cairn.Outcome.OK)
            assert client.get(chain, slots, match=match) == [cairn.Outcome.OK] * BLOCKS
        assert np.array_equal(memory, stored)
    counters = client.statistics()
    assert counters["get_bytes"] == counters["put_bytes"] == BLOCKS * BLOCK_BYTES
    assert 0 < counters["get_p50_ns"] <= counters["get_p99_ns"]


def test_client_and_server_know_each_others_version(client):
    assert client.server_version == cairn.__version__


def test_a_miss_is_a_value(client, memory):
    with client.register(memory) as region:
        chain = client.chain(hashes(BLOCKS))
        match = client.match(chain)
        assert (match.blocks, match.miss) == (0, cairn.Outcome.ABSENT)
        outcomes = client.get(chain, region.slots(BLOCK_BYTES))
        assert outcomes == [cairn.Outcome.ABSENT] * BLOCKS
        assert not any(outcome.ok for outcome in outcomes)


def test_a_match_ends_where_the_chain_is_broken(client, memory):
    with client.register(memory) as region:
        slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
        client.put(chain, slots[:5])
        with client.match(chain) as match:
            assert (match.blocks, match.miss) == (5, cairn.Outcome.ABSENT)
        client.put(chain, slots[5:], first=5)
        with client.match(chain) as match:
            assert match.blocks == BLOCKS


def test_blocks_of_many_pieces(client):
    """As vLLM lays them out: [layers, blocks, bytes]."""
    layers, piece_bytes = 4, BLOCK_BYTES // 4
    cache = np.random.default_rng(1).random((layers, BLOCKS, piece_bytes // 8))
    stored = cache.copy()
    with client.register(cache) as region:
        stride = BLOCKS * piece_bytes
        slots = [
            region.strided(i * piece_bytes, stride, layers, piece_bytes) for i in range(BLOCKS)
        ]
        chain = client.chain(hashes(BLOCKS))
        assert all(outcome.ok for outcome in client.put(chain, slots))
        cache[:] = 0
        assert all(outcome.ok for outcome in client.get(chain, slots[::-1][::-1]))
        assert np.array_equal(cache, stored)


def test_pieces_are_joined_in_order(client, memory):
    half = BLOCK_BYTES // 2
    with client.register(memory) as region:
        chain = client.chain(hashes(1))
        assert client.put(chain, [region.slot(half, half) + region.slot(0, half)])[0].ok
        first = memory[:BLOCK_BYTES].copy()
        assert client.get(chain, [region.slot(BLOCK_BYTES, BLOCK_BYTES)])[0].ok
        assert np.array_equal(memory[BLOCK_BYTES : BLOCK_BYTES + half], first[half:])
        assert np.array_equal(memory[BLOCK_BYTES + half : 2 * BLOCK_BYTES], first[:half])


def test_a_tensor_per_layer_is_one_region(client):
    layers, piece_bytes = 4, BLOCK_BYTES // 4
    cache = [np.random.default_rng(i).random((BLOCKS, piece_bytes // 8)) for i in range(layers)]
    stored = [layer.copy() for layer in cache]
    with client.register(cache) as region:
        layer_bytes = BLOCKS * piece_bytes
        assert region.size_bytes == layers * layer_bytes
        slots = [
            region.strided(i * piece_bytes, layer_bytes, 1, piece_bytes)
            + region.slot(layer_bytes + i * piece_bytes, piece_bytes)
            + region.slot(2 * layer_bytes + i * piece_bytes, piece_bytes)
            + region.slot(3 * layer_bytes + i * piece_bytes, piece_bytes)
            for i in range(BLOCKS)
        ]
        chain = client.chain(hashes(BLOCKS))
        assert all(outcome.ok for outcome in client.put(chain, slots))
        for layer in cache:
            layer[:] = 0
        assert all(outcome.ok for outcome in client.get(chain, slots))
        assert all(map(np.array_equal, cache, stored))
        with pytest.raises(cairn.CairnError, match="runs from one piece of its region into the"):
            client.get(chain, [region.slot(layer_bytes - 1, BLOCK_BYTES)])


def test_put_behind_takes_a_copy(client, memory):
    stored = memory.copy()
    with client.register(memory) as region:
        slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
        client.put_behind(chain, slots)
        memory[:] = 0xEE
        client.flush()
        assert all(outcome.ok for outcome in client.get(chain, slots))
        assert np.array_equal(memory, stored)


@pytest.mark.parametrize(
    "make", [bytearray, lambda n: np.zeros(n, np.float16)], ids=["bytes", "f16"]
)
def test_any_writable_buffer_is_a_region(client, make):
    buffer = make(2 * BLOCK_BYTES)
    with client.register(buffer) as region:
        assert region.size_bytes == memoryview(buffer).nbytes
        chain = client.chain(hashes(1))
        assert client.put(chain, [region.slot(0, BLOCK_BYTES)])[0].ok
        assert client.get(chain, [region.slot(BLOCK_BYTES, BLOCK_BYTES)])[0].ok


def test_a_tensor_is_a_region(client):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    cache = torch.rand(2, BLOCK_BYTES // 2).to(torch.bfloat16)
    with client.register(cache) as region:
        assert region.size_bytes == 2 * BLOCK_BYTES
        chain = client.chain(hashes(1))
        assert client.put(chain, [region.slot(0, BLOCK_BYTES)])[0].ok
        cache[1] = 0
        assert client.get(chain, [region.slot(BLOCK_BYTES, BLOCK_BYTES)])[0].ok
        assert torch.equal(cache[0], cache[1])


@pytest.mark.parametrize(
    ("buffer", "text"),
    [
        (b"readonly", "must be writable"),
        (np.zeros((64, 64))[:, ::2], "C-contiguous"),
        (bytearray(), "empty"),
        (7, "neither a buffer nor a tensor"),
    ],
)
def test_other_memory_is_refused(client, buffer, text):
    with pytest.raises(cairn.CairnError, match=text) as caught:
        client.register(buffer)
    assert caught.value.code == "invalid_argument"


def test_a_closed_region_is_refused(client, memory):
    region = client.register(memory)
    slot = region.slot(0, BLOCK_BYTES)
    region.close()
    region.close()
    with pytest.raises(cairn.CairnError, match="region: closed"):
        client.put(client.chain(hashes(1)), [slot])


def test_a_slot_beyond_its_region_is_refused(client, memory):
    with client.register(memory) as region:
        for bad in [(len(memory), 1), (-1, 4), (0, 0), (1, len(memory))]:
            with pytest.raises(cairn.CairnError, match="slot: "):
                region.slot(*bad)


def test_mistakes_name_the_field(client, memory):
    with client.register(memory) as region:
        chain = client.chain(hashes(2))
        with pytest.raises(cairn.CairnError, match="slots: 2 from position 1"):
            client.get(chain, region.slots(BLOCK_BYTES)[:2], first=1)
        with pytest.raises(cairn.CairnError, match="timeout_s: 0"):
            client.match(chain, timeout_s=0)
        with pytest.raises(cairn.CairnError, match="of one length"):
            client.chain([b"a", b"bb"])
        with pytest.raises(cairn.CairnError, match="hash_bytes: 65"):
            client.chain([b"x" * 65])


def test_a_client_is_for_one_thread(client):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with client._session.entered():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    with pytest.raises(cairn.CairnError, match="in use by another thread"):
        client.statistics()
    leave.set()
    thread.join()


def own_client(cluster, namespace):
    return cairn.Client(cluster.coordinator, namespace, cluster.tenant_file)


def test_the_gil_is_released_while_a_call_waits(own_cluster, namespace, memory):
    """With the daemon stopped a get runs to its deadline; Python goes on meanwhile."""
    with own_client(own_cluster, namespace) as client, client.register(memory) as region:
        slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
        assert all(outcome.ok for outcome in client.put(chain, slots, timeout_s=10))
        own_cluster.freeze()
        ticks, ended = [], threading.Event()

        def tick():
            while not ended.wait(0.01):
                ticks.append(time.monotonic())

        thread = threading.Thread(target=tick)
        thread.start()
        begun = time.monotonic()
        outcomes = client.get(chain, slots, timeout_s=1)
        took = time.monotonic() - begun
        ended.set()
        thread.join()
    assert not any(outcome.ok for outcome in outcomes)
    assert took < 3, "P2: the call ends by its deadline"
    assert len(ticks) > 10


def test_a_timeout_leaves_the_slots_alone(own_cluster, namespace, memory):
    """P6: what comes after the deadline never lands."""
    with own_client(own_cluster, namespace) as client, client.register(memory) as region:
        slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
        assert all(outcome.ok for outcome in client.put(chain, slots, timeout_s=10))
        own_cluster.freeze()
        client.get(chain, slots, timeout_s=0.2)
        memory[:] = 0x5A
        own_cluster.process.send_signal(signal.SIGCONT)
        other = client.chain(hashes(1, salt=3))
        client.match(other, timeout_s=3)
        assert (memory == 0x5A).all()


def test_wrong_options_are_refused(cluster, namespace, tmp_path):
    with pytest.raises(cairn.CairnError) as caught:
        cairn.Client(cluster.coordinator, namespace, "/no/such/file")
    assert caught.value.code == "not_found"
    wrong = tmp_path / "wrong"
    with open(cluster.tenant_file) as file:
        word, name, secret = file.read().split()
    wrong.write_text(f"{word} {name} {'00' * (len(secret) // 2)}\n")
    os.chmod(wrong, 0o600)
    with pytest.raises(cairn.CairnError) as caught:
        cairn.Client(cluster.coordinator, namespace, str(wrong))
    assert caught.value.code == "unauthenticated"
    with pytest.raises(cairn.CairnError, match=r"127\.0\.0\.1:1\b") as caught:
        cairn.Client(["127.0.0.1:1"], namespace, cluster.tenant_file, connect_timeout_s=0.5)
    assert caught.value.code == "unavailable"


def test_a_namespace_names_its_wrong_field(namespace):
    import dataclasses

    for change, text in [
        ({"model_digest": b"short"}, "model_digest: 5 bytes"),
        ({"adapter_digest": b"x"}, "adapter_digest: 1 bytes"),
    ]:
        with pytest.raises(cairn.CairnError, match=text):
            dataclasses.replace(namespace, **change)
    with pytest.raises(cairn.CairnError, match="layers: -1"):
        dataclasses.replace(namespace, layers=-1).to_c()


def test_namespaces_do_not_meet(cluster, client, namespace, memory):
    import dataclasses

    other = dataclasses.replace(namespace, tensor_parallel_rank=1, tensor_parallel_size=2)
    with client.register(memory) as region:
        client.put(client.chain(hashes(4)), region.slots(BLOCK_BYTES)[:4])
    with cairn.Client(cluster.coordinator, other, cluster.tenant_file) as rank_one:
        chain = rank_one.chain(hashes(4))
        assert chain[0] != client.chain(hashes(4))[0]
        assert rank_one.match(chain).blocks == 0


def test_outcomes_are_the_librarys_words():
    from cairn._library import library

    for outcome in cairn.Outcome:
        word = library.cairn_miss_reason_name(outcome).decode()
        expected = {"OK": "none"}.get(outcome.name, outcome.name.lower())
        assert word.replace("-", "_").replace(" ", "_") == expected, outcome
    newest = max(o for o in cairn.Outcome if o is not cairn.Outcome.UNKNOWN)
    assert library.cairn_miss_reason_name(newest + 1) == b"unknown"
    assert cairn.Outcome(newest + 1) is cairn.Outcome.UNKNOWN


def test_a_closed_client_is_refused(cluster, namespace):
    client = cairn.Client(cluster.coordinator, namespace, cluster.tenant_file)
    region = client.register(bytearray(BLOCK_BYTES))
    client.close()
    client.close()
    with pytest.raises(cairn.CairnError, match="client: closed"):
        client.statistics()
    region.close()
