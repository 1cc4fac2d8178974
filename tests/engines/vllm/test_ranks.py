"""Two tensor-parallel ranks, a namespace each: a block counts when both hold it."""

import pytest
from engines import PROMPTS, Engine, extra_config
from steps import FULL, check, computed, connect, warm


@pytest.fixture(scope="module")
def pair(folder, model, reference, cluster):
    words = ("--cairn", extra_config(cluster), "--tensor-parallel", 2)
    with Engine(model, folder / "pair.log", *words) as engine:
        connect(cluster, engine)
        yield engine


def test_two_ranks_load_what_two_ranks_stored(pair, reference):
    cold = computed(pair, "ranks")
    check(cold, reference, "ranks")
    again = warm(pair, "ranks")
    check(again, reference, "ranks")
    assert again.cached == FULL["ranks"]
    assert again.counters["cairn_loaded_blocks"] % 2 == 0
    assert len(PROMPTS["ranks"]) * FULL["ranks"][0] == again.counters["cairn_hit_tokens"]
