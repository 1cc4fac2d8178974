"""cairn.vllm under the API of older versions of vLLM: a test for each change in shims.py."""

from types import SimpleNamespace

import numpy as np
import pytest
import vllm_stand_in
from vllm_engine import Engine, Request, Tensor, configuration


@pytest.fixture
def old(monkeypatch):
    vllm_stand_in.install(monkeypatch, old=True)

    from cairn.vllm import shims

    return shims


@pytest.fixture
def config(old, cluster, tmp_path, request, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    (tmp_path / "config.json").write_text(request.node.nodeid)
    return configuration(cluster, tmp_path)


def test_a_connector_of_two_arguments(config):
    from cairn.vllm import CairnConnector
    from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole

    reference = Engine(config)
    worker = CairnConnector(config, KVConnectorRole.WORKER)
    worker.register_kv_caches(reference.tensors)
    theirs, ours = reference.worker.get_handshake_metadata(), worker.get_handshake_metadata()
    assert theirs == ours
    worker.shutdown()
    reference.close()


def test_preemptions_by_the_ids_of_requests(config):
    engine = Engine(config).connected()
    request = Request("a", list(range(100)))
    engine.scheduler.get_num_new_matched_tokens(request, 0)
    engine.worker.handle_preemptions({"a", "b"})
    engine.close()


def test_results_by_get_finished(config):
    engine = Engine(config).connected()
    assert engine.worker.get_finished(set()) == (None, set())
    engine.close()


def test_handshakes_by_tensor_rank_alone(config):
    engine = Engine(config)
    engine.scheduler.shutdown()
    engine.scheduler.set_xfer_handshake_metadata({0: engine.worker.get_handshake_metadata()})
    engine.connected().close()


def test_resumed_requests_as_a_list_of_booleans(old):
    cached = SimpleNamespace(req_ids=["a", "b"], resumed_from_preemption=[False, True])
    assert old.resumed_ids(cached) == {"b"}


def test_a_random_root_unless_the_seed_is_set(old):
    with pytest.raises(Exception, match="PYTHONHASHSEED=0"):
        old.hash_seed("sha256", {})
    assert old.hash_seed("sha256", {"PYTHONHASHSEED": "7"}) == "7"


def test_kinds_by_the_names_of_classes(old):
    class FullAttentionSpec:
        use_mla = False

    class MambaSpec:
        pass

    assert old.spec_kind(FullAttentionSpec()) == "full_attention"
    assert old.spec_kind(SimpleNamespace(use_mla=True)) == "mla_attention"
    assert old.spec_kind(MambaSpec()) == "MambaSpec"


def test_keys_and_values_before_blocks(old):
    assert old.block_axis((2, 64, 16, 2, 64), 64) == 1
    assert old.block_axis((64, 2, 16, 64), 64) == 0
    assert old.block_axis((128, 2, 16, 64), 64) == 0


def test_the_two_halves_of_an_old_tensor_are_one_block(old):
    from cairn.vllm.worker_side import _layout_of

    array = np.zeros((2, 64, 16, 2, 64), np.float32)
    whole = old.CacheGroup(None, old.ModelSpec(2, 64, 16, False))
    layout = _layout_of(whole, {"a": Tensor(array)}, 64)
    assert layout.block_bytes == array[:, 0].nbytes
    assert layout.extents([3])["base_bytes"][0, 0] == array[:, :3].nbytes // 2
