"""The adapter as LMCache drives it: two threads, three descriptors, and faults."""

import os
import select
import threading
import time

import pytest
import torch
from cairn.connector import Refusal
from conftest import adapter_spec
from lmcache.v1.distributed.api import MemoryLayoutDesc, ObjectKey
from lmcache.v1.distributed.internal_api import L1MemoryDesc
from lmcache.v1.distributed.l2_adapters import create_l2_adapter
from lmcache.v1.distributed.l2_adapters.plugin_l2_adapter import PluginL2AdapterConfig
from lmcache.v1.memory_management import MemoryFormat, MemoryObjMetadata, TensorMemoryObj
from lmcache.v1.platform import consume_fd

WAIT_MS = 30_000
ELEMENTS = 32 << 10  # of an object: 64 KiB of bfloat16
PLACES = 32
PATIENT = {"lookup_ms": 5_000, "load_ms": 10_000, "save_ms": 10_000}


def object_key(number: int, **fields) -> ObjectKey:
    usual = {"chunk_hash": number.to_bytes(32, "big"), "model_name": "m", "kv_rank": 0}
    return ObjectKey(**usual | fields)


class Driver:
    """An adapter that LMCache made, memory for PLACES objects, and calls that wait."""

    def __init__(self, cluster, model, elements=ELEMENTS, **params):
        self.memory = torch.zeros(PLACES, elements, dtype=torch.bfloat16)
        desc = L1MemoryDesc(self.memory.data_ptr(), self.memory.nbytes, align_bytes=4096)
        spec = adapter_spec(cluster, model, **PATIENT | params)
        self.adapter = create_l2_adapter(PluginL2AdapterConfig.from_dict(spec), l1_memory_desc=desc)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.adapter.close()

    def object(self, place: int) -> TensorMemoryObj:
        raw = self.memory[place]
        shape = raw.shape
        metadata = MemoryObjMetadata(
            shape=shape,
            dtype=raw.dtype,
            address=raw.data_ptr(),
            phy_size=raw.nbytes,
            fmt=MemoryFormat.KV_2LTD,
            ref_count=1,
        )
        return TensorMemoryObj(raw, metadata, parent_allocator=None)

    def store(self, keys, places):
        task = self.adapter.submit_store_task(keys, [self.object(place) for place in places])
        results = wait(self.adapter.get_store_event_fd(), self.adapter.pop_completed_store_tasks)
        return results[task]

    def look_up(self, keys, layouts=None):
        task = self.adapter.submit_lookup_and_lock_task(keys, layouts or {})
        bitmap = wait(
            self.adapter.get_lookup_and_lock_event_fd(),
            lambda: self.adapter.query_lookup_and_lock_result(task),
        )
        assert self.adapter.query_lookup_and_lock_result(task) is None, "told once"
        return [bitmap.test(i) for i in range(len(keys))]

    def load(self, keys, places):
        task = self.adapter.submit_load_task(keys, [self.object(place) for place in places])
        bitmap = wait(
            self.adapter.get_load_event_fd(), lambda: self.adapter.query_load_result(task)
        )
        return [bitmap.test(i) for i in range(len(keys))]


def wait(descriptor, take):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    limit = time.monotonic() + WAIT_MS / 1000
    while (result := take()) in (None, {}):
        assert poll.poll(WAIT_MS) and time.monotonic() < limit
        consume_fd(descriptor)
    return result


@pytest.fixture
def driver(request, cluster):
    with Driver(cluster, request.node.name) as made:
        yield made


def fill(driver, places):
    for place in places:
        driver.memory[place] = place + 1


def test_each_kind_of_task_has_a_descriptor_of_its_own(driver):
    adapter = driver.adapter
    fds = {
        adapter.get_store_event_fd(),
        adapter.get_lookup_and_lock_event_fd(),
        adapter.get_load_event_fd(),
    }
    assert len(fds) == 3


def test_what_is_stored_is_found_locked_and_loaded(driver):
    keys = [object_key(i) for i in range(4)]
    fill(driver, range(4))
    result = driver.store(keys, range(4))
    assert result.is_successful()
    assert result.bytes_transferred() == 4 * 2 * ELEMENTS
    assert driver.adapter.get_usage().total_bytes_used == 4 * 2 * ELEMENTS
    unknown = object_key(99)
    assert driver.look_up([*keys[:2], unknown, *keys[2:]]) == [True, True, False, True, True]
    assert driver.load([*keys, unknown], range(8, 13)) == [True] * 4 + [False]
    assert torch.equal(driver.memory[8:12], driver.memory[:4])
    driver.adapter.submit_unlock([*keys, unknown])


def test_keys_that_differ_in_rank_group_or_salt_are_other_objects(driver):
    fill(driver, [0])
    assert driver.store([object_key(1)], [0]).is_successful()
    others = [
        object_key(1, kv_rank=1),
        object_key(1, object_group_id=1),
        object_key(1, cache_salt="s"),
        object_key(1, model_name="n"),
    ]
    assert driver.look_up(others) == [False] * 4


