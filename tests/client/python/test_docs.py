"""The examples of docs/python.md run as they stand."""

import re

import pytest
from conftest import ROOT

TEXT = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example(cluster, number):
    names = {"coordinator": cluster.coordinator, "tenant_file": cluster.tenant_file}
    for example in EXAMPLES[: number + 1]:
        exec(compile(example, "docs/python.md", "exec"), names)


def test_there_are_examples():
    assert len(EXAMPLES) >= 2
