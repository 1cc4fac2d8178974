"""cairn.lmcache without LMCache: blocks that belong to no chain, against real daemons."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from cairn.connector import Options, Refusal, Statistics
from cairn.connector.packed import connector
from cairn.lmcache import identity
from cairn.lmcache.object_store import ROUNDS_MAX, Arena, ObjectStore
from cairn.outcome import Outcome

BLOCK_BYTES = 1 << 20
SLOTS = 48
WAIT_S = 30
CLUSTER_BLOCKS = (256 << 20) // BLOCK_BYTES


class Store:
    """An ObjectStore whose calls wait, and memory of SLOTS blocks to move from and to."""

    def __init__(self, cluster, namespace, **given):
        where = {"coordinators": cluster.coordinator, "tenant_file": str(cluster.tenant_file)}
        patient = {"lookup_ms": 5_000, "load_ms": 10_000, "save_ms": 10_000}
        self.options = Options.from_mapping(where | patient | given, {})
        self.memory = np.zeros((SLOTS, BLOCK_BYTES), np.uint8)
        self.arena = Arena(self.memory.ctypes.data, self.memory.nbytes)
        self.statistics = Statistics()
        connect = connector(self.options, namespace)
        self.objects = ObjectStore(connect, self.arena, self.options, self.statistics)
        self.objects.wait_for_first_try()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.objects.close()

    def fill(self, slot, seed):
        self.memory[slot] = np.random.default_rng(seed).integers(0, 256, BLOCK_BYTES, np.uint8)

    def extents(self, slots):
        address = self.memory.ctypes.data
        return self.arena.extents([(address + slot * BLOCK_BYTES, BLOCK_BYTES) for slot in slots])

    def store(self, seeds, first_slot=0):
        slots = range(first_slot, first_slot + len(seeds))
        for slot, seed in zip(slots, seeds, strict=True):
            self.fill(slot, seed)
        return wait_for(
            lambda done: self.objects.store(named(seeds), self.extents(slots), done)
        ).tolist()

    def load(self, seeds, first_slot):
        slots = range(first_slot, first_slot + len(seeds))
        self.memory[first_slot : first_slot + len(seeds)] = 0
        return wait_for(
            lambda done: self.objects.load(named(seeds), self.extents(slots), done)
        ).tolist()

    def look_up(self, *rows):
        return wait_for(lambda done: self.objects.look_up([named(r) for r in rows], done)).tolist()

    def holds(self, slot, seed):
        right = np.random.default_rng(seed).integers(0, 256, BLOCK_BYTES, np.uint8)
        return np.array_equal(self.memory[slot], right)


def named(seeds):
    return [seed.to_bytes(32, "little") for seed in seeds]


def wait_for(begin):
    ended = threading.Event()
    results = []

    def done(result):
        results.append(result)
        ended.set()

    begin(done)
    assert ended.wait(WAIT_S)
    assert len(results) == 1
    return results[0]


def eventually(probe):
    limit = time.monotonic() + WAIT_S
    while not (answer := probe()) and time.monotonic() < limit:
        time.sleep(0.01)
    return answer


def all_ok(reasons):
    return all(reason == Outcome.OK for reason in reasons)


def test_what_is_stored_is_found_and_comes_back(cluster, namespace):
    with Store(cluster, namespace) as store:
        seeds = list(range(20))
        assert store.look_up(seeds) == [False] * 20
        assert all_ok(store.store(seeds))
        assert store.look_up(seeds) == [True] * 20
        assert all_ok(store.load(seeds, 20))
        assert all(store.holds(20 + seed, seed) for seed in seeds)
        assert store.statistics.totals()["loaded_bytes"] == 20 * BLOCK_BYTES


def test_another_engine_finds_it(cluster, namespace):
    with Store(cluster, namespace) as writer, Store(cluster, namespace) as reader:
        assert all_ok(writer.store([1, 2, 3]))
        assert eventually(lambda: all(reader.look_up([1, 2, 3])))
        assert all_ok(reader.load([1, 2, 3], 0))
        assert reader.holds(2, 3)


def test_gaps_and_rows_are_told_apart(cluster, namespace):
    with Store(cluster, namespace) as store:
        store.store([1, 2, 4, 11, 13])
        found = store.look_up([1, 2, 3, 4], [], [11, 12, 13], [21])
        assert found == [True, True, False, True, True, False, True, False]


def test_what_is_behind_too_many_gaps_counts_as_absent(cluster, namespace):
    with Store(cluster, namespace) as store:
        there = [10 * i for i in range(1, ROUNDS_MAX + 3)]
        assert all_ok(store.store(there))
        row = [seed + offset for seed in there for offset in (0, 1)]
        found = store.look_up(row)
        assert found == [True, False] * ROUNDS_MAX + [False, False] * 2


def test_storing_again_is_no_error_and_other_bytes_lose(cluster, namespace):
    with Store(cluster, namespace) as store:
        assert all_ok(store.store([5]))
        assert all_ok(store.store([5]))
        store.fill(1, seed=6)
        (reason,) = wait_for(
            lambda done: store.objects.store(named([5]), store.extents([1]), done)
        ).tolist()
        assert reason == Outcome.CONFLICT
        assert eventually(lambda: all_ok(store.load([5], 2))), "its place is asked for anew"
        assert store.holds(2, 5)


def test_what_was_found_stays_until_it_is_unlocked(own_cluster, namespace):
    with Store(own_cluster, namespace) as store:
        assert all_ok(store.store([0, 1]))
        assert store.look_up([0]) == [True]
        flood(store, 1000)
        assert store.load([0, 1], 0) == [Outcome.OK, Outcome.ABSENT]
        store.objects.unlock(named([0]))
        flood(store, 100_000)
        assert store.load([0], 0) == [Outcome.ABSENT]


def test_each_lookup_locks_once_more(own_cluster, namespace):
    with Store(own_cluster, namespace) as store:
        store.store([0])
        assert store.look_up([0]) == [True]
        assert store.look_up([0]) == [True]
        store.objects.unlock(named([0]))
        flood(store, 1000)
        assert store.load([0], 0) == [Outcome.OK]


def test_a_lock_that_is_never_released_ends_with_its_lease(own_cluster, namespace):
    with Store(own_cluster, namespace, lease_ms=300) as store:
        store.store([0])
        assert store.look_up([0]) == [True]
        limit = time.monotonic() + WAIT_S
        seed = 1000
        while store.load([0], 0) == [Outcome.OK] and time.monotonic() < limit:
            flood(store, seed)
            seed += 100_000
        assert store.load([0], 0) == [Outcome.ABSENT]
        assert not store.objects._locks.of_hash


def flood(store, first_seed):
    """More than the cluster's memory holds."""
    for seed in range(first_seed, first_seed + 2 * CLUSTER_BLOCKS, 16):
        store.store(range(seed, seed + 16), first_slot=32)


