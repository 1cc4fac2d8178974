"""What is generated is in the repository, knows only what there is, and each alert has its page."""

import json
import re

import pytest
import yaml
from alerts import ALERTS, BAD_CALLS_MIN, CALLS_MIN
from boards import WIDTH
from daemons import ROOT
from generate import FILES, generated

OBSERVE = ROOT / "server" / "coordinator" / "observe"
FINDINGS = set(re.findall(r'Add\("(\w+)", ', (OBSERVE / "findings.cc").read_text()))
PAGES = ROOT / "docs" / "alerts"
BOARDS = sorted((FILES / "dashboards").glob("*.json"))
RULES = (FILES / "alerts" / "cairn.yaml").read_text()
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def panels(board):
    return [p for p in json.loads(board.read_text())["panels"] if p["type"] != "row"]


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_what_is_in_the_repository_is_what_is_generated(path):
    assert path.read_text() == generated()[path], "run monitoring/generate.py"


def test_nothing_is_there_that_is_not_generated():
    there = {p for p in FILES.rglob("*") if p.is_file()}
    assert there == {p for p in generated() if FILES in p.parents}


def test_every_finding_and_every_alert_has_a_page_and_no_page_is_of_nothing():
    assert len(FINDINGS) >= 12
    wanted = FINDINGS | {alert.page for alert in ALERTS}
    assert {page.stem for page in PAGES.glob("*.md")} == wanted


def test_every_finding_that_calls_somebody_is_an_alert():
    assert {alert.page for alert in ALERTS} >= FINDINGS
    asked = set(re.findall(r'cairn_findings\{finding="(\w+)"\}', RULES))
    assert asked and asked <= FINDINGS


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_says_what_it_means_how_to_check_and_what_to_do(page):
    text = page.read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["What it means", "How to check", "What to do"]
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (PAGES / link).exists(), link


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_tells_its_value_and_where_its_page_is(alert):
    (rule,) = (
        rule
        for group in yaml.safe_load(RULES)["groups"]
        for rule in group["rules"]
        if rule["alert"] == alert.name
    )
    told = rule["annotations"]
    assert told["summary"]
    assert "$value" in told["description"]
    assert (ROOT / told["runbook_url"]).exists()
    assert rule["labels"]["severity"] in ("page", "ticket", "info")


def test_alerts_and_boards_know_only_metrics_that_there_are():
    texts = [RULES, *(target["expr"] for b in BOARDS for p in panels(b) for target in p["targets"])]
    asked = {SUFFIX.sub("", name) for text in texts for name in re.findall(r"cairn_\w+", text)}
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert len(asked) > 40
    assert asked <= set(re.findall(r"^\| `(cairn_\w+)`", reference, re.MULTILINE))


def test_the_guard_is_the_coordinators():
    header = (OBSERVE / "objective.h").read_text()
    assert f"kBurnCallsMin = {CALLS_MIN};" in header
    assert f"kBurnBadCallsMin = {BAD_CALLS_MIN};" in header


def test_quantiles_are_of_summed_buckets():
    for text in [RULES, *(b.read_text() for b in BOARDS)]:
        assert text.count("histogram_quantile(") == len(
            re.findall(r"histogram_quantile\([0-9.]+, sum by \(le, [\w, ]+\) \(rate\(", text)
        )
        assert "avg" not in text


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_boards_panels_tell_what_they_show_and_lie_beside_each_other(board):
    seen = set()
    for panel in json.loads(board.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & seen, panel["title"]
        assert max(x for x, _ in cells) < WIDTH
        seen |= cells
    for panel in panels(board):
        assert panel["description"].endswith("."), panel["title"]
        for page in re.findall(r"docs/\w+(?:/\w+)?\.md", panel["description"]):
            assert (ROOT / page.replace("NAME", "no_nodes")).exists(), panel["title"]
    ids = [panel["id"] for panel in json.loads(board.read_text())["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_query_of_a_board_goes_by_its_variables(board):
    told = json.loads(board.read_text())
    names = [variable["name"] for variable in told["templating"]["list"]]
    for panel in panels(board):
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            metrics = len(re.findall(r"\bcairn_\w+", target["expr"]))
            for name, label in (("cluster", "cairn"), ("node", "instance")):
                asked = target["expr"].count(f'{label}=~"${name}"')
                assert asked == (metrics if name in names else 0), target["expr"]
