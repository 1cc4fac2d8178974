"""A model, a cluster, and the tokens of an engine that knows nothing of Cairn."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from daemons import BUILD, ROOT

sys.path.insert(0, str(ROOT / "client" / "python"))
os.environ.setdefault("LIBCAIRN_PATH", str(BUILD / "client" / "libcairn.so.1"))

import tiny_llama
from cluster import Cluster
from engines import PROMPTS, Answer, Engine, extra_config
from steps import connect


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="session")
def model(folder: Path) -> Path:
    tiny_llama.write(folder / "model")
    return folder / "model"


@pytest.fixture(scope="session")
def plain(folder: Path, model: Path) -> Iterator[Engine]:
    """An engine that knows nothing of Cairn."""
    with Engine(model, folder / "plain.log") as engine:
        yield engine


@pytest.fixture(scope="session")
def reference(plain: Engine) -> dict[str, Answer]:
    """By case. Each is computed alone, from an empty cache."""
    found = {}
    for case, prompts in PROMPTS.items():
        plain.forget()
        found[case] = plain.generate(prompts)
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