def test_unlocking_what_is_not_locked_does_nothing(cluster, namespace):
    with Store(cluster, namespace) as store:
        store.objects.unlock(named([1, 2, 3]))
        assert store.look_up([1]) == [False]


def test_without_a_cluster_everything_ends_at_once(namespace, tmp_path):
    nowhere = SimpleNamespace(coordinator="127.0.0.1:1", tenant_file=tmp_path / "none")
    nowhere.tenant_file.write_text(f"cairn-tenant-v1 a {bytes(32).hex()}\n")
    with Store(nowhere, namespace, connect_ms=200) as store:
        assert store.look_up([1, 2]) == [False, False]
        assert store.store([1]) == [Outcome.NO_COORDINATOR]
        assert store.load([1], 0) == [Outcome.NO_COORDINATOR]


def test_a_frozen_cluster_costs_a_deadline_and_then_nothing(own_cluster, namespace):
    with Store(own_cluster, namespace, lookup_ms=200, load_ms=300, save_ms=300) as store:
        assert all_ok(store.store([1, 2]))
        own_cluster.freeze()
        begun = time.monotonic()
        assert store.load([1, 2], 4) == [Outcome.DEADLINE] * 2
        assert not all_ok(store.store([3]))
        assert time.monotonic() - begun < 5
        for _ in range(8):
            assert store.look_up([7, 8]) == [False, False]
        begun = time.monotonic()
        assert store.look_up([7]) == [False]
        assert time.monotonic() - begun < 0.15, "nobody is asked any more"
        before = store.memory.copy()
        own_cluster.process.send_signal(18)  # SIGCONT: nothing lands late
        time.sleep(0.2)
        assert np.array_equal(store.memory, before)


