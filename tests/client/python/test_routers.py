"""A router's view of a real cluster: cairn.routers against a coordinator and its node."""

import contextlib
import dataclasses
import signal
import threading
import time
from pathlib import Path

import cairn
import numpy as np
import pytest
from cairn.routers import protobuf
from cairn.routers.coordinator import Kind, Position, Router, Tier
from conftest import BLOCK_BYTES, hashes

PATIENCE_S = 20


@contextlib.contextmanager
def router_of(cluster, namespace, **options):
    options.setdefault("timeout_s", 5)
    with Router(cluster.coordinator, namespace, cluster.tenant_file, **options) as router:
        yield router


def store(client, count, salt=0, first=0):
    memory = np.random.default_rng(salt).integers(0, 256, (count, BLOCK_BYTES), np.uint8)
    with client.register(memory) as region:
        outcomes = client.put(
            client.chain(hashes(first + count, salt)), region.slots(BLOCK_BYTES), first=first
        )
    assert all(outcome.ok for outcome in outcomes)


def eventually(probe):
    limit = time.monotonic() + PATIENCE_S
    while not (answer := probe()) and time.monotonic() < limit:
        time.sleep(0.01)
    return answer


def test_a_match_is_what_the_cluster_holds(cluster, client, namespace):
    store(client, 5)
    with router_of(cluster, namespace) as router:
        chain = hashes(8)
        assert eventually(lambda: router.match(chain).blocks == 5)
        match = router.match(chain)
        assert match.dram_blocks == 5
        (share,) = match.nodes
        assert (share.leading_blocks, share.dram_blocks, share.nvme_blocks) == (5, 5, 0)
        assert len(share.node) == 16
        assert router.match(hashes(8, salt=1)).blocks == 0
        assert router.match([]).blocks == 0


def test_another_namespace_looks_empty(cluster, client, namespace):
    store(client, 3)
    other = dataclasses.replace(namespace, model="another model")
    with router_of(cluster, namespace) as router, router_of(cluster, other) as stranger:
        assert eventually(lambda: router.match(hashes(3)).blocks == 3)
        assert stranger.match(hashes(3)) == stranger.match(hashes(3, salt=9))


def test_a_watch_tells_what_is_stored(cluster, client, namespace):
    with router_of(cluster, namespace) as router:
        watch = router.watch()
        first = next(watch)
        assert first.gap and not first.changes
        assert first.position.epoch != 0
        store(client, 4)
        expected = {router.key(one) for one in hashes(4)}
        told = {}
        while told.keys() != expected:
            told |= {one.key: one for one in next(watch).changes if one.key in expected}
        assert {(one.kind, one.tier) for one in told.values()} == {(Kind.STORED, Tier.DRAM)}


def test_a_watch_goes_on_behind_a_position(cluster, client, namespace):
    with router_of(cluster, namespace) as router:
        watch = router.watch()
        next(watch)
        store(client, 1)
        position = next(watch).position
        watch.close()
        store(client, 1, first=1)
        again = router.watch(position)
        assert not next(again).gap
        assert [change.key for change in next(again).changes] == [router.key(hashes(2)[1])]
        strange = router.watch(Position(position.epoch + 1, position.sequence))
        assert next(strange).gap


def test_close_ends_a_watch_that_waits(cluster, namespace):
    with router_of(cluster, namespace) as router:
        watch = router.watch()
        next(watch)
        rest = []
        waiting = threading.Thread(target=lambda: rest.extend(watch))
        waiting.start()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert rest == []


def test_too_many_watches_are_back_pressure(own_cluster, namespace):
    with router_of(own_cluster, namespace) as router:
        watches = [router.watch() for _ in range(9)]
        with pytest.raises(cairn.BackPressure, match="watches of this tenant are open"):
            for watch in watches:
                next(watch)


def test_a_wrong_secret_is_refused_and_not_told(cluster, namespace, tmp_path):
    name, tenant, secret = Path(cluster.tenant_file).read_text().split()
    forged = tmp_path / "tenant"
    forged.write_text(f"{name} {tenant} {bytes(32).hex()}\n")
    with Router(cluster.coordinator, namespace, forged) as router:
        with pytest.raises(cairn.CairnError) as refused:
            router.match(hashes(1))
        assert refused.value.code == "unauthenticated"
        assert secret not in str(refused.value)
    forged.write_text("nonsense")
    with pytest.raises(cairn.CairnError, match="not a tenant file"):
        Router(cluster.coordinator, namespace, forged)


def test_a_dead_coordinator_is_passed_over_or_named(cluster, namespace):
    both = dataclasses.replace(cluster, coordinator=f"127.0.0.1:1,{cluster.coordinator}")
    with router_of(both, namespace) as router:
        assert router.match(hashes(1)).blocks == 0
        assert next(router.watch()).gap
    none = dataclasses.replace(cluster, coordinator="127.0.0.1:1")
    with router_of(none, namespace, timeout_s=1) as router:
        with pytest.raises(cairn.CairnError, match=r"no coordinator answers: 127\.0\.0\.1:1"):
            router.match(hashes(1))
        with pytest.raises(cairn.CairnError, match="no coordinator answers"):
            next(router.watch())


def test_a_frozen_coordinator_costs_no_more_than_the_timeout(own_cluster, namespace):
    with router_of(own_cluster, namespace, timeout_s=0.5) as router:
        router.match(hashes(1))
        own_cluster.freeze()
        begun = time.monotonic()
        with pytest.raises(cairn.CairnError) as late:
            router.match(hashes(1))
        assert late.value.code == "unavailable"
        assert time.monotonic() - begun < 2


def test_a_watch_ends_when_its_cluster_stops(own_cluster, namespace):
    with router_of(own_cluster, namespace, timeout_s=1) as router:
        watch = router.watch()
        next(watch)
        own_cluster.process.send_signal(signal.SIGTERM)
        with pytest.raises(cairn.CairnError, match="no coordinator answers"):
            while True:
                next(watch)


@pytest.mark.parametrize("number", [1, 127, 128, 300, 2**32, 2**64 - 1])
def test_numbers_come_back(number):
    assert protobuf.decode(protobuf.encode([(3, number)])) == {3: [number]}


def test_a_reader_passes_over_what_it_does_not_know():
    unknown = b"\x2d" + bytes(4) + b"\x31" + bytes(8)
    fields = protobuf.decode(unknown + protobuf.encode([(1, 7), (2, b"x"), (2, b"y")]))
    assert protobuf.number(fields, 1) == 7
    assert protobuf.contents(fields, 2) == [b"x", b"y"]
    assert protobuf.number(fields, 99) == 0 and protobuf.content(fields, 99) == b""


@pytest.mark.parametrize("message", [b"\x08", b"\x0a\x05abc", b"\x08" + b"\xff" * 11, b"\x0b"])
def test_what_is_no_protobuf_is_refused(message):
    with pytest.raises(ValueError):
        protobuf.decode(message)
