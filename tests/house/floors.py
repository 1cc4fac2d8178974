#!/usr/bin/env python3
"""Fails when a folder includes from its own floor's neighbour or from a higher floor, or when code
for one vendor's hardware stands outside the folders made for it. The floors are those of DESIGN.

    floors.py ROOT      prints one line per violation; exit status 1 if there is any
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# From the ground up. server/cli is the `cairn` program: client and server alike, so above both.
FLOORS = (
    ("base",),
    ("proto",),
    ("cache", "transport"),
    ("client", "server"),
    ("server/cli",),
    ("tests", "bench", "helm"),
)
FLOOR_OF = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}
SOURCES = {".h", ".hpp", ".c", ".cc", ".cpp", ".cu", ".cuh", ".proto"}
VENDOR_FOLDERS = ("transport/cuda/", "transport/verbs/")

INCLUDE = re.compile(r'^\s*(?:#\s*include\s*["<]|import\s+(?:public\s+|weak\s+)?")([^">]+)[">]')
# A word boundary on the left only: CAIRN_HAVE_CUDA, __CUDACC__, MLX5_DV but not CHIP.
VENDOR = re.compile(r"^\s*#\s*(?:if|ifdef|ifndef|elif|elifdef)\b.*(?<![A-Za-z])(CUDA|HIP|IBV|MLX)")
GUARD = re.compile(r"^\s*#\s*ifndef\s+\w+_H_\s*$")


def folder_of(path: str) -> str | None:
    """The folder with a floor of its own that holds the path; None for foreign headers."""
    parts = path.split("/")
    for length in (2, 1):
        folder = "/".join(parts[:length])
        if len(parts) > length and folder in FLOOR_OF:
            return folder
    return None


def check_include(path: str, target: str) -> str | None:
    """Why the file at `path` may not include `target`; None if it may."""
    folder, other = folder_of(path), folder_of(target)
    if folder is None or other is None or folder == other:
        return None
    if FLOOR_OF[other] > FLOOR_OF[folder]:
        return f"{folder}/ includes from {other}/, which is on a higher floor"
    if FLOOR_OF[other] == FLOOR_OF[folder]:
        return f"{folder}/ and {other}/ stand on one floor and never meet"
    return None


def check_line(path: str, line: str) -> str | None:
    """Why the line may not stand in the file at `path`."""
    if include := INCLUDE.match(line):
        return check_include(path, include.group(1))
    if path.startswith(VENDOR_FOLDERS) or GUARD.match(line):
        return None
    if vendor := VENDOR.match(line):
        return f"a condition on {vendor.group(1)} belongs into transport/cuda/ or transport/verbs/"
    return None


def violations(root: Path) -> Iterator[str]:
    for folder in sorted({folder.split("/")[0] for folder in FLOOR_OF}):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix not in SOURCES or not file.is_file():
                continue
            path = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                if why := check_line(path, line):
                    yield f"{path}:{number}: {why}"


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
