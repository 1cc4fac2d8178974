"""The page over a real coordinator that knows a whole day."""

import re
import signal
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from browser import FIRST_PAINT_MS_MAX, Browser
from cluster import DashboardCluster
from day import SPAN_S, point, write_day

DRAWN_PAGE_S_MAX = 1  # of the page's own thread
TRIES_MAX = 15
STEP_S = 360  # of a day on the page
MORNING_S = 1800
TIB = 2**40


@pytest.fixture(scope="module")
def elderly(tmp_path_factory) -> Iterator[DashboardCluster]:
    """Its nodes were slower, smaller and hit less in the first half hour of its day."""
    cluster = DashboardCluster(tmp_path_factory.mktemp("elderly"))
    try:
        cluster.coordinator.start("--listen", cluster.address)
        cluster.coordinator.end(signal.SIGTERM)
        morning = point(bucket=16, hit_percent=25, capacity_bytes=3 * TIB)
        later = point(bucket=6, hit_percent=75, capacity_bytes=5 * TIB)
        history = cluster.coordinator.folder / "state" / "history.db"
        write_day(history, int(time.time()), morning, later, MORNING_S)
        cluster.start()
        yield cluster
    finally:
        cluster.end()


TIME = {
    "latency": ".filters label:has-text('Time') select",
    "hits": "#hits-time select",
    "nodes": "#capacity select",
}


def show_day(browser: Browser, cluster: DashboardCluster, screen: str) -> None:
    browser.do("open", url=cluster.url)
    browser.show(cluster.url, screen)
    browser.do("select", selector=TIME[screen], value=str(SPAN_S))


def await_read(browser: Browser, read: tuple[str, dict], where: str, words: str) -> str:
    """What is there once it has the words, as often as it takes to read a new chart."""
    limit = time.monotonic() + 30
    while True:
        browser.do(read[0], **read[1])
        text = browser.text(where)
        if re.search(words, text):
            return text
        assert time.monotonic() < limit, f"never {words}: {text}"
        time.sleep(0.1)


def await_oldest(browser: Browser, panel: str, words: str) -> str:
    """What a chart says when its left edge is pointed at."""
    spot = {"selector": f"#{panel} .u-over", "x": 2, "y": 20}
    return await_read(browser, ("hover", spot), f"#{panel} .legend", words)


def oldest_clocks(cluster: DashboardCluster) -> set[str]:
    """The oldest point's time, and the next one's: the day goes on until the page asks for it."""
    now_s = int(time.time())
    day = cluster.api(f"history?from={now_s - SPAN_S}&to={now_s}&points=240")
    assert day["step_s"] == STEP_S and 240 <= len(day["points"]) <= 241
    times = [int(point["unix_s"]) for point in day["points"][:2]]
    assert 0 <= times[0] - (time.time() - SPAN_S) + 60 <= STEP_S + 60
    return {time.strftime("%H:%M:%S", time.localtime(unix_s)) for unix_s in times}


def asked_spans_s(browser: Browser) -> set[int]:
    """How much of the history the page has asked for, each time."""
    names = "performance.getEntriesByType('resource').map(entry => entry.name)"
    urls = [urlsplit(name) for name in browser.evaluate(names)]
    calls = [parse_qs(url.query) for url in urls if url.path == "/api/v1/history"]
    return {int(call["to"][0]) - int(call["from"][0]) for call in calls}


OLDEST = {
    "latency": ("quantiles", r"p50\s+1\.36 s\s+p99\s+1\.98 s\s+p99\.9\s+2 s"),
    "hits": ("hits-time", r"token hit ratio\s+25\s%"),
    "nodes": ("capacity", r"in use\s+1\.5 TiB\s+capacity\s+3 TiB"),
}


@pytest.mark.parametrize("screen", OLDEST)
def test_a_days_chart_begins_with_what_was_kept_first(browser, elderly, screen):
    clocks = oldest_clocks(elderly)
    show_day(browser, elderly, screen)
    panel, figures = OLDEST[screen]
    told = await_oldest(browser, panel, figures + r"\s+until")
    assert re.search(r"until (\S+)", told)[1] in clocks
    # A second more would be another step, and so another first point.
    assert SPAN_S in asked_spans_s(browser) <= {900, 3600, SPAN_S}
    for width in (360, 1280, 3840):
        browser.do("resize", width=width, height=800)
        await_oldest(browser, panel, figures)
        beyond = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, width
    assert browser.do("axe") == []
    assert browser.do("complaints") == []


def test_a_days_heat_map_reads_from_its_oldest_column_to_its_newest(browser, elderly):
    clocks = oldest_clocks(elderly)
    show_day(browser, elderly, "latency")
    browser.await_("document.querySelector('.heatmap canvas')")
    browser.evaluate("document.querySelector('.heatmap canvas').focus()")
    slow = r"^Until (\S+): ≤ 1 s: [^·]+ · ≤ 2 s: [^·]+$"
    told = await_read(browser, ("press", {"key": "Home"}), ".heatmap figcaption", slow)
    assert re.match(slow, told)[1] in clocks
    browser.do("press", key="End")
    browser.await_text("≤ 1 ms", ".heatmap figcaption")
    assert browser.do("complaints") == []


def drawn(browser: Browser, cluster: DashboardCluster) -> tuple[float, float]:
    """Milliseconds to the first paint, and seconds of the page's thread from there to the day."""
    browser.do("open", url=f"{cluster.url}#latency")
    browser.await_("document.querySelector('.heatmap canvas')")
    paint_ms = browser.first_paint_ms()
    before = browser.do("cost")["page"]
    browser.do("select", selector=TIME["latency"], value=str(SPAN_S))
    await_oldest(browser, *OLDEST["latency"])
    return paint_ms, browser.do("cost")["page"] - before


def test_a_days_page_is_painted_and_drawn_quickly(browser, elderly):
    """In the best of some tries: machines are noisy."""
    tries: list[tuple[float, float]] = []
    while len(tries) < TRIES_MAX:
        tries.append(drawn(browser, elderly))
        paint_ms, page_s = (min(figures) for figures in zip(*tries, strict=True))
        if paint_ms <= FIRST_PAINT_MS_MAX and page_s <= DRAWN_PAGE_S_MAX:
            return
    raise AssertionError(tries)
