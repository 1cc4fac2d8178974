#!/usr/bin/env python3
"""Reports what tends to rot, and never fails: functions over 70 lines or 5 parameters, files over
600 lines, ten-line windows that occur twice. A finding asks for a look, not for a trick.

    smells.py ROOT
"""

import bisect
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("base", "proto", "cache", "transport", "client", "server", "tests", "bench")
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
PARAMETERS_MAX = 5
WINDOW_LINES = 10

NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S
)
# The text between the last statement and a brace, if the brace opens a function: a name and its
# parameters, then qualifiers, a trailing type or member initialisers.
FUNCTION = re.compile(
    r"([\w:~]+|operator\W+)\s*\(([^;]*)\)\s*(?:[^;(){}]|\([^;(){}]*\)|\{[^;(){}]*\})*$", re.S
)
CONTROL = {"if", "for", "while", "switch", "catch", "return", "else", "do"}


@dataclass
class Function:
    place: str
    name: str
    lines: int
    parameters: int


def without_noise(text: str) -> str:
    """The text with comments and literals blanked; lines stay where they are."""
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def count_parameters(text: str) -> int:
    depth, count = 0, 1 if text.strip() else 0
    for character in text:
        depth += (character in "(<[{") - (character in ")>]}")
        count += character == "," and depth == 0
    return count


def functions_of(path: str, text: str) -> Iterator[Function]:
    text = without_noise(text)
    line_starts = [0] + [match.end() for match in re.finditer("\n", text)]
    statement, inside, depth = 0, None, 0
    for match in re.finditer(r"[{};]|^\s*#[^\n]*", text, re.M):
        token, at = match.group(), match.start()
        if token == "{":
            head = text[statement:at]
            opening = FUNCTION.search(head) if inside is None else None
            if opening and opening.group(1) not in CONTROL:
                inside = (depth, opening, bisect.bisect(line_starts, statement + opening.start()))
            depth += 1
        elif token == "}":
            depth -= 1
            if inside and depth == inside[0]:
                _, opening, first = inside
                lines = bisect.bisect(line_starts, at) - first + 1
                parameters = count_parameters(opening.group(2))
                yield Function(f"{path}:{first}", opening.group(1), lines, parameters)
                inside = None
        statement = match.end()


def repeated_windows(texts: dict[str, str]) -> Iterator[str]:
    """Where a window of ten lines with something in them occurs again; overlapping ones once."""
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for path, text in texts.items():
        lines = [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        lines = [
            (n, line) for n, line in lines if not line.startswith(("#include", "//", "import"))
        ]
        for start in range(len(lines) - WINDOW_LINES + 1):
            window = tuple(line for _, line in lines[start : start + WINDOW_LINES])
            places[window].append((path, lines[start][0]))
    reported: dict[tuple[str, str], int] = {}
    for (path, line), *others in (where for where in places.values() if len(where) > 1):
        other, other_line = others[0]
        previous = reported.get((path, other), -WINDOW_LINES)
        reported[path, other] = line
        if line - previous >= WINDOW_LINES:
            yield f"{path}:{line}: {WINDOW_LINES} lines again at {other}:{other_line}"


def findings(texts: dict[str, str], functions: list[Function]) -> Iterator[str]:
    for path, text in texts.items():
        if (lines := text.count("\n")) > FILE_LINES_MAX:
            yield f"{path}: {lines} lines"
    for function in functions:
        if function.lines > FUNCTION_LINES_MAX:
            yield f"{function.place}: {function.name} has {function.lines} lines"
        if function.parameters > PARAMETERS_MAX:
            yield f"{function.place}: {function.name} has {function.parameters} parameters"
    yield from repeated_windows(texts)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = Path(sys.argv[1])
    texts = {
        path.relative_to(root).as_posix(): path.read_text(errors="replace")
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".h", ".cc"}
    }
    functions = [f for path, text in texts.items() for f in functions_of(path, text)]
    for finding in findings(texts, functions):
        print(finding)
    lengths = sorted(function.lines for function in functions) or [0]
    lines = {test: 0 for test in (True, False)}
    for path, text in texts.items():
        lines[path.startswith("tests/")] += text.count("\n")
    ninetieth = lengths[int(len(lengths) * 0.9) - 1]
    ratio = lines[True] / max(1, lines[False])
    print(f"{len(functions)} functions, 90th percentile {ninetieth} lines, longest {lengths[-1]}")
    print(f"test lines ÷ production lines {ratio:.2f}")


if __name__ == "__main__":
    main()
