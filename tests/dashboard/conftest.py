import time
from collections.abc import Iterator

import pytest
from browser import Browser, chromium
from cluster import DashboardCluster, dashboard_cluster


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardCluster]:
    with dashboard_cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def loaded(cluster: DashboardCluster) -> DashboardCluster:
    """After some seconds of puts and gets, when their last figures have come: they are those of
    the last minute."""
    assert cluster.load(seconds=12).wait(60) == 0, (cluster.folder / "load.log").read_text()
    limit = time.monotonic() + 30
    while not (cluster.api()["client_latency"] and cluster.api("history")["points"]):
        assert time.monotonic() < limit, "the client's figures never came"
        time.sleep(0.2)
    return cluster
