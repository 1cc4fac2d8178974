"""A model, a cluster, and the tokens of an engine that knows nothing of Cairn."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import tiny_llama
from cluster import Cluster
from engines import PROMPTS, Answer, Engine, extra_config
from steps import connect, cost_s


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="session")
def model(folder: Path) -> Path:
    tiny_llama.write(folder / "model")
    return folder / "model"


@pytest.fixture(scope="session")
def reference(folder: Path, model: Path) -> dict[str, Answer]:
    """By case. Each is computed alone, from an empty cache."""
    found = {}
    with Engine(model, folder / "plain.log") as engine:
        down_s = cost_s(engine, "down")
        for case, prompts in PROMPTS.items():
            engine.forget()
            found[case] = engine.generate(prompts)
        found["down"].cpu_s = down_s
    return found


@pytest.fixture(scope="session")
def cluster(folder: Path) -> Iterator[Cluster]:
    """Not started: each module says when."""
    own = Cluster(folder / "cluster")
    yield own
    own.stop()


@pytest.fixture(scope="session")
def engine(folder: Path, model: Path, reference: dict, cluster: Cluster) -> Iterator[Engine]:
    """Started while the cluster is down; it finds it later."""
    given = extra_config(cluster, load_ms=1000, inflight_bytes=1 << 20)
    with Engine(model, folder / "cairn.log", "--cairn", given) as started:
        yield started


@pytest.fixture
def started(cluster, engine):
    """The cluster, started, and known to the engine."""
    connect(cluster, engine)
    return cluster
