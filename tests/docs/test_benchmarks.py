"""docs/benchmarks.md says of each row that README shows how it is measured."""

import re

from daemons import ROOT

NAME = r"`[a-z]+(?:_[a-z0-9]+)+`"


def rows(page):
    """Names that lines of a page's tables begin with."""
    begins = re.findall(rf"^\| ({NAME}(?:, {NAME})*)", (ROOT / page).read_text(), re.MULTILINE)
    return {name for begin in begins for name in begin.split(", ")}


def test_each_row_of_the_readme_is_explained_and_no_other():
    assert len(rows("README.md")) >= 20
    assert rows("README.md") == rows("docs/benchmarks.md")
