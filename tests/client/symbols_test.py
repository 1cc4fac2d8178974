#!/usr/bin/env python3
"""What libcairn.so shows the world is what tests/data/abi says: a symbol that vanishes breaks every
program built against it, one that slips out binds us for ever.

symbols_test.py LIBRARY LIST
"""

import subprocess
import sys
from pathlib import Path


def exported(library: str) -> list[str]:
    command = ["nm", "--dynamic", "--defined-only", "--with-symbol-versions", library]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(f"{kind} {name}" for _, kind, name in (line.split() for line in lines))


def main() -> int:
    library, wanted_file = sys.argv[1:]
    wanted = Path(wanted_file).read_text().splitlines()
    found = exported(library)
    for symbol in sorted(set(wanted) - set(found)):
        print(f"gone: {symbol}. The ABI is stable: give it back")
    for symbol in sorted(set(found) - set(wanted)):
        print(f"new: {symbol}. If it is meant to stay for ever, add it to {wanted_file}")
    return 0 if found == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
