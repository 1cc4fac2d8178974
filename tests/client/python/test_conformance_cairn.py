"""Cairn's own adapters keep the rules, over a real `cairn up`."""

import signal
from pathlib import Path

import cairn_sglang
import cairn_trtllm
import cairn_vllm
import pytest
import sglang_stand_in
import vllm_stand_in
from cairn.conformance import Faults
from cairn.conformance.plugin import rules_of


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A cluster of this module's own: rules freeze it."""
    from daemons import running_cluster

    with running_cluster(Path(tmp_path_factory.mktemp("conformance"))) as cluster:
        yield cluster


@pytest.fixture
def faults(frozen):
    thaw = lambda: frozen.process.send_signal(signal.SIGCONT)  # noqa: E731
    yield Faults(frozen.freeze, thaw)
    thaw()


@pytest.mark.parametrize("rule", rules_of("vllm"), ids=lambda rule: rule.__name__)
def test_vllm(rule, frozen, faults, monkeypatch):
    vllm_stand_in.install(monkeypatch)
    rule(cairn_vllm.factory(frozen, faults, load_ms=1500))


@pytest.mark.parametrize("rule", rules_of("sglang"), ids=lambda rule: rule.__name__)
def test_sglang(rule, frozen, faults, monkeypatch):
    sglang_stand_in.install(monkeypatch)
    rule(cairn_sglang.factory(frozen, faults, load_ms=1500, connect_ms=10_000))


@pytest.mark.parametrize("rule", rules_of("trtllm"), ids=lambda rule: rule.__name__)
def test_trtllm(rule, frozen, faults):
    rule(cairn_trtllm.factory(frozen, faults, CAIRN_LOAD_MS="1500"))
