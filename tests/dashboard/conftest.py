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
