#!/usr/bin/env python3
"""Fails when a fault of docs/faults.md has no test, or names one that is not there.

    faults.py ROOT      prints one line per finding; exit status 1 if there is any

The page's tables have a row per fault: number, fault, what Cairn does, the tests' names. A name is
a GoogleTest's `Suite.Name` or a pytest function. `none yet: reason` stands for a test of what is
not built, outside of the sections that must have one.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FAULTS = range(1, 44)
ALWAYS_TESTED = ("Disk and memory", "Processes")

SECTION = re.compile(r"^## (.+)$")
ROW = re.compile(r"^\| (\d+) \|(.*)\|$")
NAME = re.compile(r"`([A-Za-z0-9_.]+)`")
EXCUSE = re.compile(r"^none yet: \S+")
GTEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
PYTEST = re.compile(r"^\s*(?:async )?def (test_\w+)", re.MULTILINE)


def tests_in(root: Path) -> set[str]:
    """The names of all tests."""
    names = set()
    for file in (root / "tests").rglob("*.cc"):
        names |= {f"{suite}.{name}" for suite, name in GTEST.findall(file.read_text())}
    for file in (root / "tests").rglob("*.py"):
        names |= set(PYTEST.findall(file.read_text()))
    return names


def check_row(number: int, section: str, cells: list[str], tests: set[str]) -> Iterator[str]:
    """What is wrong with a fault's row."""
    if len(cells) != 3 or not all(cells):
        yield f"fault {number}: the row needs a fault, what Cairn does, and tests"
        return
    named = NAME.findall(cells[2])
    if not named and not (EXCUSE.match(cells[2]) and section not in ALWAYS_TESTED):
        yield f"fault {number}: no test"
    for name in named:
        if name not in tests:
            yield f"fault {number}: there is no test {name}"


def findings(page: str, tests: set[str]) -> Iterator[str]:
    section = ""
    seen = []
    for line in page.splitlines():
        if heading := SECTION.match(line):
            section = heading.group(1)
        if row := ROW.match(line):
            seen.append(int(row.group(1)))
            cells = [cell.strip() for cell in row.group(2).split("|")]
            yield from check_row(seen[-1], section, cells, tests)
    for number in FAULTS:
        if seen.count(number) != 1:
            yield f"fault {number}: {seen.count(number)} rows instead of one"


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path(sys.argv[1])
    found = list(findings((root / "docs" / "faults.md").read_text(), tests_in(root)))
    for finding in found:
        print(finding)
    print(f"{len(found)} findings in docs/faults.md")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
