#!/usr/bin/env python3
"""Takes the dashboard's pictures from a real cluster under load: screens.py FOLDER"""

import sys
import tempfile
import time
from pathlib import Path

from browser import Browser, chromium
from cluster import DashboardCluster, dashboard_cluster

LOAD_S = 100  # Some history for the charts.
LARGE, PHONE = (1280, 800), (360, 720)


def take(
    browser: Browser,
    cluster: DashboardCluster,
    screen: str,
    path: Path,
    scheme: str = "light",
    size: tuple[int, int] = LARGE,
) -> None:
    url = f"{cluster.url}#{screen}"
    browser.do("open", url=url, width=size[0], height=size[1], scheme=scheme)
    browser.await_("document.querySelector('main .panel')")
    browser.await_("!document.querySelector('main').innerText.includes('Loading')")
    time.sleep(0.5)  # The charts are drawn after the text.
    browser.do("screenshot", path=str(path), whole=size == LARGE)


def main(folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory() as scratch,
        chromium() as browser,
        dashboard_cluster(Path(scratch)) as cluster,
    ):
        for name, p99 in (("fast", "5ms"), ("instant", "200us")):
            cluster.promise(name, p99)
        load = cluster.load(LOAD_S)
        time.sleep(LOAD_S - 10)
        take(browser, cluster, "latency", folder / "dashboard-latency.png", "dark")
        take(browser, cluster, "latency", folder / "dashboard-phone.png", "dark", PHONE)
        take(browser, cluster, "hits", folder / "dashboard-hits.png")
        load.wait(60)
        cluster.nodes[1].end()
        time.sleep(3)
        take(browser, cluster, "verdict", folder / "dashboard-verdict.png")
        take(browser, cluster, "nodes", folder / "dashboard-nodes.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
