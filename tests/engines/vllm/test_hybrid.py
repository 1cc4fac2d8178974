"""Layers of two kinds of attention, as vLLM groups them: every other one sees a window only."""

import pytest
import tiny_llama
from engines import PROMPTS, Engine, extra_config
from steps import FULL, check, computed, connect, warm

WINDOW_TOKENS = 96
KINDS = ["sliding_attention", "full_attention"] * (tiny_llama.LAYERS // 2)


@pytest.fixture(scope="module")
def hybrid_model(folder):
    tiny_llama.write(folder / "hybrid", layer_types=KINDS, sliding_window=WINDOW_TOKENS)
    return folder / "hybrid"


@pytest.fixture(scope="module")
def alone(folder, hybrid_model):
    """By case: what an engine that knows nothing of Cairn answers."""
    with Engine(hybrid_model, folder / "hybrid_alone.log", "--in-process") as engine:
        return {"hybrid": engine.generate(PROMPTS["hybrid"])}


@pytest.fixture(scope="module")
def hybrid(folder, hybrid_model, alone, cluster):
    words = ("--cairn", extra_config(cluster), "--in-process")
    with Engine(hybrid_model, folder / "hybrid.log", *words) as engine:
        connect(cluster, engine)
        yield engine


def test_the_window_changes_the_tokens(alone, reference):
    """Else these layers would be no others."""
    assert reference["hybrid"].tokens != alone["hybrid"].tokens


def test_two_groups_of_layers_load_what_both_stored(hybrid, alone):
    check(computed(hybrid, "hybrid"), alone, "hybrid")
    again = warm(hybrid, "hybrid")
    check(again, alone, "hybrid")
    assert again.counters["cairn_hit_tokens"] >= FULL["hybrid"][0], again.counters
    assert again.cached == FULL["hybrid"], again.counters
