"""The rules by promtool: each alert at its threshold and below, over made up series."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from alerts import ALERTS
from generate import FILES, PAGE

RULES = FILES / "alerts" / "cairn.yaml"
HOUR = 60  # in samples, one a minute
DAY = 24 * HOUR
SOME_CALLS = 100  # a sample
# Days are judged by fewer samples, or it takes minutes.
LONG_STEP, LONG_HOUR = "4m", 15


def promtool(*words: object) -> str:
    command = ["promtool", *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Objective:
    """Stretches of so many samples, with so many bad calls of so many between two."""

    stretches: list[tuple[int, float, float]]
    target: float = 0.999

    def series(self) -> list[dict]:
        calls, good, all_calls, all_good = [0.0], [0.0], 0.0, 0.0
        for samples, bad_each, calls_each in self.stretches:
            for _ in range(samples):
                all_calls += calls_each
                all_good += calls_each - bad_each
                calls.append(all_calls)
                good.append(all_good)
        return [
            series('cairn_objective_calls_total{objective="fast"}', calls),
            series('cairn_objective_good_calls_total{objective="fast"}', good),
            series('cairn_objective_target_ratio{objective="fast"}', [self.target] * len(calls)),
        ]


def series(name: str, values: list) -> dict:
    return {"series": name, "values": " ".join("_" if v is None else f"{v:.6g}" for v in values)}


def test_promtool_finds_nothing_to_say():
    assert "SUCCESS: " in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_prometheus_takes_the_configuration_of_the_page(tmp_path):
    (settings,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "prometheus.yml").write_text(settings)
    shutil.copy(RULES, tmp_path)
    assert f"{len(ALERTS)} rules found" in promtool("check", "config", tmp_path / "prometheus.yml")


@dataclass
class Case:
    says: str
    alert: str
    series: list[dict]
    fires: list[str]  # when
    not_at: list[str]
    step: str = "1m"  # between samples


def steady(bad: float, samples: int = DAY, calls: float = SOME_CALLS) -> list[dict]:
    return Objective([(samples, bad, calls)]).series()


# 0.1 % may be bad: of 100 calls 1.44 bad are 14.4 times that.
FAST, SLOW, LEAK = 1.44, 0.6, 0.1
BURNS = [
    Case("at 14.4", "CairnBudgetFastBurn", steady(FAST * 1.01), ["2h"], []),
    Case("below 14.4", "CairnBudgetFastBurn", steady(FAST * 0.99), [], ["2h", "12h"]),
    Case("at 6", "CairnBudgetSlowBurn", steady(SLOW * 1.01), ["12h"], []),
    Case("below 6", "CairnBudgetSlowBurn", steady(SLOW * 0.99), [], ["12h", "20h"]),
    Case("at 1", "CairnBudgetLeak", steady(LEAK * 1.01, 90 * LONG_HOUR), ["80h"], [], LONG_STEP),
    Case("below 1", "CairnBudgetLeak", steady(LEAK * 0.99, 90 * LONG_HOUR), [], ["80h"], LONG_STEP),
    # 150 bad calls in 10 minutes are 25 times the rate over an hour, of 6,000 calls.
    Case(
        "a burn fires while it lasts and clears 5 minutes after",
        "CairnBudgetFastBurn",
        Objective(
            [(2 * HOUR, 0, SOME_CALLS), (10, 15, SOME_CALLS), (HOUR, 0, SOME_CALLS)]
        ).series(),
        ["130m", "133m"],
        ["119m", "137m", "170m"],
    ),
    # 200 bad calls within 20 minutes of 36,000 in 6 hours: only fast windows are hot.
    Case(
        "a short burn is no slow one",
        "CairnBudgetSlowBurn",
        Objective(
            [(8 * HOUR, 0, SOME_CALLS), (20, 10, SOME_CALLS), (HOUR, 0, SOME_CALLS)]
        ).series(),
        [],
        ["490m", "500m", "520m"],
    ),
    Case(
        "a slow burn clears 30 minutes after",
        "CairnBudgetSlowBurn",
        Objective(
            [(6 * HOUR, 0, SOME_CALLS), (4 * HOUR, 1, SOME_CALLS), (2 * HOUR, 0, SOME_CALLS)]
        ).series(),
        ["600m", "610m"],
        ["560m", "635m", "700m"],
    ),
    Case(
        "a leak clears 6 hours after",
        "CairnBudgetLeak",
        Objective([(60 * LONG_HOUR, 0.15, SOME_CALLS), (20 * LONG_HOUR, 0, SOME_CALLS)]).series(),
        ["59h", "62h"],
        ["67h", "75h"],
        LONG_STEP,
    ),
    # Nothing but bad calls, yet 60 of them in the hour.
    Case("too few calls", "CairnBudgetFastBurn", steady(1, calls=1), [], ["1h", "5h"]),
    # 120 calls an hour, of which 3.6 are bad: 30 times what is allowed.
    Case("too few bad calls", "CairnBudgetFastBurn", steady(0.06, calls=2), [], ["1h", "5h"]),
    Case("enough of both", "CairnBudgetFastBurn", steady(0.1, calls=2), ["2h"], []),
    Case(
        "a restart of the coordinator is no burn",
        "CairnBudgetFastBurn",
        [
            series(f'cairn_objective_{name}_total{{objective="fast"}}', [*range(0, 20000, 100)] * 2)
            for name in ("calls", "good_calls")
        ]
        + [series('cairn_objective_target_ratio{objective="fast"}', [0.999] * 400)],
        [],
        ["190m", "201m", "203m", "230m"],
    ),
    Case(
        "calls that stop clear it",
        "CairnBudgetFastBurn",
        Objective([(2 * HOUR, 50, SOME_CALLS), (HOUR, 0, 0)]).series(),
        ["119m"],
        ["130m"],
    ),
]


def found(finding: str, severity: str = "ticket") -> str:
    return f'cairn_findings{{finding="{finding}",severity="{severity}"}}'


def comes_and_goes(name: str, good, bad, bad_minutes: int = 40) -> list[dict]:
    """Good for 10 minutes, bad, and good again for two hours."""
    return [series(name, [good] * 10 + [bad] * bad_minutes + [good] * 2 * HOUR)]


def moves(name: str, bad_minutes: int = 40) -> list[dict]:
    counted = [0] * 10 + list(range(1, bad_minutes + 1)) + [bad_minutes] * 2 * HOUR
    return [series(name, counted)]


BUDGET = series("cairn_nvme_write_budget_bytes", [1000] * 200)
# What is bad from minute 10 to minute 50; when it must fire, and when not yet or no more.
FAULTS = [
    Case(
        "",
        "CairnBudgetExhausted",
        comes_and_goes(found("budget_exhausted"), None, 1),
        ["21m"],
        ["9m", "19m", "56m"],
    ),
    Case(
        "",
        "CairnNoCoordinator",
        comes_and_goes("cairn_coordinator_nodes_ready", 2, None),
        ["21m"],
        ["9m", "14m", "52m"],
    ),
    Case(
        "",
        "CairnNoNodes",
        comes_and_goes("cairn_coordinator_nodes_ready", 2, 0),
        ["13m"],
        ["9m", "11m", "51m"],
    ),
    Case(
        "",
        "CairnNodeLost",
        comes_and_goes(found("node_lost", "page"), None, 1),
        ["13m"],
        ["9m", "11m", "56m"],
    ),
    Case(
        "",
        "CairnNodeNotReady",
        comes_and_goes('cairn_node_ready{instance="n"}', 1, 0),
        ["16m"],
        ["9m", "14m", "51m"],
    ),
    Case(
        "",
        "CairnIndexStale",
        comes_and_goes(found("index_stale"), None, 1),
        ["16m"],
        ["9m", "14m", "56m"],
    ),
    Case(
        "",
        "CairnZeroHits",
        comes_and_goes(found("zero_hits"), None, 1),
        ["21m"],
        ["9m", "19m", "56m"],
    ),
    Case(
        "",
        "CairnTcpFallback",
        comes_and_goes(found("tcp_fallback"), None, 1),
        ["11m"],
        ["9m", "56m"],
    ),
    Case(
        "in memory",
        "CairnWrongBytes",
        moves('cairn_quarantined_blocks_total{instance="n"}')
        + moves('cairn_put_checksum_failures_total{instance="n"}', 0),
        ["12m", "55m"],
        ["9m", "61m"],
    ),
    Case(
        "at a put",
        "CairnWrongBytes",
        moves('cairn_quarantined_blocks_total{instance="n"}', 0)
        + moves('cairn_put_checksum_failures_total{instance="n"}'),
        ["12m", "55m"],
        ["9m", "61m"],
    ),
    Case("", "CairnConflict", moves('cairn_conflicts_total{instance="n"}'), ["12m"], ["9m", "61m"]),
    Case(
        "",
        "CairnStuckTransfers",
        moves('cairn_watchdog_closes_total{instance="n"}'),
        ["22m", "55m"],
        ["9m", "18m", "61m"],
    ),
    Case(
        "one alone",
        "CairnStuckTransfers",
        moves('cairn_watchdog_closes_total{instance="n"}', 1),
        [],
        ["12m", "19m", "22m"],
    ),
    Case(
        "",
        "CairnDriveErrors",
        moves('cairn_nvme_errors_total{instance="n"}'),
        ["12m", "55m"],
        ["9m", "61m"],
    ),
    Case(
        "",
        "CairnDriveFailed",
        comes_and_goes('cairn_nvme_drives_failed{instance="n"}', 0, 1),
        ["26m"],
        ["9m", "24m", "51m"],
    ),
    Case(
        "",
        "CairnDriveDamaged",
        moves('cairn_nvme_damaged_records_total{instance="n"}'),
        ["12m", "100m"],
        ["9m", "112m"],
    ),
    Case(
        "",
        "CairnWriteBudget",
        [BUDGET, *comes_and_goes("cairn_nvme_write_budget_left_bytes", 101, 99)],
        ["26m"],
        ["9m", "24m", "51m"],
    ),
    Case(
        "without a budget",
        "CairnWriteBudget",
        [series(f"cairn_nvme_write_budget_{name}bytes", [0] * 60) for name in ("", "left_")],
        [],
        ["30m"],
    ),
]


def only(alert: str, step: str) -> dict:
    """The rule file with this alert alone, looked at once a step."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["alert"] == alert]
    return {"groups": [{"name": "one", "interval": step, "rules": rules}]}


