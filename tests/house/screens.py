#!/usr/bin/env python3
"""Takes the pictures of docs/screens/ from real runs: a terminal, a cluster, what it shows.

screens.py CAIRN TRACE FOLDER
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

PATIENCE_S = 300
CELL = (8.4, 19)  # Of one letter, at FONT_SIZE.
FONT_SIZE = 14
MARGIN = 14
BACKGROUND, FOREGROUND = "#161b22", "#d0d7de"
COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#79c0ff"}
SGR = re.compile(r"\x1b\[([0-9;]*)m")


def style_after(style: dict[str, str], codes: str) -> dict[str, str]:
    """The SVG attributes that hold behind an escape sequence."""
    for code in codes.split(";"):
        if code in ("", "0"):
            style = {}
        elif code == "1":
            style = {**style, "font-weight": "bold"}
        elif code == "2":
            style = {**style, "opacity": "0.6"}
        elif code in COLORS:
            style = {**style, "fill": COLORS[code]}
        elif code == "39":
            style = {name: value for name, value in style.items() if name != "fill"}
    return style


def runs_of(line: str, style: dict[str, str]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Column, text and style of each stretch of one style."""
    column, at = 0, 0
    for match in [*SGR.finditer(line), None]:
        text = line[at : match.start() if match else len(line)]
        if text.strip():
            yield column, text, style
        column += len(text)
        if match:
            at, style = match.end(), style_after(style, match.group(1))


def svg_of(screen: str) -> str:
    lines = screen.rstrip().split("\n")
    columns = max(len(SGR.sub("", line)) for line in lines)
    width = round(columns * CELL[0] + 2 * MARGIN)
    height = len(lines) * CELL[1] + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
        f'<g font-family="ui-monospace, Menlo, DejaVu Sans Mono, monospace" font-size="{FONT_SIZE}"'
        f' fill="{FOREGROUND}" xml:space="preserve">',
    ]
    style: dict[str, str] = {}
    for row, line in enumerate(lines):
        for column, text, its_style in runs_of(line, style):
            attributes = "".join(f' {name}="{value}"' for name, value in its_style.items())
            x = MARGIN + column * CELL[0]
            y = MARGIN + row * CELL[1] + FONT_SIZE
            # The length keeps the columns whatever the font's width is.
            parts.append(
                f'<text x="{x:g}" y="{y}" textLength="{len(text) * CELL[0]:g}"{attributes}>'
                f"{escape(text)}</text>"
            )
        for match in SGR.finditer(line):
            style = style_after(style, match.group(1))
    return "\n".join([*parts, "</g>", "</svg>", ""])


class Tmux:
    """A terminal of its own that can be looked at."""

    def __init__(self, environment: dict[str, str], folder: str, columns: int = 116) -> None:
        self.socket = f"cairn-screens-{os.getpid()}-{id(self)}"
        self.environment = environment
        words = ["new-session", "-d", "-x", str(columns), "-y", "24", "-c", folder, "bash --norc"]
        self.call("-f", "/dev/null", *words)
        self.type("PS1='$ '; clear")
        self.wait_for(r"^\$ $")

    def call(self, *words: str) -> str:
        command = ["tmux", "-L", self.socket, *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env=self.environment
        ).stdout

    def type(self, line: str) -> None:
        self.call("send-keys", "-l", line)
        self.call("send-keys", "Enter")

    def screen(self, *flags: str) -> str:
        return self.call("capture-pane", "-p", *flags)

    def wait_for(self, pattern: str) -> re.Match[str]:
        limit = time.monotonic() + PATIENCE_S
        while not (match := re.search(pattern, self.screen("-J").rstrip("\n"), re.MULTILINE)):
            if time.monotonic() > limit:
                raise TimeoutError(f"no {pattern!r} in {self.screen()}")
            time.sleep(0.1)
        return match

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("kill-server")


@contextlib.contextmanager
def terminal(environment: dict[str, str], folder: str) -> Iterator[Tmux]:
    tmux = Tmux(environment, folder)
    try:
        yield tmux
    finally:
        tmux.close()


def take(tmux: Tmux, path: Path) -> None:
    """Without the prompt that waits below."""
    screen = re.sub(r"\n\$ *\s*$", "", tmux.screen("-e").rstrip())
    path.write_text(svg_of(screen))
    print(path)


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    cairn, trace, pictures = (Path(word).resolve() for word in sys.argv[1:])
    path = f"{cairn.parent}:{os.environ['PATH']}"
    plain = {"PATH": path, "HOME": "/", "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as folder:
        plain["TMUX_TMPDIR"] = folder
        with terminal({**plain, "CAIRN_TRACE": str(trace)}, folder) as demo:
            demo.type("cairn demo --once")
            demo.wait_for(r"^late answers")
            demo.wait_for(r"^\$ *$")
            take(demo, pictures / "demo.svg")
        more = {"CAIRN_TRACE": str(trace), "CAIRN_REQUESTS_MAX": "600"}
        with terminal({**plain, **more}, folder) as serving:
            serving.type("cairn demo")
            admin = serving.wait_for(r"--coordinator (\S+) --admin-file (\S+)")
            tenant_file = serving.wait_for(r"--tenant-file (\S+)").group(1)
            known = {"CAIRN_COORDINATOR": admin.group(1), "CAIRN_ADMIN_FILE": admin.group(2)}
            with terminal({**plain, **known}, folder) as watching:
                watching.type("cairn status")
                watching.wait_for(r"^NODE[^$]*^\$ *$")
                take(watching, pictures / "status.svg")
                command = [cairn, "bench", "--coordinator", admin.group(1), "--seconds", "8"]
                command += ["--tenant-file", tenant_file]
                load = subprocess.Popen(command, stdout=-3, stderr=-3)
                watching.type("cairn top")
                watching.wait_for(r" [0-9.]+ MB/s +[0-9.]+ MB/s$")
                time.sleep(3)  # rates of a load that runs, not of one that begins
                take(watching, pictures / "top.svg")
                watching.call("send-keys", "C-c")
                load.wait(60)
            serving.call("send-keys", "C-c")
            serving.wait_for(r"\$ *\Z")


if __name__ == "__main__":
    main()
