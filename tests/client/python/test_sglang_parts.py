"""The parts of the SGLang backend that need neither SGLang nor Cairn."""

import dataclasses
import hashlib
import json
import re
from types import SimpleNamespace

import pytest
import sglang_pools
from cairn.connector import Options, Refusal
from cairn.sglang import hybrid
from cairn.sglang.holds import HOLDS_MAX, Holds
from cairn.sglang.identity import Model, namespace_of
from cairn.sglang.pages import PageLayout
from cairn.sglang.settings import TIMEOUT_BASE_S, TIMEOUT_PER_KI_TOKEN_S, Settings
from daemons import ROOT

GIVEN = {
    "backend_name": "cairn",
    "module_path": "cairn.sglang",
    "class_name": "CairnHiCache",
    "interface_v1": 1,
    "coordinators": "127.0.0.1:7400",
    "tenant_file": "default.tenant",
}


def parse(environment=None, **more):
    return Settings.parse({**GIVEN, **more}, environment or {})


def test_without_a_deadline_of_its_own_a_fetch_has_what_sglang_waits():
    assert parse().load_timeout_s(2048) == 1.5
    slower = parse(timeout_base_s=2, timeout_per_ki_token_s=1)
    assert slower.load_timeout_s(2048) == 4
    assert slower.load_timeout_s(1 << 30) == 600
    assert parse(load_ms=300).load_timeout_s(1 << 20) == 0.3
    assert parse({"CAIRN_LOAD_MS": "300"}).load_timeout_s(1 << 20) == 0.3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"interface_v1": 0}, ["interface_v1", '"interface_v1": 1']),
        ({"coordinators": ""}, ["coordinators", "CAIRN_COORDINATORS"]),
        ({"tenant_flie": "x"}, ["tenant_flie", "no such setting", "tenant_file"]),
        ({"lookup_ms": 0}, ["lookup_ms", "1 to 60000"]),
        ({"timeout_base_s": "1s"}, ["timeout_base_s", "1s", "seconds"]),
        ({"timeout_base_s": 0}, ["timeout_base_s", "seconds"]),
        ({"timeout_per_ki_token_s": True}, ["timeout_per_ki_token_s", "seconds"]),
    ],
)
def test_a_wrong_setting_is_named_with_the_remedy(more, words):
    with pytest.raises(Refusal) as refusal:
        parse(**more)
    assert all(word in str(refusal.value) for word in words)


