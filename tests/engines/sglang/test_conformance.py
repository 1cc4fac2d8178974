"""The rules of cairn.conformance on the backend where SGLang and PyTorch are the real ones."""

import signal
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests" / "client" / "python"))

import cairn_sglang
from cairn.conformance import Faults
from cairn.conformance.plugin import rules_of


@pytest.mark.parametrize("rule", rules_of("sglang"), ids=lambda rule: rule.__name__)
def test_rule(rule, own_cluster):
    def thaw() -> None:
        own_cluster.process.send_signal(signal.SIGCONT)

    faults = Faults(own_cluster.freeze, thaw)
    rule(cairn_sglang.factory(own_cluster, faults, load_ms=500, connect_ms=10_000))
