"""`cairn doctor --engine`: real clients declare what engines declare, and what is said of them."""

import json
import os
import sys
from pathlib import Path

import pytest
from daemons import BUILD, ROOT, running_cluster

os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
sys.path.insert(0, str(ROOT / "client" / "python"))

import cairn

BLOCK_BYTES = 64 << 10


def namespace(**fields) -> cairn.Namespace:
    return cairn.Namespace(
        **{
            "model": "llama",
            "model_digest": bytes(32),
            "kv_dtype": "bf16",
            "layout": "L2NHD",
            "layers": 4,
            "kv_heads": 2,
            "head_size": 64,
            "tokens_per_block": 16,
            "hash_scheme": "vllm.sha256.0",
            "block_bytes": BLOCK_BYTES,
            **fields,
        }
    )


@pytest.fixture
def doctor(run, tmp_path: Path):
    with running_cluster(tmp_path) as cluster:

        def ask(*words: str):
            admin = ["--coordinator", cluster.coordinator, "--admin-file", cluster.admin_file]
            return run("doctor", "--engine", *words, *admin)

        ask.cluster = cluster
        yield ask


def engine(cluster, **fields) -> cairn.Client:
    return cairn.Client(cluster.coordinator, namespace(**fields), cluster.tenant_file, timeout_s=5)


def test_an_engine_that_never_came_is_bad(doctor):
    result = doctor("vllm")
    assert result.returncode == 1
    assert "no vllm has connected" in result.stdout
    assert "docs/engines/vllm.md" in result.stdout


def test_hits_are_good_and_a_field_that_differs_is_named(doctor):
    memory = bytearray(2 * BLOCK_BYTES)
    hashes = [bytes([i]) * 32 for i in range(2)]
    with engine(doctor.cluster) as client, client.register(memory) as region:
        chain = client.chain(hashes)
        assert all(outcome.ok for outcome in client.put(chain, region.slots(BLOCK_BYTES)))
    with engine(doctor.cluster) as client, client.match(client.chain(hashes)) as match:
        assert match.blocks == 2
    (finding,) = json.loads(doctor("vllm", "--json").stdout)
    assert finding["health"] == "good"
    assert "tenant default, namespace " in finding["observed"]
    assert ": 2 session(s), " in finding["observed"]

    with engine(doctor.cluster, tokens_per_block=32) as client:
        assert client.match(client.chain(hashes)).blocks == 0
    result = doctor("vllm")
    assert result.returncode == 0
    assert "0 of 2 blocks found" in result.stdout
    assert "16 and 32" in result.stdout
    assert "--block-size" in result.stdout


def test_an_unknown_engine_lists_the_known_ones(doctor):
    result = doctor("vlm")
    assert result.returncode == 2
    assert "none of vllm, sglang, tensorrt-llm, lmcache" in result.stderr
