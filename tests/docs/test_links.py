"""Links between pages lead somewhere, and from README to every page."""

import re
from pathlib import Path

import pytest
from daemons import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> set[tuple[Path, str]]:
    """Files that a page leads to, and headings in them."""
    found = set()
    for target in LINK.findall(FENCED.sub("", page.read_text())):
        if not re.match(r"\w+:", target):
            path, _, heading = target.partition("#")
            found.add(((page.parent / path).resolve() if path else page, heading))
    return found


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere_from(page):
    for target, heading in links(page):
        assert target.exists(), f"{page.name}: {target}"
        assert not heading or heading in anchors(target), f"{page.name}: {target.name}#{heading}"


def test_every_page_is_reached_from_the_readme():
    reached, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead += [to for to, _ in links(page) if to in PAGES and to not in reached]
    assert set(PAGES) == reached
