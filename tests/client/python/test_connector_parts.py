"""Options, identity, breaker, statistics."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from cairn.connector import (
    Identity,
    Options,
    Rank,
    RecentSaves,
    Refusal,
    Statistics,
    digest_of_folder,
)
from cairn.connector.breaker import FAILURES_MAX, OPEN_MIN_S, Breaker
from cairn.connector.recent import KEPT_S
from cairn.outcome import Outcome
from conftest import ROOT, hashes
from connectors import make_engine

GIVEN = {"coordinators": "127.0.0.1:7400", "tenant_file": "default.tenant"}


def test_options_come_from_the_engine_then_from_the_environment():
    environment = {"CAIRN_LOAD_MS": "70", "CAIRN_SAVE_MS": "80", "CAIRN_TENANT_FILE": "other"}
    options = Options.from_mapping({**GIVEN, "load_ms": 60}, environment)
    assert (options.load_ms, options.save_ms) == (60, 80)
    assert options.tenant_file == "default.tenant"
    assert Options.from_mapping({}, {"CAIRN_COORDINATORS": "a:1", "CAIRN_TENANT_FILE": "b"})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"coordinators": ""}, "coordinators.*CAIRN_COORDINATORS"),
        ({"tenant_file": 7}, "tenant_file: 7"),
        ({"load_ms": 0}, "load_ms: 0: .*1 to"),
        ({"load_ms": True}, "load_ms: True"),
        ({"load_ms": "soon"}, "load_ms: 'soon'"),
        ({"urgency": "soon"}, "urgency: 'soon': give one of standard, interactive, batch"),
        ({"lod_ms": 5}, "lod_ms: 5: no such setting; .*load_ms"),
    ],
)
def test_a_wrong_option_is_named(given, text):
    with pytest.raises(Refusal, match=text):
        Options.from_mapping({**GIVEN, **given}, {})


def test_namespaces_differ_where_bytes_do(cluster):
    layout = make_engine(cluster, "x").layout
    identity = Identity(
        model="m", model_digest=bytes(32), hash_scheme="s", tokens_per_block=8, salt={"a": "b"}
    )
    namespaces = {
        identity.namespace(layout, Rank()),
        identity.namespace(layout, Rank(0, 2)),
        identity.namespace(layout, Rank(1, 2)),
        identity.namespace(layout, Rank(pipeline=1, pipeline_size=2)),
        identity.namespace(layout, Rank(), group=1),
        dataclasses.replace(identity, salt={"a": "c"}).namespace(layout, Rank()),
        dataclasses.replace(identity, hash_scheme="t").namespace(layout, Rank()),
    }
    assert len(namespaces) == 7


def test_replicated_ranks_share_one_namespace_and_one_writes(cluster):
    layout = make_engine(cluster, "x").layout
    identity = Identity(
        model="m", model_digest=bytes(32), hash_scheme="s", tokens_per_block=8, salt={}
    )
    ranks = [Rank(i, 4, replicas=4) for i in range(4)]
    assert {identity.namespace(layout, rank) for rank in ranks} == {
        identity.namespace(layout, Rank())
    }
    assert [rank.writes for rank in ranks] == [True, False, False, False]
    pairs = [Rank(i, 4, replicas=2) for i in range(4)]
    assert len({identity.namespace(layout, rank) for rank in pairs}) == 2
    assert [rank.writes for rank in pairs] == [True, False, True, False]
    with pytest.raises(Refusal, match="replicas"):
        Rank(0, 4, replicas=3)
    assert all(Rank(i, 4).writes for i in range(4))


def test_a_model_is_told_by_its_files(tmp_path):
    import json
    import struct

    def write(folder, fill: int, config: str) -> bytes:
        folder.mkdir()
        (folder / "config.json").write_text(config)
        data = np.full(4 << 20, 1, np.uint8)
        data[3 << 20 :] = fill
        tensors = {"a": [0, 3 << 20], "b": [3 << 20, 4 << 20]}
        fields = {name: {"data_offsets": offsets} for name, offsets in tensors.items()}
        header = json.dumps({"__metadata__": {}, **fields}).encode()
        with open(folder / "model.safetensors", "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + data.tobytes())
        return digest_of_folder(folder)

    first = write(tmp_path / "1", 5, "{}")
    assert write(tmp_path / "2", 5, "{}") == first, "whatever the folder's name"
    assert write(tmp_path / "3", 6, "{}") != first, "one tensor differs"
    assert write(tmp_path / "4", 5, "{ }") != first
    with pytest.raises(Refusal, match="model"):
        (tmp_path / "empty").mkdir()
        digest_of_folder(tmp_path / "empty")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_breaker_opens_and_lets_one_through_now_and_then():
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES_MAX):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    clock.now += OPEN_MIN_S
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    clock.now += OPEN_MIN_S
    assert not breaker.allows(), "longer each time"
    clock.now += OPEN_MIN_S
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows() and breaker.allows()


def test_what_was_given_lately_is_not_given_again():
    clock = Clock()
    recent = RecentSaves(clock)
    chain = hashes(6)
    assert recent.skip(chain, 0, 6) == 0
    recent.add(chain[:4])
    assert recent.skip(chain, 0, 6) == 4
    assert recent.skip(chain, 1, 3) == 3
    recent.forget(chain[2:])
    assert recent.skip(chain, 0, 6) == 2
    clock.now += KEPT_S
    assert recent.skip(chain, 0, 6) == 0


def test_wrong_bytes_are_counted_apart():
    statistics = Statistics()
    statistics.ended("loaded", np.array([0, Outcome.CHECKSUM, Outcome.ABSENT], np.uint32), 10)
    moved = statistics.take()
    assert moved == {
        "loaded_blocks": 1,
        "loaded_bytes": 10,
        "miss_checksum_blocks": 1,
        "miss_absent_blocks": 1,
        "wrong_bytes_blocks": 1,
    }


def run_apart(script: str) -> None:
    paths = {"PYTHONPATH": str(ROOT / "client" / "python")}
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, **paths})


def test_the_client_needs_neither_numpy_nor_torch():
    script = "import sys, cairn; assert not {'numpy', 'torch'} & set(sys.modules)"
    run_apart(script)


def test_the_core_needs_no_engine():
    script = "import sys, cairn.connector; assert not {'torch', 'vllm'} & set(sys.modules)"
    run_apart(script)
