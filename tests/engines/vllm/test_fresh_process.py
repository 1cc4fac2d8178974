"""Another process, with a KV cache of few blocks: it loads what the first stored; requests that do
not fit wait or are preempted, and give the same tokens. And bits that turn behind the checksum."""

import pytest
from engines import NEW_TOKENS, PROMPTS, Engine, extra_config
from steps import FULL, check, computed, connect, warm

GPU_BLOCKS = 44
BATCHED_TOKENS = 256  # less than a prompt: prefills come in chunks


@pytest.fixture(scope="module")
def rot(folder):
    return folder / "rot"


@pytest.fixture(scope="module")
def stored(cluster, engine):
    """By another process, which is gone."""
    connect(cluster, engine)
    computed(engine, "basic")
    engine.close()
    return cluster


@pytest.fixture(scope="module")
def small(folder, model, reference, stored, rot):
    words = ("--cairn", extra_config(stored), "--connector", "rotten:RottenConnector")
    words += ("--gpu-blocks", GPU_BLOCKS, "--batched-tokens", BATCHED_TOKENS)
    words += ("--model-tokens", 1024, "--in-process")
    with Engine(model, folder / "small.log", *words, ROT=str(rot)) as engine:
        connect(stored, engine)
        yield engine


def test_a_fresh_process_loads_what_another_stored(small, reference):
    answer = small.generate(PROMPTS["basic"])
    check(answer, reference, "basic")
    assert answer.counters["cairn_hit_tokens"] > 0
    assert answer.cached == FULL["basic"], answer.counters


def test_wrong_bytes_would_be_seen_in_the_tokens(small, reference, rot):
    """Else the tests of this folder would prove nothing."""
    rot.touch()
    assert warm(small, "basic").tokens != reference["basic"].tokens
    rot.unlink()
    check(warm(small, "basic"), reference, "basic")


def test_preempted_requests_give_the_same_tokens(small, reference):
    cold = warm(small, "tiny")
    check(cold, reference, "tiny")
    again = warm(small, "tiny")
    check(again, reference, "tiny")
    assert again.counters["cairn_hit_tokens"] > 0
    preempted = sum(answer.counters.get("num_preemptions", 0) for answer in (cold, again))
    assert preempted > 0, f"{GPU_BLOCKS} blocks are too many for this test, {NEW_TOKENS} tokens"
