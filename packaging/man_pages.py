#!/usr/bin/env python3
"""Manual pages of the cairn program and of each command that its help shows, made from --help.

man_pages.py CAIRN FOLDER      writes FOLDER/cairn.1, FOLDER/cairn-tenant-add.1, ...
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def output_of(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def commands(cairn: str, *words: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The words of each command with the first line of its help."""
    text = output_of(cairn, *words, "--help")
    yield words, text.splitlines()[0].removeprefix("Cairn: ")
    if "Subcommands:" in text:
        for name in re.findall(r"^  ([a-z]+)  ", text.split("Subcommands:")[1], re.MULTILINE):
            yield from commands(cairn, *words, name)


def page(cairn: str, words: tuple[str, ...], purpose: str, others: list[str]) -> str:
    version = f"--version-string={output_of(cairn, '--version').strip()}"
    text = output_of(
        "help2man", "--no-info", version, f"--name={purpose}", " ".join([cairn, *words])
    )
    # help2man names the page after the program alone, and cannot know the dash.
    name, spoken = "-".join(["cairn", *words]), " ".join(["cairn", *words])
    text = re.sub(r"^\.TH \S+", f".TH {name.upper()}", text, count=1, flags=re.MULTILINE)
    text = text.replace(f"\n{spoken} \\- ", f"\n{name} \\- ", 1)
    also = ", ".join(f".BR {other} (1)" for other in others).replace(", .BR", ",\n.BR")
    return f"{text}.SH SEE ALSO\n{also}\n"


def main() -> int:
    cairn, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    found = dict(commands(cairn))
    for words, purpose in found.items():
        related = [other for other in found if other[:-1] == words or other == words[:-1]]
        others = ["-".join(["cairn", *other]) for other in related if other != words]
        text = page(cairn, words, purpose, others)
        (folder / f"{'-'.join(['cairn', *words])}.1").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
