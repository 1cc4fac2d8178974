from contextlib import ExitStack
from pathlib import Path

import pytest
from machine import Machine, boot

BUILD = Path(__file__).resolve().parents[2] / "build" / "release"


def pytest_addoption(parser):
    parser.addoption("--machine", required=True, help="what tests/tools/rdma/install.sh made")


@pytest.fixture(scope="session")
def machines(request, tmp_path_factory) -> tuple[Machine, Machine]:
    tool = Path(request.config.getoption("--machine"))
    with ExitStack() as running:
        yield boot(tool, BUILD, tmp_path_factory.mktemp("machines"), running)