def test_another_process_of_lmcache_finds_it_and_another_model_does_not(request, cluster, driver):
    fill(driver, [0])
    driver.store([object_key(1)], [0])
    with Driver(cluster, request.node.name) as same, Driver(cluster, "other weights") as other:
        limit = time.monotonic() + WAIT_MS / 1000
        while not same.look_up([object_key(1)])[0] and time.monotonic() < limit:
            time.sleep(0.01)
        assert same.load([object_key(1)], [5]) == [True]
        assert torch.equal(same.memory[5], driver.memory[0])
        assert other.look_up([object_key(1)]) == [False]


def test_an_object_beyond_a_block_is_whole_or_absent(request, cluster):
    elements = 5 * (4 << 20) + 1000  # of two bytes: five blocks and a bit
    group = {0: MemoryLayoutDesc([torch.Size([elements])], [torch.bfloat16])}
    with Driver(cluster, request.node.name, elements, load_ms=30_000, save_ms=30_000) as driver:
        driver.memory[0] = torch.arange(elements, dtype=torch.float32).to(torch.bfloat16)
        assert driver.store([object_key(1)], [0]).is_successful()
        assert driver.look_up([object_key(1), object_key(2)], group) == [True, False]
        assert driver.load([object_key(1)], [1]) == [True]
        assert torch.equal(driver.memory[0], driver.memory[1])
        driver.adapter.submit_unlock([object_key(1)])


def test_an_object_of_another_size_is_a_miss(request, cluster, driver):
    fill(driver, [0])
    driver.store([object_key(1)], [0])
    with Driver(cluster, request.node.name, ELEMENTS // 2) as shorter:
        assert shorter.load([object_key(1)], [0]) == [False]
        assert not shorter.memory.any()


def test_two_threads_drive_it_at_once(driver):
    wrong = []

    def keep_storing():
        for number in range(100, 160):
            if not driver.store([object_key(number)], [0]).is_successful():
                wrong.append(number)

    fill(driver, range(2))
    assert driver.store([object_key(1)], [1]).is_successful()
    storing = threading.Thread(target=keep_storing)
    storing.start()
    while storing.is_alive():
        if driver.look_up([object_key(1)]) != [True] or driver.load([object_key(1)], [2]) != [True]:
            wrong.append(1)
        driver.adapter.submit_unlock([object_key(1)])
    storing.join()
    assert wrong == []


def test_a_turned_bit_is_a_miss(request, own_cluster):
    with Driver(own_cluster, request.node.name) as driver:
        fill(driver, range(3))
        keys = [object_key(i) for i in range(3)]
        assert driver.store(keys, range(3)).is_successful()
        own_cluster.turn_bits()
        assert driver.load(keys, range(8, 11)) == [False] * 3
        assert driver.adapter.report_status()["wrong_bytes_blocks"] == 3


def test_a_frozen_cluster_is_misses_by_the_deadline_and_nothing_lands_late(request, own_cluster):
    short = {"lookup_ms": 200, "load_ms": 400, "save_ms": 400}
    with Driver(own_cluster, request.node.name, **short) as driver:
        fill(driver, [0])
        assert driver.store([object_key(1)], [0]).is_successful()
        own_cluster.freeze()
        begun = time.monotonic()
        assert driver.look_up([object_key(1)]) == [False]
        assert driver.load([object_key(1)], [3]) == [False]
        assert not driver.store([object_key(2)], [0]).is_successful()
        assert time.monotonic() - begun < 5
        driver.adapter.submit_unlock([object_key(1)])
        driver.memory[3] = 7
        os.kill(own_cluster.process.pid, 18)  # SIGCONT
        time.sleep(0.3)
        assert (driver.memory[3] == 7).all()


def test_a_killed_cluster_is_misses(request, own_cluster):
    short = {"lookup_ms": 200, "load_ms": 400, "save_ms": 400}
    with Driver(own_cluster, request.node.name, **short) as driver:
        fill(driver, [0])
        assert driver.store([object_key(1)], [0]).is_successful()
        own_cluster.process.kill()
        own_cluster.process.wait(30)
        assert driver.look_up([object_key(1)]) == [False]
        assert driver.load([object_key(1)], [3]) == [False]
        assert not driver.store([object_key(2)], [0]).is_successful()
        driver.adapter.submit_unlock([object_key(1)])


def test_what_it_cannot_serve_is_refused_at_the_start(cluster):
    desc = L1MemoryDesc(4096, 4096, align_bytes=4096)
    for params, field in (
        ({"model_digest": ""}, "model_digest"),
        ({"kv_dtype": ""}, "kv_dtype"),
        ({"lookup_msec": 3}, "lookup_msec"),
    ):
        spec = PluginL2AdapterConfig.from_dict(adapter_spec(cluster, "m", **params))
        with pytest.raises(Refusal, match=field):
            create_l2_adapter(spec, l1_memory_desc=desc)
    spec = PluginL2AdapterConfig.from_dict(adapter_spec(cluster, "m"))
    with pytest.raises(Refusal, match="l1_memory_desc"):
        create_l2_adapter(spec)


def test_a_broken_listener_costs_itself_alone(driver):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("broken")

    driver.adapter.register_listener(Broken())
    fill(driver, [0])
    assert driver.store([object_key(1)], [0]).is_successful()
    assert driver.load([object_key(1)], [1]) == [True]
