"""The asyncio client against real daemons."""

import asyncio
import signal
import time

import cairn
import numpy as np
import pytest
from conftest import BLOCK_BYTES, hashes

BLOCKS = 8


def connect(cluster, namespace, **options):
    return cairn.AsyncClient.connect(
        cluster.coordinator, namespace, cluster.tenant_file, timeout_s=5, **options
    )


def test_many_calls_share_one_loop(cluster, namespace):
    chains = 20
    memory = np.random.default_rng(3).integers(0, 256, (chains, BLOCKS * BLOCK_BYTES), np.uint8)
    stored = memory.copy()

    async def one(client, region, number):
        at = number * BLOCKS * BLOCK_BYTES
        slots = [region.slot(at + i * BLOCK_BYTES, BLOCK_BYTES) for i in range(BLOCKS)]
        chain = client.chain(hashes(BLOCKS, salt=number))
        assert all(outcome.ok for outcome in await client.put(chain, slots))
        memory[number] = 0
        with await client.match(chain) as match:
            assert match.blocks == BLOCKS
            return await client.get(chain, slots, match=match)

    async def main():
        async with await connect(cluster, namespace) as client:
            with client.register(memory) as region:
                return await asyncio.gather(*(one(client, region, i) for i in range(chains)))

    outcomes = asyncio.run(main())
    assert all(outcome.ok for batch in outcomes for outcome in batch)
    assert np.array_equal(memory, stored)


def test_the_loop_sleeps_when_nothing_is_under_way(cluster, namespace):
    """The descriptor wakes the loop; nothing polls in circles."""

    async def main():
        async with await connect(cluster, namespace) as client:
            await asyncio.sleep(0.2)
            polls, poll = 0, client._session.poll

            def counted():
                nonlocal polls
                polls += 1
                return poll()

            client._session.poll = counted
            await asyncio.sleep(1.0)
            return polls

    assert asyncio.run(main()) < 100


def test_a_cancelled_call_ends_when_its_slots_are_free(own_cluster, namespace):
    memory = np.zeros(BLOCKS * BLOCK_BYTES, np.uint8)

    async def main():
        async with await connect(own_cluster, namespace) as client:
            with client.register(memory) as region:
                slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
                assert all(outcome.ok for outcome in await client.put(chain, slots, timeout_s=10))
                own_cluster.freeze()
                call = asyncio.create_task(client.get(chain, slots, timeout_s=1))
                await asyncio.sleep(0.05)
                begun = time.monotonic()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                took = time.monotonic() - begun
                memory[:] = 0x77
                own_cluster.process.send_signal(signal.SIGCONT)
                await client.match(client.chain(hashes(1, salt=9)), timeout_s=3)
                assert (memory == 0x77).all()
                return took

    assert asyncio.run(main()) < 3


def test_behind_frees_the_slots_during_the_await(cluster, namespace):
    memory = np.random.default_rng(5).integers(0, 256, BLOCKS * BLOCK_BYTES, np.uint8)
    stored = memory.copy()

    async def main():
        async with await connect(cluster, namespace) as client:
            with client.register(memory) as region:
                slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
                put = asyncio.create_task(client.put(chain, slots, behind=True))
                await asyncio.sleep(0)
                memory[:] = 0
                assert all(outcome.ok for outcome in await put)
                assert all(outcome.ok for outcome in await client.get(chain, slots))

    asyncio.run(main())
    assert np.array_equal(memory, stored)


def test_close_ends_what_is_under_way(own_cluster, namespace):
    async def main():
        client = await connect(own_cluster, namespace)
        region = client.register(bytearray(BLOCKS * BLOCK_BYTES))
        chain = client.chain(hashes(BLOCKS))
        slots = region.slots(BLOCK_BYTES)
        assert all(outcome.ok for outcome in await client.put(chain, slots, timeout_s=10))
        own_cluster.freeze()
        call = asyncio.create_task(client.get(chain, slots, timeout_s=30))
        await asyncio.sleep(0.05)
        await client.close()
        return await call

    assert asyncio.run(main()) == [cairn.Outcome.CANCELED] * BLOCKS


def test_back_pressure_is_raised(cluster, namespace):
    async def main():
        async with await connect(cluster, namespace, operations_max=16) as client:
            with client.register(bytearray(BLOCKS * BLOCK_BYTES)) as region:
                slots, chain = region.slots(BLOCK_BYTES), client.chain(hashes(BLOCKS))
                calls = [asyncio.create_task(client.put(chain, slots)) for _ in range(3)]
                ended = await asyncio.gather(*calls, return_exceptions=True)
                assert [type(e) for e in ended] == [list, list, cairn.BackPressure]
                assert "operations_max" in str(ended[2])

    asyncio.run(main())
