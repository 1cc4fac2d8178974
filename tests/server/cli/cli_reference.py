"""docs/reference/cli.md, from the program's own help: run this file to write it anew."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import CAIRN, ROOT

PAGE = ROOT / "docs" / "reference" / "cli.md"
INTRODUCTION = """# Every command and option

As `--help` tells them. An option `--dram-bytes` is also the variable `CAIRN_DRAM_BYTES` and the key
`dram_bytes` of a YAML file; of `cairn up`, `--node.dram-bytes` is `CAIRN_NODE_DRAM_BYTES` and the
key `dram_bytes` under `node`. Its default stands in brackets. A value out of its range is refused
with the range. [cli.md](../cli.md) is the introduction, with exit codes and what the screens look
like. This page is written by tests/server/cli/cli_reference.py.
"""


def commands(*words: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """`cairn WORDS...` with its help, then those below it, in the help's order."""
    asked = [CAIRN, *words, "--help"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    yield words, text
    _, _, below = text.partition("Subcommands:\n")
    for name in re.findall(r"^  ([a-z]+) ", below.partition("\n\n")[0], re.MULTILINE):
        yield from commands(*words, name)


def page() -> str:
    parts = [INTRODUCTION]
    for words, text in commands():
        # Fenced: that the examples work is tested where they come from, in the help.
        title = " ".join(("cairn", *words))
        parts.append(f"\n{'#' * min(len(words) + 2, 3)} {title}\n\n```text\n{text.rstrip()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
