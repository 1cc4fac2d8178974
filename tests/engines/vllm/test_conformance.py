"""The rules of cairn.conformance on the connector where vLLM and PyTorch are the real ones."""

import signal
import sys

import pytest
import torch
from daemons import ROOT, running_cluster
from vllm.v1.kv_cache_interface import FullAttentionSpec

sys.path.insert(0, str(ROOT / "client" / "python"))
sys.path.append(str(ROOT / "tests" / "client" / "python"))

import cairn_vllm
from cairn.conformance import Faults
from cairn.conformance.plugin import rules_of
from cairn.conformance.vllm_engine import BLOCK_TOKENS, HEAD_SIZE, HEADS


@pytest.fixture(scope="module")
def rules_cluster(tmp_path_factory):
    with running_cluster(tmp_path_factory.mktemp("rules")) as running:
        yield running


def make_spec() -> FullAttentionSpec:
    return FullAttentionSpec(
        block_size=BLOCK_TOKENS, num_kv_heads=HEADS, head_size=HEAD_SIZE, dtype=torch.float32
    )


@pytest.mark.parametrize("rule", rules_of("vllm"), ids=lambda rule: rule.__name__)
def test_rule(rule, rules_cluster):
    def thaw() -> None:
        rules_cluster.process.send_signal(signal.SIGCONT)

    faults = Faults(rules_cluster.freeze, thaw)
    rule(cairn_vllm.factory(rules_cluster, faults, make_spec, torch.from_numpy, load_ms=500))
