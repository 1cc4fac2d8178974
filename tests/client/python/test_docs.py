"""The examples of the pages on Python run as they stand, each page's from its top."""

import re

import cairn
import pytest
from conftest import ROOT, hashes

PAGES = ("start.md", "python.md", "routers.md")
EXAMPLES = {
    page: re.findall(
        r"^```python\n(.*?)^```",
        (ROOT / "docs" / page).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    for page in PAGES
}
NUMBERED = [(page, number) for page in PAGES for number in range(len(EXAMPLES[page]))]


@pytest.mark.parametrize(("page", "number"), NUMBERED)
def test_example(cluster, namespace: cairn.Namespace, page, number):
    names = {"coordinator": cluster.coordinator, "tenant_file": cluster.tenant_file}
    names |= {"namespace": namespace, "block_hashes": hashes(8)}
    for example in EXAMPLES[page][: number + 1]:
        exec(compile(example, f"docs/{page}", "exec"), names)


def test_there_are_examples():
    assert all(EXAMPLES[page] for page in PAGES)