def run(folder: Path, case: Case, **asked: list[dict]) -> None:
    (folder / "rules.json").write_text(json.dumps(only(case.alert, case.step)))
    test = {"interval": case.step, "input_series": case.series, **asked}
    told = {"rule_files": ["rules.json"], "evaluation_interval": case.step, "tests": [test]}
    (folder / "test.json").write_text(json.dumps(told))
    promtool("test", "rules", folder / "test.json")


@pytest.mark.parametrize("case", BURNS + FAULTS, ids=lambda case: f"{case.alert} {case.says}")
def test_it_fires_then_and_only_then(case, tmp_path):
    firing = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    looks = [
        {
            "expr": firing,
            "eval_time": at,
            "exp_samples": [{"labels": "{}", "value": 1}] if at in case.fires else [],
        }
        for at in [*case.fires, *case.not_at]
    ]
    run(tmp_path, case, promql_expr_test=looks)


def test_every_alert_is_tried_both_ways():
    for alert in ALERTS:
        cases = [case for case in BURNS + FAULTS if case.alert == alert.name]
        assert any(case.fires for case in cases), alert.name
        assert any(case.not_at for case in cases), alert.name


def test_what_an_alert_says_has_its_value(tmp_path):
    case = next(case for case in FAULTS if case.alert == "CairnDriveFailed")
    told = {
        "summary": "Node n does not use all of its drives",
        "description": "1 of them fail or are too slow; their blocks are misses, memory serves on.",
        "runbook_url": "docs/alerts/drive_failed.md",
    }
    labels = {"severity": "ticket", "instance": "n"}
    alerts = [{"exp_labels": labels, "exp_annotations": told}]
    look = {"alertname": case.alert, "eval_time": "30m", "exp_alerts": alerts}
    run(tmp_path, case, alert_rule_test=[look])
