"""Drives engine.py, and the prompts that all engines are given."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster
from daemons import BUILD, ROOT

HERE = Path(__file__).parent
BLOCK_TOKENS = 32
NEW_TOKENS = 24


def tokens(seed: int, count: int) -> list[int]:
    return [random.Random(seed * 100_003 + i).randrange(3, 512) for i in range(count)]


def prompts(seed: int, count: int, shared: int, own: int = 100) -> list[list[int]]:
    head = tokens(seed, shared)
    return [head + tokens(seed * 1000 + i + 1, own) for i in range(count)]


# By case. Each has a prefix of its own, so that no case finds another's blocks.
PROMPTS = {
    "down": prompts(1, 16, 256),
    "basic": prompts(2, 4, 256),
    "many": prompts(3, 32, 256),
    "restart": prompts(4, 4, 256),
    "rot": prompts(5, 4, 256),
    "slow": prompts(6, 1, 7000),
    "killed": prompts(7, 1, 7000),
    "tiny": prompts(8, 8, 256, 152),
    "long": prompts(9, 2, 6400, 32),
    "ranks": prompts(10, 4, 256),
    "hybrid": prompts(11, 4, 256),
    "staged": prompts(12, 4, 256),
}


@dataclass
class Answer:
    tokens: list[list[int]]
    cached: list[int]
    ttft_s: list[float]
    seconds: float
    counters: dict[str, float]  # what moved during this request


class Engine:
    """As a process; a context manager."""

    def __init__(self, model: Path, log: Path, *words: object, **environment: str) -> None:
        paths = os.pathsep.join((str(ROOT / "client" / "python"), str(HERE)))
        library = str(BUILD / "client" / "libcairn.so.1")
        variables = {"LIBCAIRN_PATH": library, "PYTHONPATH": paths, **environment}
        self._log = log
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "engine.py", model, *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **variables},
            )
        self._counters: dict[str, float] = {}
        self.start_s = self._answer()["start_s"]

    def generate(self, prompts: Sequence[list[int]], count: int = NEW_TOKENS) -> Answer:
        self._ask(generate=list(prompts), tokens=count)
        answer = self._answer()
        before, self._counters = self._counters, answer["counters"]
        moved = {name: value - before.get(name, 0) for name, value in self._counters.items()}
        answer["counters"] = {name: value for name, value in moved.items() if value}
        return Answer(**answer)

    def forget(self) -> None:
        """What it has cached itself."""
        self._ask(reset=True)
        assert self._answer()["reset"]

    def close(self) -> None:
        """Idempotent."""
        self.process.stdin.close()
        self.process.wait(60)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, **request: object) -> None:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        assert line.startswith("ANSWER "), f"the engine died:\n{self._log.read_text()[-4000:]}"
        return json.loads(line.removeprefix("ANSWER "))


def extra_config(cluster: Cluster, **more: object) -> str:
    """Patient: a busy machine is no reason for a miss here."""
    given: dict[str, object] = {"coordinators": cluster.coordinator}
    given |= {"tenant_file": str(cluster.tenant_file), "lookup_ms": 1000, "load_ms": 10_000}
    return json.dumps({**given, **more})
