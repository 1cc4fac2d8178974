#!/usr/bin/env python3
"""Fails when a folder includes from its own floor's neighbour or from a higher floor, or when code
for one vendor's hardware stands outside the folders made for it. The floors are those of DESIGN.

    floors.py ROOT      prints one line per violation; exit status 1 if there is any
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FLOORS = {
    "base": 0,
    "proto": 1,
    "cache": 2,
    "transport": 2,
    "client": 3,
    "server": 3,
    "tests": 4,
    "bench": 4,
    "helm": 4,
}
SOURCES = {".h", ".hpp", ".c", ".cc", ".cpp", ".cu", ".cuh", ".proto"}
VENDOR_FOLDERS = (("transport", "cuda"), ("transport", "verbs"))

INCLUDE = re.compile(r'^\s*(?:#\s*include\s*["<]|import\s+(?:public\s+|weak\s+)?")([^">]+)[">]')
# A word boundary on the left only: CAIRN_HAVE_CUDA, __CUDACC__, MLX5_DV but not CHIP.
VENDOR = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif|elifdef)\b.*(?<![A-Za-z])(CUDA|HIP|IBV|MLX)")
GUARD = re.compile(r"^\s*#\s*ifndef\s+\w+_H_\s*$")


def check_include(folder: str, target: str) -> str | None:
    """Why a file of `folder` may not include `target`; None if it may."""
    other = target.split("/")[0]
    if other == folder or other not in FLOORS:
        return None
    if FLOORS[other] > FLOORS[folder]:
        return f"{folder}/ (floor {FLOORS[folder]}) includes from {other}/ (floor {FLOORS[other]})"
    if FLOORS[other] == FLOORS[folder]:
        return f"{folder}/ and {other}/ stand on one floor and never meet"
    return None


def check_line(parts: tuple[str, ...], line: str) -> str | None:
    """Why the line may not stand in the file at `parts`, its path split at the slashes."""
    if include := INCLUDE.match(line):
        return check_include(parts[0], include.group(1))
    if parts[:2] in VENDOR_FOLDERS or GUARD.match(line):
        return None
    if vendor := VENDOR.match(line):
        return f"a condition on {vendor.group(1)} belongs into transport/cuda/ or transport/verbs/"
    return None


def violations(root: Path) -> Iterator[str]:
    for folder in FLOORS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or not path.is_file():
                continue
            parts = path.relative_to(root).parts
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if why := check_line(parts, line):
                    yield f"{'/'.join(parts)}:{number}: {why}"


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(violations(Path(sys.argv[1])))
    for violation in found:
        print(violation)
    print(f"{len(found)} violations of the floors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
