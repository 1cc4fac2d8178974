"""The cairn program against real daemons: one `cairn up` per session."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import CAIRN, Cluster, running_cluster

COMMAND_S = 60


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def plain_environment(**more: str) -> dict[str, str]:
    """This process's, without what would change what the program prints."""
    odd = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
    kept = {k: v for k, v in os.environ.items() if k not in odd and not k.startswith("CAIRN_")}
    return {**kept, "TERM": "xterm-256color", **more}


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `cairn WORDS...` to its end in a folder of its own."""

    def run_cairn(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CAIRN), *map(str, words)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=plain_environment(**environment),
            timeout=COMMAND_S,
        )

    return run_cairn


@pytest.fixture
def admin(cluster: Cluster) -> list[str]:
    return ["--coordinator", cluster.coordinator, "--admin-file", cluster.admin_file]


@pytest.fixture
def tenant(cluster: Cluster) -> list[str]:
    return ["--coordinators", cluster.coordinator, "--tenant-file", cluster.tenant_file]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two requests, the second a continuation of the first."""
    path = tmp_path / "trace.jsonl"
    path.write_text(
        '{"timestamp": 0, "input_length": 1000, "output_length": 1, "hash_ids": [1, 2]}\n'
        '{"timestamp": 1, "input_length": 1500, "output_length": 1, "hash_ids": [1, 2, 3]}\n'
    )
    return path
