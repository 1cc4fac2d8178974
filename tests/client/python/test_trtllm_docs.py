"""docs/engines/tensorrt-llm.md names the settings that there are, with their defaults."""

import dataclasses
import re

from cairn.connector import Options
from cairn.trtllm.settings import Settings
from conftest import ROOT

TEXT = (ROOT / "docs" / "engines" / "tensorrt-llm.md").read_text()
ROWS = dict(re.findall(r"^\| ((?:`CAIRN_\w+`(?:, )?)+) \| (.*?) \|", TEXT, re.MULTILINE))


def rows() -> dict[str, str]:
    return {name: default for names, default in ROWS.items() for name in re.findall(r"\w+", names)}


def test_every_setting_is_there_and_no_other():
    own = {"CAIRN_CONFIG_FILE", "CAIRN_QUERY_WAIT_US", "CAIRN_STAGING_BYTES", "CAIRN_LORA_ADAPTERS"}
    shared = {f"CAIRN_{field.name.upper()}" for field in dataclasses.fields(Options)}
    assert set(rows()) == own | shared


def test_the_defaults_are_those_of_the_code():
    settings = Settings.parse({"CAIRN_COORDINATORS": "h:1", "CAIRN_TENANT_FILE": "t"})
    documented = rows()
    for field in dataclasses.fields(Options):
        default = documented[f"CAIRN_{field.name.upper()}"]
        if default.isdigit():
            assert int(default) == field.default, field.name
    assert documented["CAIRN_QUERY_WAIT_US"] == str(settings.query_wait_us)
    assert documented["CAIRN_STAGING_BYTES"] == f"{settings.staging_bytes >> 20} MiB"
