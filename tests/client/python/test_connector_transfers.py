"""The worker's half against real daemons: bytes, deadlines, fences."""

import signal
import time

import numpy as np
import pytest
from cairn.connector import Transfers, packed
from cairn.connector.packed import ChainPart, PackedClient, chain_base, run_starts
from cairn.outcome import Outcome
from conftest import hashes
from connectors import BLOCKS, ended, load_of, make_engine, new_statistics, save_of, until


@pytest.fixture
def engine(cluster, request):
    return make_engine(cluster, request.node.nodeid)


@pytest.fixture
def transfers(engine):
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    yield moving
    moving.close()


def test_what_was_saved_loads_into_other_blocks(engine, transfers):
    stored = engine.cache.copy()
    transfers.save(save_of("a", list(range(10))))
    (saved,) = ended(transfers)
    assert saved.ok and not saved.is_load
    transfers.load(load_of("b", list(range(30, 40))))
    (loaded,) = ended(transfers)
    assert loaded.ok and loaded.is_load and loaded.job.owner == "b"
    assert np.array_equal(engine.cache[:, 30:40], stored[:, :10])
    assert np.array_equal(engine.cache[:, 40:], stored[:, 40:]), "nothing else was touched"


def test_a_chain_saved_in_parts_loads_from_its_middle(engine, transfers):
    stored = engine.cache.copy()
    for first, count in ((0, 1), (1, 4), (5, 30), (35, 13)):
        transfers.save(save_of("a", list(range(first, first + count)), first))
        assert ended(transfers)[0].ok, f"part from {first}"
    transfers.load(load_of("b", list(range(50, 58)), first=33))
    assert ended(transfers)[0].ok
    assert np.array_equal(engine.cache[:, 50:58], stored[:, 33:41])


def test_layers_in_tensors_of_their_own(cluster):
    engine = make_engine(cluster, "apart", apart=True)
    assert len(engine.layout.buffers) > 1
    stored = [layer.copy() for layer in engine.cache]
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    moving.save(save_of("a", [3, 1, 2]))
    assert ended(moving)[0].ok
    moving.load(load_of("b", [7, 8, 9]))
    assert ended(moving)[0].ok
    moving.close()
    for layer, before in zip(engine.cache, stored, strict=True):
        assert np.array_equal(layer[[7, 8, 9]], before[[3, 1, 2]])


def test_what_is_absent_is_named_block_by_block(engine, transfers):
    transfers.save(save_of("a", [0, 1, 2]))
    ended(transfers)
    transfers.load(load_of("b", [10, 11, 12, 13, 14]))
    (loaded,) = ended(transfers)
    assert loaded.reasons.tolist() == [0, 0, 0, Outcome.ABSENT, Outcome.ABSENT]
    assert loaded.bad_block_ids() == [13, 14]


def test_statistics_name_the_reasons(engine):
    statistics = new_statistics()
    moving = Transfers([engine.group()], engine.options, statistics)
    until(lambda: moving.is_connected)
    moving.save(save_of("a", [0, 1]))
    ended(moving)
    moving.load(load_of("b", [5, 6, 7]))
    ended(moving)
    moving.close()
    moved = statistics.take()
    assert moved["saved_blocks"] == moved["loaded_blocks"] == 2
    assert moved["loaded_bytes"] == 2 * engine.layout.block_bytes
    assert moved["miss_absent_blocks"] == 1
    assert "wrong_bytes_blocks" not in moved
    assert statistics.take() == {}


def test_saves_behind_free_their_blocks_at_the_fence(engine, transfers):
    stored = engine.cache.copy()
    transfers.save(save_of("a", list(range(20))), behind=True)
    transfers.fence(range(20))
    engine.cache[:, :20] = 0
    assert ended(transfers)[0].ok
    transfers.load(load_of("b", list(range(20, 40))))
    assert ended(transfers)[0].ok
    assert np.array_equal(engine.cache[:, 20:40], stored[:, :20])


def test_a_fence_waits_for_the_saves_of_its_blocks(engine, transfers):
    stored = engine.cache.copy()
    transfers.save(save_of("a", list(range(40))))
    transfers.save(save_of("b", [50, 51], salt=1))
    transfers.fence([0, 39])
    engine.cache[:, :40] = 0
    transfers.fence()
    assert all(job.ok for job in ended(transfers, 2))
    transfers.load(load_of("c", list(range(40))))
    assert ended(transfers)[0].ok
    assert np.array_equal(engine.cache[:, :40], stored[:, :40])


def test_a_fence_without_saves_returns_at_once(transfers):
    begun = time.monotonic()
    transfers.fence([1, 2])
    transfers.fence()
    assert time.monotonic() - begun < 0.1


def test_a_fence_of_other_blocks_does_not_wait(own_cluster):
    engine = make_engine(own_cluster, "other", save_ms=1500)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    own_cluster.freeze()
    moving.save(save_of("a", [1, 2, 3]))
    moving.fence([4, 5])
    assert not moving.finished(), "the save is still under way"
    moving.fence([9, 3])
    assert moving.finished()
    moving.close()


