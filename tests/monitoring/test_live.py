"""A real Prometheus over real daemons under load: every query has data, alerts come and go."""

import contextlib
import json
import math
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from alerts import ALERTS
from cluster import Daemon, DashboardCluster
from daemons import turn_bits
from generate import FILES
from prometheus import Prometheus, free_address
from watching import watching

BOARDS = sorted((FILES / "dashboards").glob("*.json"))
# What Grafana puts in.
FILLED_IN = {"$cluster": "tried", "$node": ".*", "$__rate_interval": "10s", "$__range": "1m"}
SOON_S = 30
LOAD_S = 120


class Cluster(DashboardCluster):
    """One of its two nodes has a write budget, of which nothing is left after a start."""

    def start(self) -> None:
        super().start()
        self.promise("never-kept", "10us")

    def _node(self, folder: Path) -> Daemon:
        node = super()._node(folder)
        if folder.name == "node1":
            node.words += ["--nvme-daily-write-bytes", "64MiB"]
        node.words += ["--http-listen", free_address()]
        return node


@dataclass
class Watched:
    cluster: Cluster
    prometheus: Prometheus

    def await_(self, alert: str, firing: bool = True) -> None:
        limit = time.monotonic() + SOON_S
        while (alert in (now := self.prometheus.firing())) is not firing:
            assert time.monotonic() < limit, f"{alert} firing: {not firing}, and {now}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder)
    with contextlib.ExitStack() as ends:
        ends.callback(cluster.end)
        cluster.start()
        load = cluster.load(seconds=LOAD_S)
        ends.callback(load.wait)
        ends.callback(load.kill)
        https = [node.words[node.words.index("--http-listen") + 1] for node in cluster.nodes]
        yield Watched(cluster, ends.enter_context(watching(folder, [cluster.http, *https])))


def queries() -> list[tuple[str, str]]:
    found = []
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel.get("targets", []):
                expr = target["expr"]
                for name, value in FILLED_IN.items():
                    expr = expr.replace(name, value)
                found.append((f"{board.stem}, {panel['title']}", expr))
    return found


def figures(series: list[dict]) -> list[float]:
    return [value for one in series if not math.isnan(value := float(one["value"][1]))]


@pytest.mark.parametrize(("panel", "query"), queries(), ids=lambda text: text)
def test_the_query_has_data(watched, panel, query):
    limit = time.monotonic() + SOON_S
    while not figures(watched.prometheus.query(query)):
        assert time.monotonic() < limit, f"{panel}: {query}"
        time.sleep(0.2)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_what_an_alert_is_made_of_has_data(watched, alert):
    """Not a condition that does not hold, nor a finding that nobody found."""
    for name in set(re.findall(r"cairn_\w+", alert.expr)):
        assert figures(watched.prometheus.query(name))


def test_a_promise_that_is_not_kept_calls_until_it_is_taken_back(watched):
    watched.await_("CairnBudgetFastBurn")
    watched.cluster.cairn("slo", "rm", "never-kept")
    watched.await_("CairnBudgetFastBurn", firing=False)


def test_turned_bits_are_a_ticket_until_no_more_turn(watched):
    assert "CairnWrongBytes" not in watched.prometheus.firing()
    turn_bits(watched.cluster.nodes[0].process.pid)
    watched.await_("CairnWrongBytes")
    watched.await_("CairnWrongBytes", firing=False)


def test_frozen_nodes_are_lost_until_they_go_on(watched):
    first, second = watched.cluster.nodes
    assert not {"CairnNodeLost", "CairnNoNodes"} & watched.prometheus.firing()
    second.process.send_signal(signal.SIGSTOP)
    watched.await_("CairnNodeLost")
    assert "CairnNoNodes" not in watched.prometheus.firing()
    first.process.send_signal(signal.SIGSTOP)
    watched.await_("CairnNoNodes")
    first.process.send_signal(signal.SIGCONT)
    watched.await_("CairnNoNodes", firing=False)
    second.process.send_signal(signal.SIGCONT)
    watched.await_("CairnNodeLost", firing=False)


def test_a_coordinator_that_is_gone_calls_until_it_is_back(watched):
    assert not {"CairnNoCoordinator", "CairnNodeNotReady"} & watched.prometheus.firing()
    watched.cluster.coordinator.end()
    watched.await_("CairnNoCoordinator")
    watched.await_("CairnNodeNotReady")
    watched.cluster.restart_coordinator()
    watched.await_("CairnNoCoordinator", firing=False)
    watched.await_("CairnNodeNotReady", firing=False)


def test_a_write_budget_that_is_used_is_told_while_there_is_one(watched):
    watched.await_("CairnWriteBudget")
    node = watched.cluster.nodes[1]
    at = node.words.index("--nvme-daily-write-bytes")
    node.end(signal.SIGTERM)
    del node.words[at : at + 2]
    node.start()
    watched.await_("CairnWriteBudget", firing=False)