def test_the_page_for_operators_lists_the_settings_with_their_defaults():
    page = (ROOT / "docs" / "engines" / "sglang.md").read_text()
    table = page.split("## Settings")[1].split("\n\n")[1].splitlines()[2:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    told = {name: row[1] for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    known = {field.name: str(field.default) for field in dataclasses.fields(Options)}
    internal = {
        "lookups_max",
        "saving_blocks_max",
        "staging_bytes",
    }  # of cairn.connector's other halves
    assert set(told) == set(known) - internal | {"timeout_base_s", "timeout_per_ki_token_s"}
    for name in ("lookup_ms", "save_ms", "lease_ms", "connect_ms"):
        assert told[name] == known[name]
    assert told["timeout_base_s"] == f"{TIMEOUT_BASE_S:.0f}, {TIMEOUT_PER_KI_TOKEN_S}"


def test_the_configuration_for_operators_is_accepted():
    page = (ROOT / "docs" / "engines" / "sglang.md").read_text()
    given = json.loads(re.search(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1])
    assert given.pop("hicache_storage_pass_prefix_keys") is True  # SGLang takes it out
    assert Settings.parse(given, {}).options.coordinators == "127.0.0.1:7400"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def held():
    released, clock = [], Clock()
    return SimpleNamespace(
        holds=Holds(released.append, lease_s=10, clock=clock), released=released, clock=clock
    )


def pages(first, end):
    return [bytes([i]) * 32 for i in range(first, end)]


def test_a_lease_is_released_with_its_last_page(held):
    held.holds.add(pages(0, 4), lease=7)
    held.holds.fetched(pages(0, 3))
    assert held.released == []
    held.holds.fetched(pages(3, 4))
    assert held.released == [7] and len(held.holds) == 0


def test_a_page_that_was_looked_up_again_belongs_to_the_later_lease(held):
    held.holds.add(pages(0, 4), lease=7)
    held.holds.add(pages(0, 6), lease=8)
    assert held.released == [7]
    held.holds.fetched(pages(0, 6))
    assert held.released == [7, 8]


def test_what_nobody_fetched_is_forgotten_when_the_node_forgets_it(held):
    held.holds.add(pages(0, 4), lease=7)
    held.clock.now = 10
    held.holds.fetched(pages(8, 9))
    assert len(held.holds) == 0 and held.released == []


def test_lookups_that_nobody_fetches_are_bounded(held):
    for lease in range(HOLDS_MAX + 5):
        held.holds.add([lease.to_bytes(32, "little")], lease)
    assert len(held.holds) == HOLDS_MAX
    assert held.released == [0, 1, 2, 3, 4]


def test_a_prefix_is_restorable_where_all_pools_have_their_part():
    assert hybrid.restorable(5, [hybrid.all_pages(3)]) == [1, 2, 3]
    assert hybrid.restorable(5, [hybrid.all_pages(0)]) == []
    assert hybrid.restorable(3, []) == [1, 2, 3]


def test_states_here_and_there_restore_the_prefixes_that_end_with_them():
    there = [False, True, False, True]
    assert hybrid.trailing(there, 0, 1) == {2, 4}
    assert hybrid.trailing([True, True, False, True, True], 0, 2) == {1, 2, 5}
    # Of pages before the first that was asked for nothing is known.
    assert hybrid.trailing([True, True, True], 10, 2) == {12, 13}


def config(**more):
    fields = {
        "tp_rank": 0,
        "tp_size": 1,
        "pp_rank": 0,
        "pp_size": 1,
        "attn_cp_rank": 0,
        "attn_cp_size": 1,
        "is_mla_model": False,
    }
    return SimpleNamespace(**{**fields, **more})


def namespace(pool="kv", salt=None, digest=b"\1" * 32, **more):
    layout = PageLayout(sglang_pools.page_first(), sglang_pools.TWO_PAGES)
    return namespace_of(config(**more), Model("m", digest), pool, layout, salt or {})


def test_whatever_makes_bytes_differ_makes_namespaces_differ():
    spaces = [
        namespace(),
        namespace(tp_size=2),
        namespace(tp_size=2, tp_rank=1),
        namespace(pp_size=2),
        namespace(pp_size=2, pp_rank=1),
        namespace(attn_cp_size=2),
        namespace(attn_cp_size=2, attn_cp_rank=1),
        namespace(pool="swa"),
        namespace(salt={"quantization": "fp8"}),
        namespace(digest=b"\2" * 32),
    ]
    assert len(set(spaces)) == len(spaces)


def test_ranks_of_mla_share_their_latent_pages_and_no_others():
    mla = {"is_mla_model": True, "tp_size": 2}
    assert namespace(**mla, tp_rank=0) == namespace(**mla, tp_rank=1)
    assert namespace("indexer", **mla, tp_rank=0) == namespace("indexer", **mla, tp_rank=1)
    assert namespace("mamba", **mla, tp_rank=0) != namespace("mamba", **mla, tp_rank=1)
    assert namespace("draft", **mla, tp_rank=0) != namespace("draft", **mla, tp_rank=1)


def test_a_path_is_never_part_of_the_identity(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    found = Model.find(str(tmp_path), None, "")
    assert str(tmp_path) not in found.name and len(found.digest) == 32
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.json").write_text("{}")
    assert Model.find(str(elsewhere), None, "") == found
    assert Model.find("served-name", elsewhere, "").digest == found.digest


def test_a_model_whose_revision_nobody_knows_is_refused():
    with pytest.raises(Refusal, match=r"model_digest.*SHA-256"):
        Model.find("somebody/model-8b", None, "")
    with pytest.raises(Refusal, match=r"model_digest.*64 hexadecimal"):
        Model.find("somebody/model-8b", None, "main")
    given = hashlib.sha256(b"revision 3").hexdigest()
    assert Model.find("somebody/model-8b", None, given) == Model(
        "somebody/model-8b", bytes.fromhex(given)
    )
