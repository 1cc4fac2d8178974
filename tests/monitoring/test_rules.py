"""The rules by promtool: each alert at its threshold and below, over made up series."""

import json
import re
import subprocess
from dataclasses import dataclass

import pytest
from alerts import ALERTS
from generate import FILES

RULES = FILES / "alerts" / "cairn.yaml"
HOUR = 60  # in samples, one a minute
DAY = 24 * HOUR
SOME_CALLS = 100  # a minute


def promtool(*words: object) -> str:
    command = ["promtool", *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Objective:
    """A counter pair of stretches: for so many minutes so many bad calls of so many a minute."""

    stretches: list[tuple[int, float, float]]
    target: float = 0.999

    def series(self) -> list[dict]:
        calls, good, all_calls, all_good = [0.0], [0.0], 0.0, 0.0
        for minutes, bad_a_minute, calls_a_minute in self.stretches:
            for _ in range(minutes):
                all_calls += calls_a_minute
                all_good += calls_a_minute - bad_a_minute
                calls.append(all_calls)
                good.append(all_good)
        return [
            series('cairn_objective_calls_total{objective="fast"}', calls),
            series('cairn_objective_good_calls_total{objective="fast"}', good),
            series('cairn_objective_target_ratio{objective="fast"}', [self.target] * len(calls)),
        ]


def series(name: str, values: list) -> dict:
    """Without a job: a counter of each instance."""
    return {"series": name, "values": " ".join("_" if v is None else f"{v:.6g}" for v in values)}


def test_promtool_finds_nothing_to_say():
    assert "SUCCESS: " in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)


@dataclass
class Case:
    says: str
    alert: str
    series: list[dict]
    fires: list[str]  # when
    not_at: list[str]


def steady(bad_a_minute: float, minutes: int = DAY, calls: float = SOME_CALLS) -> list[dict]:
    return Objective([(minutes, bad_a_minute, calls)]).series()


# 0.1 % may be bad: of 100 calls a minute 1.44 bad are 14.4 times that.
FAST, SLOW, LEAK = 1.44, 0.6, 0.1
BURNS = [
    Case("at 14.4", "CairnBudgetFastBurn", steady(FAST * 1.01), ["2h"], []),
    Case("below 14.4", "CairnBudgetFastBurn", steady(FAST * 0.99), [], ["2h", "12h"]),
    Case("at 6", "CairnBudgetSlowBurn", steady(SLOW * 1.01), ["12h"], []),
    Case("below 6", "CairnBudgetSlowBurn", steady(SLOW * 0.99), [], ["12h", "20h"]),
    Case("at 1", "CairnBudgetLeak", steady(LEAK * 1.01, 4 * DAY), ["80h"], []),
    Case("below 1", "CairnBudgetLeak", steady(LEAK * 0.99, 4 * DAY), [], ["80h"]),
    # 150 bad calls in 10 minutes are 25 times the rate over an hour, of 6,000 calls.
    Case(
        "a burn fires while it lasts and clears 5 minutes after",
        "CairnBudgetFastBurn",
        Objective([(2 * HOUR, 0, SOME_CALLS), (10, 15, SOME_CALLS), (HOUR, 0, SOME_CALLS)]).series(),
        ["130m", "133m"],
        ["119m", "137m", "170m"],
    ),
    # 200 bad calls within 20 minutes of 36,000 in 6 hours: only fast windows are hot.
    Case(
        "a short burn is no slow one",
        "CairnBudgetSlowBurn",
        Objective([(8 * HOUR, 0, SOME_CALLS), (20, 10, SOME_CALLS), (HOUR, 0, SOME_CALLS)]).series(),
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
        Objective([(60 * HOUR, 0.15, SOME_CALLS), (20 * HOUR, 0, SOME_CALLS)]).series(),
        ["59h", "62h"],
        ["67h", "75h"],
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
    Case(
        "", "CairnConflict", moves('cairn_conflicts_total{instance="n"}'), ["12m"], ["9m", "61m"]
    ),
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


def fired(case: Case, tmp_path) -> dict[str, list[str]]:
    """At each of the case's times, what fires: promtool only compares, so it is asked for what it
    got."""
    test = {
        "interval": "1m",
        "input_series": case.series,
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})',
                "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": 1}] if at in case.fires else [],
            }
            for at in [*case.fires, *case.not_at]
        ],
    }
    path = tmp_path / "test.json"
    told = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("case", BURNS + FAULTS, ids=lambda case: f"{case.alert} {case.says}")
def test_it_fires_then_and_only_then(case, tmp_path):
    promtool("test", "rules", fired(case, tmp_path))


def test_every_alert_is_tried_both_ways():
    for alert in ALERTS:
        cases = [case for case in BURNS + FAULTS if case.alert == alert.name]
        assert any(case.fires for case in cases), alert.name
        assert any(case.not_at for case in cases), alert.name


def test_what_an_alert_says_has_its_value(tmp_path):
    """As Alertmanager gets it."""
    case = next(case for case in FAULTS if case.alert == "CairnDriveFailed")
    test = {
        "interval": "1m",
        "input_series": case.series,
        "alert_rule_test": [
            {
                "alertname": case.alert,
                "eval_time": "30m",
                "exp_alerts": [
                    {
                        "exp_labels": {"severity": "ticket", "instance": "n"},
                        "exp_annotations": {
                            "summary": "Node n does not use all of its drives",
                            "description": "1 of them fail or are too slow; their blocks are "
                            "misses, memory serves on.",
                            "runbook_url": "docs/alerts/drive_failed.md",
                        },
                    }
                ],
            }
        ],
    }
    path = tmp_path / "test.json"
    path.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})
    )
    assert re.search("SUCCESS", promtool("test", "rules", path))
