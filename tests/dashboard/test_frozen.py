"""What an open page says of a node that hangs under load, with the product's own timeouts."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from browser import Browser
from cluster import DashboardCluster, dashboard_cluster

RED_WITHIN_S = 30
BACK_WITHIN_S = 60
HANGS = 1  # which of the nodes


@pytest.fixture(scope="module")
def busy(tmp_path_factory) -> Iterator[DashboardCluster]:
    folder = tmp_path_factory.mktemp("busy")
    with dashboard_cluster(folder, options=()) as cluster, cluster.loading(seconds=600) as load:
        limit = time.monotonic() + 60
        while not cluster.api()["client_latency"]:
            assert time.monotonic() < limit, "the client's figures never came"
            time.sleep(0.2)
        yield cluster
        assert load.poll() is None, (folder / "load.log").read_text()


@contextlib.contextmanager
def hanging(cluster: DashboardCluster) -> Iterator[str]:
    """While a node hangs; its name."""
    node = cluster.nodes[HANGS]
    node.freeze()
    try:
        yield (node.folder / "state" / "identity").read_text().split()[1][:8]
    finally:
        node.go_on()


def test_a_frozen_node_turns_the_verdict_red_within_30_s_and_back(browser, busy):
    browser.do("open", url=f"{busy.url}#verdict")
    browser.await_text("Nothing is wrong", ".sentence", BACK_WITHIN_S)
    with hanging(busy) as name:
        browser.await_("document.querySelector('.hero.bad')", RED_WITHIN_S)
        browser.await_text("Act now: 1 finding", ".sentence", RED_WITHIN_S)
        assert f"Node {name} is lost" in browser.text("#findings .card")
        assert "a frozen or killed one comes back" in browser.text("#findings .card")
        assert browser.evaluate("!!document.querySelector('#findings.bad .badge.bad')")
    browser.await_text("Nothing is wrong", ".sentence", BACK_WITHIN_S)
    assert browser.evaluate("document.querySelector('.bad')") is None
    browser.show(busy.url, "events")
    assert name in browser.text("#events")
    assert browser.do("complaints") == []


NEWEST = "document.querySelector('#quantiles details tbody td')?.innerText"


def await_point(browser: Browser) -> None:
    """The next that the chart shows."""
    browser.await_(f"{NEWEST} !== {browser.evaluate(NEWEST)!r}", patience_s=60)


def test_a_latency_screen_goes_on_while_a_node_hangs_and_says_so(browser, busy):
    browser.do("open", url=busy.url)
    browser.show(busy.url, "latency")
    browser.await_("!document.querySelector('header .bad')", BACK_WITHIN_S)
    browser.do("click", selector="#quantiles summary")
    browser.await_(NEWEST)
    with hanging(busy):
        browser.await_("document.querySelector('header .badge.bad')", RED_WITHIN_S)
        for _ in range(2):  # At least one of them is of a time when the node hung throughout.
            await_point(browser)
        browser.await_text("live", ".live")
        assert browser.evaluate("!!document.querySelector('header .badge.bad')")
    browser.await_("!document.querySelector('header .bad')", BACK_WITHIN_S)
    await_point(browser)
    assert browser.do("complaints") == []