def test_a_turned_bit_is_refused_and_counted(own_cluster, namespace):
    with Store(own_cluster, namespace) as store:
        store.store([1, 2])
        own_cluster.turn_bits()
        assert store.load([1, 2], 4) == [Outcome.CHECKSUM] * 2
        assert store.statistics.totals()["wrong_bytes_blocks"] == 2


def test_a_killed_cluster_is_a_miss(own_cluster, namespace):
    with Store(own_cluster, namespace, lookup_ms=300, load_ms=500) as store:
        store.store([1])
        own_cluster.process.kill()
        own_cluster.process.wait(30)
        assert store.load([1], 4) != [Outcome.OK]
        assert store.look_up([1]) == [False]


def test_close_ends_what_is_under_way(own_cluster, namespace):
    store = Store(own_cluster, namespace, load_ms=60_000, lookup_ms=60_000)
    store.store([1])
    own_cluster.freeze()
    results = []
    store.objects.load(named([1]), store.extents([2]), results.append)
    store.objects.look_up([named([5])], results.append)
    store.objects.close()
    assert len(results) == 2
    store.objects.load(named([1]), store.extents([2]), results.append)
    assert results[2].tolist() == [Outcome.NO_COORDINATOR]


def test_two_threads_at_once(cluster, namespace):
    with Store(cluster, namespace) as store:
        wrong = []

        def work(base):
            for seed in range(base, base + 40):
                slot = 8 if base else 0
                if not all_ok(store.store([seed], slot)) or store.look_up([seed]) != [True]:
                    wrong.append(seed)
                if not all_ok(store.load([seed], slot + 1)) or not store.holds(slot + 1, seed):
                    wrong.append(seed)

        threads = [threading.Thread(target=work, args=(base,)) for base in (0, 1000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


def test_a_place_outside_the_arena_is_refused():
    arena = Arena(4096, 8192)
    arena.extents([(4096, 8192)])
    for place in ((4095, 1), (4096, 8193), (12288, 1)):
        with pytest.raises(ValueError, match="not in the arena"):
            arena.extents([place])


KEY = {
    "chunk_hash": b"12",
    "model_name": "m",
    "kv_rank": 1,
    "object_group_id": 0,
    "cache_salt": "",
}


@pytest.mark.parametrize(
    "other",
    [
        {"chunk_hash": b"1", "model_name": "2m"},
        {"model_name": "n"},
        {"kv_rank": 2},
        {"object_group_id": 1},
        {"cache_salt": "s"},
        {"model_name": "", "cache_salt": "m"},
    ],
)
def test_keys_that_differ_in_any_field_share_nothing(other):
    hashes = identity.part_hashes(SimpleNamespace(**KEY), 3)
    assert len(set(hashes)) == 3
    assert identity.part_hashes(SimpleNamespace(**KEY), 1) == hashes[:1]
    assert not set(hashes) & set(identity.part_hashes(SimpleNamespace(**KEY | other), 3))


def test_settings_that_lack_an_identity_are_refused_by_name():
    given = {"coordinators": "c:1", "tenant_file": "t", "kv_dtype": "bf16"}
    digest = {"model_digest": "ab" * 32}
    _, namespace = identity.parse_settings(given | digest, "0.5.6", {})
    assert namespace.model_digest == b"\xab" * 32
    _, upgraded = identity.parse_settings(given | digest, "0.5.7", {})
    assert upgraded != namespace
    for bad, field in (
        (given, "model_digest"),
        (given | {"model_digest": "xyz"}, "model_digest"),
        (given | digest | {"kv_dtype": ""}, "kv_dtype"),
        (given | digest | {"kv_dtyp": "x"}, "kv_dtyp"),
    ):
        with pytest.raises(Refusal, match=field):
            identity.parse_settings(bad, "0.5.6", {})
