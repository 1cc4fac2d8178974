"""Every rule can be broken: a connector that breaks it fails it, and keeps all others."""

import pytest
import reference_sglang
import reference_trtllm
import reference_vllm
from cairn.conformance import world
from cairn.conformance.plugin import rules_of

REFERENCES = {
    "vllm": reference_vllm,
    "sglang": reference_sglang,
    "trtllm": reference_trtllm,
}
CASES = [(engine, rule.__name__) for engine in REFERENCES for rule in rules_of(engine)]


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """What a dictionary has not now, it will not have later."""
    for bound, seconds in (
        ("WAIT_S", 1.0),
        ("MISSES_S", 0.2),
        ("FAILURE_S", 0.3),
        ("SETTLE_S", 0.0),
    ):
        monkeypatch.setattr(world, bound, seconds)


def broken_by(engine: str, factory) -> set[str]:
    broken = set()
    for rule in rules_of(engine):
        try:
            rule(factory)
        except AssertionError:
            broken.add(rule.__name__.removeprefix("test_"))
    return broken


@pytest.mark.parametrize("engine", REFERENCES)
def test_the_reference_keeps_every_rule(engine):
    assert broken_by(engine, REFERENCES[engine].make) == set()


@pytest.mark.parametrize("engine", REFERENCES)
def test_an_engine_tells_its_connectors_when_memory_is_registered(engine):
    told = []

    def factory(world):
        connectors = REFERENCES[engine].make(world)
        connectors.ready = lambda: told.append(connectors)
        return connectors

    rules_of(engine)[0](factory)
    assert told


@pytest.mark.parametrize(("engine", "rule"), CASES)
def test_a_wrong_connector_breaks_this_rule_and_no_other(engine, rule):
    name = rule.removeprefix("test_")
    assert broken_by(engine, REFERENCES[engine].WRONG[name]) == {name}
