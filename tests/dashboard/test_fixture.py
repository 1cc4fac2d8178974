"""The page over states that take days to reach, and the fixture that makes them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from browser import SCREENS, Browser

HERE = Path(__file__).resolve().parent
PROTOS = HERE.parents[1] / "proto" / "cairn" / "v1"


def proto_fields() -> dict[str, dict[str, str]]:
    """Of each message its fields' names and types, without the packages."""
    fields: dict[str, dict[str, str]] = {}
    for path in PROTOS.glob("*.proto"):
        stack: list[str] = []
        for line in path.read_text().splitlines():
            line = line.split("//")[0]
            if found := re.search(r"\b(?:message|enum|service) (\w+)", line):
                stack.append(found[1])
            elif found := re.match(r"\s*(?:repeated )?([\w.]+) (\w+) = \d+", line):
                fields.setdefault(stack[-1], {})[found[2]] = found[1].rpartition(".")[2]
            if found := re.search(r"\{(.*)", line):
                for type_, name in re.findall(r"([\w.]+) (\w+) = \d+;", found[1]):
                    fields.setdefault(stack[-1], {})[name] = type_.rpartition(".")[2]
            if stack and line.count("}") > line.count("{") - ("message" in line or "enum" in line):
                stack.pop()
    return fields


def unknown(value: object, message: str, fields: dict[str, dict[str, str]]) -> list[str]:
    """What the fixture says and the message does not have."""
    if isinstance(value, list):
        return [bad for item in value for bad in unknown(item, message, fields)]
    if not isinstance(value, dict) or message not in fields:
        return []
    wrong = [f"{message}.{name}" for name in value.keys() - fields[message].keys()]
    for name in value.keys() & fields[message].keys():
        wrong += unknown(value[name], fields[message][name], fields)
    return wrong


@pytest.mark.parametrize(
    ("state", "message"),
    [("burning(1e12)", "GetOverviewReply"), ("history(0, 900, 90)", "GetHistoryReply")],
)
def test_the_fixture_speaks_as_the_protos_do(state, message):
    script = f"import * as f from './fixture.mjs'; console.log(JSON.stringify(f.{state}))"
    out = subprocess.run(
        ["node", "--input-type=module", "-e", script], cwd=HERE, check=True, capture_output=True
    ).stdout
    fields = proto_fields()
    assert {"node_latency", "hits"} <= fields[message].keys() | fields["Point"].keys()
    assert unknown(json.loads(out), message, fields) == []


@pytest.fixture(scope="module")
def burning(browser: Browser) -> str:
    return browser.do("fixture", state="burning")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_has_a_barrier(browser, burning, scheme):
    browser.do("open", url=burning, scheme=scheme)
    for screen in SCREENS:
        browser.show(burning, screen)
        assert browser.do("axe") == [], screen
    assert browser.do("complaints") == []


MUTE = """[...document.querySelectorAll('.panel')].map((panel) => panel.id).filter((id) =>
    !/^If red: .{20}/.test(document.querySelector(`#${id} .remedy`)?.innerText))"""
COLOURS = """new Set(document.querySelector('.heatmap canvas').getContext('2d')
    .getImageData(0, 0, 600, 200).data).size"""
EMPTY = "[...document.querySelectorAll('.empty')].map((empty) => empty.innerText)"


def test_every_screen_fits_and_every_panel_says_what_to_do(browser, burning):
    browser.do("open", url=burning)
    for screen in SCREENS:
        browser.show(burning, screen)
        assert browser.evaluate(MUTE) == [], screen
        for width in (360, 1280, 3840):
            browser.do("resize", width=width, height=800)
            beyond = browser.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert beyond <= 0, (screen, width)


def test_the_worst_comes_first_and_names_its_remedy(browser, burning):
    browser.do("open", url=burning)
    browser.await_text("Act now: 1 promise broken, 2 findings", ".sentence")
    findings = browser.text("#findings")
    assert findings.index("A node is lost") < findings.index("burns its budget")
    assert "Remedy" in findings and "journalctl -u cairn-node" in findings
    objective = browser.text("#objectives .card")
    assert "budget spent" in objective and "1.2\u00d7 the budget spent" in objective
    assert "16.2\u00d7 in 1 h, 19.4\u00d7 in 5 min" in objective and "fires" in objective


def test_what_comes_from_outside_is_text(browser, burning):
    browser.do("open", url=burning)
    browser.show(burning, "events")
    assert "<img src=x" in browser.text("#events")
    assert browser.evaluate("window.hostile") is None


def test_the_heat_map_is_drawn_with_its_threshold_and_reads_by_keyboard(browser, burning):
    browser.do("open", url=burning)
    browser.show(burning, "latency")
    browser.await_(f"{COLOURS} > 20")
    browser.evaluate("document.querySelector('.heatmap canvas').focus()")
    browser.do("press", key="ArrowLeft")
    browser.await_text("≤ 1 ms:", ".heatmap figcaption")


def test_a_charts_figures_are_written_for_those_who_open_them(browser, burning):
    rows = "document.querySelectorAll('#quantiles details tbody tr').length"
    browser.do("open", url=burning)
    browser.show(burning, "latency")
    assert browser.evaluate(rows) == 0
    browser.do("click", selector="#quantiles summary")
    browser.await_(f"{rows} === 24")
    newest = "document.querySelector('#quantiles details tbody').innerText"
    assert re.match(r"\d\d:\d\d:\d\d\s+[\d.]+ (µs|ms)\s", browser.evaluate(newest))
    assert browser.do("axe") == []
    browser.do("click", selector="#quantiles summary")
    browser.await_(f"{rows} === 0")
    assert browser.do("complaints") == []


def test_one_choice_narrows_all_of_the_screen(browser, burning):
    browser.do("open", url=burning)
    browser.show(burning, "latency")
    assert len(browser.rows("now")) == 4
    browser.do("select", selector=".filters label:has-text('Transport') select", value="tcp")
    browser.await_("document.querySelectorAll('#now tbody tr').length === 1")
    assert "over tcp, batch" in browser.text("#now")
    browser.do("select", selector=".filters label:has-text('Transport') select", value="any")
    browser.do("select", selector=".filters label:has-text('Urgency') select", value="STANDARD")
    browser.await_("document.querySelectorAll('#now tbody tr').length === 3")
    assert "batch" not in browser.text("#now")


def test_empty_states_explain_themselves(browser):
    url = browser.do("fixture", state="empty")
    browser.do("open", url=url)
    for screen in SCREENS:
        browser.show(url, screen)
        explained = browser.evaluate(EMPTY)
        assert explained and all(len(text) > 40 for text in explained), screen
    assert browser.do("complaints") == []