def test_a_stopped_node_costs_a_deadline_and_nothing_lands_late(own_cluster):
    engine = make_engine(own_cluster, "stopped", load_ms=300, save_ms=300)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    moving.save(save_of("a", list(range(8))))
    assert ended(moving)[0].ok
    own_cluster.freeze()
    begun = time.monotonic()
    moving.load(load_of("b", list(range(20, 28))))
    moving.save(save_of("c", list(range(8)), salt=1))
    moving.fence([7])
    over = ended(moving, 2)
    assert time.monotonic() - begun < 3
    assert not any(job.ok for job in over)
    engine.cache[:] = 7
    own_cluster.process.send_signal(signal.SIGCONT)
    until(lambda: moving.load(load_of("d", [60])) or ended(moving)[0].ok, "the node's return")
    assert (engine.cache[:, :60] == 7).all()
    moving.close()


def test_without_a_cluster_jobs_end_at_once(cluster):
    engine = make_engine(cluster, "down", coordinators="127.0.0.1:1", connect_ms=100)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    moving.load(load_of("a", [1, 2]))
    moving.save(save_of("b", [3]))
    moving.fence([3])
    reasons = {job.job.owner: set(job.reasons.tolist()) for job in ended(moving, 2)}
    assert reasons == {"a": {Outcome.NO_COORDINATOR}, "b": {Outcome.NO_COORDINATOR}}
    moving.close()


def test_a_fence_does_not_wait_for_a_connection(cluster):
    engine = make_engine(cluster, "down", coordinators="127.0.0.1:1", connect_ms=5000)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    begun = time.monotonic()
    for block in range(20):
        moving.save(save_of("a", [block]))
        moving.fence([block])
    assert time.monotonic() - begun < 2
    moving.close()


def test_saves_beyond_the_bound_are_skipped(cluster):
    engine = make_engine(cluster, "bound", saving_blocks_max=4)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    moving.save(save_of("a", list(range(5))))
    assert set(ended(moving)[0].reasons.tolist()) == {Outcome.OVERLOAD}
    moving.save(save_of("a", list(range(4))))
    assert ended(moving)[0].ok
    moving.close()


def test_closing_ends_every_job(own_cluster):
    engine = make_engine(own_cluster, "closing", load_ms=20_000)
    moving = Transfers([engine.group()], engine.options, new_statistics())
    until(lambda: moving.is_connected)
    own_cluster.freeze()
    moving.load(load_of("a", [1]))
    moving.close()
    moving.load(load_of("b", [2]))
    moving.close()
    assert [job.ok for job in ended(moving, 2)] == [False, False]


def test_blocks_that_the_engine_has_not_are_refused(transfers):
    transfers.load(load_of("a", [BLOCKS]))
    assert not ended(transfers)[0].ok


def test_a_load_costs_little_python_per_block(engine, transfers):
    """The bar is 5 us a block; here with a wide margin for a busy machine."""
    transfers.save(save_of("a", list(range(BLOCKS))))
    assert ended(transfers)[0].ok
    client = engine.connect()
    region = client.register(engine.layout.memory())
    ids = np.arange(BLOCKS)
    packed, rounds = b"".join(hashes(BLOCKS)), 50
    begun = time.process_time()
    for _ in range(rounds):
        keys = client.keys(packed, 32)
        batch = client.get(keys, engine.layout.extents(ids), region, 5)
        assert len(batch.reasons) == BLOCKS
    spent_us = 1e6 * (time.process_time() - begun) / (rounds * BLOCKS)
    until(lambda: client.poll() == 0 and not client.pending)
    client.close()
    assert spent_us < 15, f"{spent_us:.1f} us a block"


class Counting:
    """The library, and how often it was called without the interpreter's lock."""

    def __init__(self, library: object) -> None:
        self._library = library
        self.calls = 0

    def __getattr__(self, name: str) -> object:
        self.calls += 1
        return getattr(self._library, name)


def test_a_load_takes_the_interpreters_lock_a_few_times_not_once_a_block(
    engine, transfers, monkeypatch
):
    """Each time costs 5 ms where the engine's own thread computes."""
    transfers.save(save_of("a", list(range(BLOCKS))))
    assert ended(transfers)[0].ok
    counting = Counting(packed.library)
    monkeypatch.setattr(packed, "library", counting)
    transfers.load(load_of("b", list(range(BLOCKS))))
    assert ended(transfers)[0].ok
    assert 0 < counting.calls <= BLOCKS / 8


def test_chains_reach_back_to_run_and_parent():
    assert [chain_base(position) for position in (0, 1, 2, 3, 7, 32, 33, 64)] == [
        0, 0, 1, 2, 4, 31, 32, 63,
    ]  # fmt: skip
    assert run_starts(np.arange(5000))[[0, 5, 31, 40, 4999]].tolist() == [0, 4, 16, 32, 4992]


def test_a_part_of_a_chain_is_filled_as_the_whole():
    from cairn.connector.packed import KEY, TRANSFER

    keys = np.frombuffer(b"".join(hashes(50)), KEY)[::2].copy()
    whole = np.zeros(50, TRANSFER)
    ChainPart(keys, 0).fill(whole)
    for first in (1, 5, 17, 33, 40):
        base = chain_base(first)
        part = np.zeros(50 - first, TRANSFER)
        ChainPart(keys[base:], base).fill(part)
        assert part.tobytes() == whole[first:].tobytes()


def test_the_client_is_closed_with_its_batches(engine):
    client = engine.connect()
    assert isinstance(client, PackedClient)
    batch = client.match(client.keys(b"".join(hashes(3)), 32), 5)
    client.close()
    assert batch.ended and not client.pending
