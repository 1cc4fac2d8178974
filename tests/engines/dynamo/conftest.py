"""A real Dynamo KV indexer, and a publisher that it listens to."""

import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import BUILD, ROOT, Cluster, running_cluster

os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))
sys.path.insert(0, str(ROOT / "client" / "python"))

from cairn.events import EventPublisher

PATIENCE_S = 30
BLOCK_TOKENS = 16


def eventually(probe):
    limit = time.monotonic() + PATIENCE_S
    while not (answer := probe()) and time.monotonic() < limit:
        time.sleep(0.02)
    return answer


class Indexer:
    """`python -m dynamo.indexer`, and what it answers over HTTP."""

    def __init__(self, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "dynamo.indexer"]
        command += ["--block-size", str(BLOCK_TOKENS), "--port", str(self.port)]
        self._log = log
        self._workers = itertools.count(1)
        with open(log, "w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        assert eventually(self._answers), log.read_text()

    def request(self, path: str, body: dict | None = None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.read().decode()

    def register(self, publisher: EventPublisher, model: str, *, replay: bool = True) -> None:
        """As the model's only worker."""
        more = {"replay_endpoint": publisher.replay_endpoint} if replay else {}
        self.listen(publisher.endpoint, model, **more)

    def listen(self, endpoint: str, model: str, **more) -> None:
        body = {"instance_id": next(self._workers), "endpoint": endpoint, "model_name": model}
        self.request("/register", body | {"block_size": BLOCK_TOKENS, "dp_rank": 0} | more)

    def matched(self, tokens: list[int], model: str, **more) -> dict[str, int]:
        """Tokens that the model's worker is believed to hold, in all and by tier."""
        body = {"token_ids": list(tokens), "model_name": model} | more
        instances = json.loads(self.request("/query", body))["instances"]
        return next(iter(instances.values()), {"longest_matched": 0})

    def blocks(self, tokens: list[int], model: str, **more) -> int:
        return self.matched(tokens, model, **more)["longest_matched"] // BLOCK_TOKENS

    def log(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", self._log.read_text())

    def _answers(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            self.request("/health")
            return True
        return False


@pytest.fixture(scope="session")
def indexer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Indexer]:
    running = Indexer(tmp_path_factory.mktemp("indexer") / "log")
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    """One per test, so that tests do not find each other's blocks."""
    return request.node.name


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
