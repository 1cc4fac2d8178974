"""A real Prometheus for tests: Debian's, in a folder, for as long as a test runs."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ANSWERS_S = 30


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


class Prometheus:
    def __init__(self, address: str, process: subprocess.Popen) -> None:
        self.address = address
        self.process = process

    def ask(self, path: str, **words: str) -> dict:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str, count: int = 1) -> list[dict]:
        """When there are so many series of it."""
        limit = time.monotonic() + ANSWERS_S
        found = []
        while True:
            with contextlib.suppress(OSError):  # It has not begun to listen.
                found = self.ask("query", query=expression)["result"]
            if len(found) >= count:
                return found
            assert self.process.poll() is None and time.monotonic() < limit, (expression, found)
            time.sleep(0.2)

    def firing(self) -> set[str]:
        alerts = self.ask("alerts")["alerts"]
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}


@contextlib.contextmanager
def running_prometheus(folder: Path, settings: dict) -> Iterator[Prometheus]:
    address = free_address()
    (folder / "prometheus.yml").write_text(json.dumps(settings))  # which is YAML, too
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            ["prometheus", *words, f"--web.listen-address={address}"], stdout=log, stderr=log
        )
    try:
        yield Prometheus(address, server)
    finally:
        server.terminate()
        server.wait(30)
