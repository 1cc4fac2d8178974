"""docs/engines/vllm.md against the code: its settings, its start, its metrics and its versions."""

import dataclasses
import json
import re

import vllm_stand_in
from cairn.connector import Options
from conftest import ROOT

TEXT = (ROOT / "docs" / "engines" / "vllm.md").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the first table whose head begins with this."""
    lines = TEXT[TEXT.index(f"| {heading}") :].split("\n\n")[0].split("\n")[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_settings_and_their_defaults():
    fields = {field.name: field.default for field in dataclasses.fields(Options)}
    told = {
        name: default
        for names, default, _ in table("setting")
        for name in re.findall(r"`(\w+)`", names)
    }
    assert set(told) == set(fields)
    numbers = {name: default for name, default in fields.items() if isinstance(default, int)}
    assert {n: str(d) for n, d in numbers.items() if d} == {
        n: told[n] for n, d in numbers.items() if d
    }


def test_the_start_as_it_stands_is_accepted():
    (text,) = re.findall(r"--kv-transfer-config '(\{.*?\})'", TEXT, re.DOTALL)
    config = json.loads(text)
    assert config["kv_load_failure_policy"] == "recompute"
    assert Options.from_mapping(config["kv_connector_extra_config"], {}).coordinators


def test_the_metrics_exist(monkeypatch):
    vllm_stand_in.install(monkeypatch)
    from cairn.vllm.metrics import HELP

    known = {f"vllm:cairn_{name}_total" for name in HELP} | {"vllm:cairn_missed_blocks_total"}
    assert set(re.findall(r"vllm:cairn_\w+", TEXT)) <= known


def test_each_version_has_a_test():
    tests = (ROOT / "tests" / "client" / "python" / "test_vllm_shims.py").read_text()
    assert len(table("change")) == tests.count("\ndef test_") - 1, "one row has two tests"
