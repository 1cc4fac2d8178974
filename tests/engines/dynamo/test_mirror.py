"""What the indexer answers is what Cairn holds: a real cluster, a mirror, a real indexer."""

import contextlib
import random

import cairn
import numpy as np
from cairn.events import EventPublisher
from cairn.routers.coordinator import Router
from cairn.routers.mirror import Mirror
from conftest import BLOCK_TOKENS, eventually, running_cluster

BLOCK_BYTES = 1 << 20
CLUSTER_BLOCKS = 256  # of a test's cluster: 256 MiB


def namespace(model: str) -> cairn.Namespace:
    return cairn.Namespace(
        model=model,
        model_digest=bytes(32),
        kv_dtype="bf16",
        layout="L2NHD",
        layers=4,
        kv_heads=2,
        head_size=64,
        tokens_per_block=BLOCK_TOKENS,
        hash_scheme="test.tokens",
        block_bytes=BLOCK_BYTES,
    )


class Engine:
    """Stores chains of random tokens, and tells the mirror what was stored."""

    def __init__(self, client: cairn.Client, mirror: Mirror) -> None:
        self.client = client
        self.mirror = mirror
        self.region = client.register(np.zeros((8, BLOCK_BYTES), np.uint8))

    def store(self, seed: int, blocks: int) -> tuple[list[int], list[bytes]]:
        source = random.Random(seed)
        tokens = [source.randrange(1 << 16) for _ in range(blocks * BLOCK_TOKENS)]
        hashes = [source.randbytes(32) for _ in range(blocks)]
        slots = self.region.slots(BLOCK_BYTES)[:blocks]
        outcomes = self.client.put(self.client.chain(hashes), slots)
        stored = next((i for i, one in enumerate(outcomes) if not one.ok), blocks)
        self.mirror.stored(hashes[:stored], None, tokens[: stored * BLOCK_TOKENS])
        return tokens, hashes


@contextlib.contextmanager
def mirrored(indexer, cluster, model):
    with contextlib.ExitStack() as stack:
        options = {"replay_endpoint": "tcp://127.0.0.1:*"}
        publisher = stack.enter_context(EventPublisher("tcp://127.0.0.1:*", **options))
        indexer.register(publisher, model)
        declared = namespace(model)
        router = Router(cluster.coordinator, declared, cluster.tenant_file, timeout_s=5)
        mirror = stack.enter_context(Mirror(router, publisher, BLOCK_TOKENS))
        assert eventually(lambda: mirror.watching)
        client = stack.enter_context(
            cairn.Client(cluster.coordinator, declared, cluster.tenant_file, timeout_s=5)
        )
        yield Engine(client, mirror), router


def answers(indexer, model, chains):
    return [indexer.blocks(tokens, model) for tokens, _ in chains]


def held(router, chains):
    return [router.match(hashes).blocks for _, hashes in chains]


def agree(indexer, model, router, chains):
    return answers(indexer, model, chains) == held(router, chains)


def test_what_is_stored_is_known_and_its_source_is_the_cluster(indexer, cluster, model):
    with mirrored(indexer, cluster, model) as (engine, router):
        chains = [engine.store(seed, 1 + seed % 5) for seed in range(20)]
        assert eventually(lambda: agree(indexer, model, router, chains))
        assert answers(indexer, model, chains) == [1 + seed % 5 for seed in range(20)]


def test_what_was_evicted_is_forgotten(indexer, tmp_path, model):
    with (
        running_cluster(tmp_path) as cluster,
        mirrored(indexer, cluster, model) as (engine, router),
    ):
        chains = [engine.store(seed, 8) for seed in range(2 * CLUSTER_BLOCKS // 8)]
        assert eventually(lambda: agree(indexer, model, router, chains))
        assert 0 < sum(answers(indexer, model, chains)) <= CLUSTER_BLOCKS


def test_after_the_cluster_died_nothing_is_believed(indexer, tmp_path, model):
    with (
        running_cluster(tmp_path) as cluster,
        mirrored(indexer, cluster, model) as (engine, _),
    ):
        chains = [engine.store(seed, 4) for seed in range(5)]
        assert eventually(lambda: answers(indexer, model, chains) == [4] * 5)
        cluster.process.kill()
        cluster.process.wait(30)
        assert eventually(lambda: answers(indexer, model, chains) == [0] * 5)


def test_a_store_that_failed_is_not_told(indexer, tmp_path, model):
    with (
        running_cluster(tmp_path) as cluster,
        mirrored(indexer, cluster, model) as (engine, _),
    ):
        cluster.freeze()
        chain = engine.store(1, 8)
        assert answers(indexer, model, [chain]) == [0]
