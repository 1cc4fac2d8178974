"""A real Chromium, driven through browser.mjs."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PATIENCE_S = 20
FIRST_PAINT_MS_MAX = 300
SCREENS = ("verdict", "latency", "hits", "nodes", "events")


class Browser:
    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def do(self, command: str, **options: Any) -> Any:
        self._process.stdin.write(json.dumps({"command": command, **options}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def evaluate(self, expression: str) -> Any:
        return self.do("evaluate", expression=expression)

    def text(self, selector: str = "body") -> str:
        """What a reader sees of it; empty when there is none."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def rows(self, panel: str) -> list[list[str]]:
        """The first table of a panel, cell by cell."""
        return self.evaluate(
            f"""[...document.querySelectorAll('#{panel} table:first-of-type tbody tr')].map(
                (row) => [...row.children].map((cell) => cell.innerText.trim()))"""
        )

    def show(self, url: str, screen: str) -> None:
        """Goes to a screen, and returns when it has its figures."""
        self.do("goto", url=f"{url}#{screen}")
        title = f"document.title === 'Cairn: {screen}'"
        self.await_(f"{title} && document.querySelector('main .panel')")
        self.await_("!document.querySelector('main').innerText.includes('Loading')")

    def await_(self, expression: str, patience_s: float = PATIENCE_S) -> None:
        limit = time.monotonic() + patience_s
        while not self.evaluate(f"!!({expression})"):
            assert time.monotonic() < limit, f"never: {expression}\n{self.text()}"
            time.sleep(0.05)

    def first_paint_ms(self) -> float:
        """Of the page that is open; waits for it."""
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        self.await_(paint)
        return self.evaluate(paint)

    def await_text(self, words: str, selector: str, patience_s: float = PATIENCE_S) -> None:
        where = f"document.querySelector({json.dumps(selector)})?.innerText"
        self.await_(f"{where}?.includes({json.dumps(words)})", patience_s)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    process = subprocess.Popen(
        ["node", HERE / "browser.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Browser(process)
    finally:
        process.stdin.close()
        process.wait(30)
