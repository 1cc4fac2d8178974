"""When somebody should be called, and what he is told."""

import json
from dataclasses import dataclass

from figures import figure, finding

RUNBOOKS = "docs/alerts/"
# As server/coordinator/observe/objective.h has them: less traffic is nothing to judge by.
CALLS_MIN = 100
BAD_CALLS_MIN = 5


@dataclass(frozen=True)
class Alert:
    name: str
    page: str  # of docs/alerts; the advisor's finding, where there is one
    severity: str  # page: now. ticket: in working hours. info: to look back at
    expr: str
    summary: str
    description: str
    lasting: str = ""  # before it fires

    def text(self) -> str:
        lines = [f"      - alert: {self.name}", "        expr: |-"]
        lines += [f"          {line}" for line in self.expr.split("\n")]
        if self.lasting:
            lines.append(f"        for: {self.lasting}")
        lines.append(f"        labels: {{severity: {self.severity}}}")
        lines.append("        annotations:")
        told = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"{RUNBOOKS}{self.page}.md",
        }
        lines += [f"          {name}: {json.dumps(words)}" for name, words in told.items()]
        return "\n".join(lines)


def burning(name: str, factor: float, long: str, short: str, severity: str) -> Alert:
    """Both windows, or it fires late and stays long: Google's SRE Workbook, chapter 5."""
    conditions = [
        f"{figure('burn', long)} >= {factor:g}",
        f"{figure('burn', short)} >= {factor:g}",
        f"{figure('calls', long)} >= {CALLS_MIN}",
        f"{figure('bad_calls', long)} >= {BAD_CALLS_MIN}",
    ]
    return Alert(
        name,
        "budget_burning",
        severity,
        "\nand ".join(conditions),
        "Objective {{ $labels.objective }} spends its error budget too fast",
        "{{ $value | humanize }} times the rate that would just use it up, over "
        f"{long}; {factor:g} is the limit here.",
    )


def found(name: str, page: str, severity: str, lasting: str, summary: str, told: str) -> Alert:
    return Alert(name, page, severity, f"{finding(page)} > 0", summary, told, lasting)


OBJECTIVES = [
    burning("CairnBudgetFastBurn", 14.4, "1h", "5m", "page"),
    burning("CairnBudgetSlowBurn", 6, "6h", "30m", "page"),
    burning("CairnBudgetLeak", 1, "3d", "6h", "ticket"),
    found(
        "CairnBudgetExhausted",
        "budget_exhausted",
        "ticket",
        "10m",
        "An objective is not kept",
        "{{ $value }} objectives have spent their error budget; cairn slo list tells which.",
    ),
]
CLUSTER = [
    Alert(
        "CairnNoCoordinator",
        "no_coordinator",
        "page",
        figure("coordinator_absent"),
        "No coordinator answers Prometheus",
        "{{ $value }}: nothing is scraped. Engines go on with the places that they know, the rest "
        "is a miss.",
        "5m",
    ),
    Alert(
        "CairnNoNodes",
        "no_nodes",
        "page",
        f"{figure('nodes_ready')} == 0",
        "No node takes blocks",
        "{{ $value }} nodes are ready: every lookup is a miss.",
        "2m",
    ),
    found(
        "CairnNodeLost",
        "node_lost",
        "page",
        "2m",
        "A node is lost",
        "{{ $value }} nodes that the coordinator knows are silent; their blocks are misses.",
    ),
    Alert(
        "CairnNodeNotReady",
        "node_not_ready",
        "ticket",
        f"{figure('node_ready')} == 0",
        "Node {{ $labels.instance }} takes no traffic",
        "cairn_node_ready is {{ $value }}: it drains, no coordinator knows it, or a read through "
        "its own data path fails.",
        "5m",
    ),
    found(
        "CairnIndexStale",
        "index_stale",
        "ticket",
        "5m",
        "Blocks are held that nobody can find",
        "{{ $value }} nodes have more than a tenth of their blocks outside of the index.",
    ),
    found(
        "CairnZeroHits",
        "zero_hits",
        "ticket",
        "10m",
        "Nothing is hit although blocks are held",
        "Found {{ $value }} time: of all tokens that were asked for in ten minutes none was a hit.",
    ),
    found(
        "CairnTcpFallback",
        "tcp_fallback",
        "ticket",
        "",
        "A node speaks TCP among nodes that speak RDMA",
        "{{ $value }} nodes do, and are several times slower.",
    ),
]
BYTES = [
    Alert(
        "CairnWrongBytes",
        "wrong_bytes",
        "ticket",
        f"{figure('wrong_bytes', '10m')} > 0",
        "Bytes changed at node {{ $labels.instance }}",
        "{{ $value | humanize }} blocks in ten minutes did not fit their checksum. They became "
        "misses, no engine got one.",
    ),
    Alert(
        "CairnConflict",
        "conflict",
        "ticket",
        f"{figure('conflicts', '10m')} > 0",
        "Node {{ $labels.instance }} was given two contents of a key",
        "{{ $value | humanize }} puts in ten minutes carried other bytes than the block that is "
        "held. The first is kept.",
    ),
    Alert(
        "CairnStuckTransfers",
        "stuck_transfers",
        "ticket",
        f"{figure('stuck_transfers', '10m')} > 0",
        "Node {{ $labels.instance }} closes connections of peers that stall",
        "{{ $value | humanize }} in ten minutes, and for ten minutes: transfers run past their "
        "deadlines.",
        "10m",
    ),
]
DRIVES = [
    Alert(
        "CairnDriveErrors",
        "drive_errors",
        "ticket",
        f"{figure('drive_errors', '10m')} > 0",
        "Drives of node {{ $labels.instance }} fail reads or writes",
        "{{ $value | humanize }} in ten minutes; what leaves memory is not written meanwhile.",
    ),
    Alert(
        "CairnDriveFailed",
        "drive_failed",
        "ticket",
        f"{figure('drives_failed')} > 0",
        "Node {{ $labels.instance }} does not use all of its drives",
        "{{ $value }} of them fail or are too slow; their blocks are misses, memory serves on.",
        "15m",
    ),
    Alert(
        "CairnDriveDamaged",
        "drive_damaged",
        "ticket",
        f"{figure('damaged_records', '1h')} > 0",
        "A drive of node {{ $labels.instance }} gave other bytes than were written",
        "{{ $value | humanize }} records in an hour; each cost one block.",
    ),
    Alert(
        "CairnWriteBudget",
        "write_budget",
        "info",
        f"{figure('write_budget_left')} < 0.1",
        "Node {{ $labels.instance }} has nearly used its write budget",
        "{{ $value | humanizePercentage }} of what its drives may write in 24 hours is left.",
        "15m",
    ),
]
# A minute is often enough for windows of hours, which are dear to read.
GROUPS = {
    "cairn-objectives": (OBJECTIVES, "1m"),
    "cairn-cluster": (CLUSTER, ""),
    "cairn-bytes": (BYTES, ""),
    "cairn-drives": (DRIVES, ""),
}
ALERTS = [alert for alerts, _ in GROUPS.values() for alert in alerts]


def rule_file() -> str:
    lines = ["# Made by monitoring/generate.py.", "groups:"]
    for name, (alerts, interval) in GROUPS.items():
        lines.append(f"  - name: {name}")
        if interval:
            lines.append(f"    interval: {interval}")
        lines += ["    rules:", *(alert.text() for alert in alerts)]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Of docs/monitoring.md."""
    lines = ["| alert | severity | after | says |", "|---|---|---|---|"]
    for alert in ALERTS:
        summary = alert.summary.replace("{{ $labels.instance }}", "N")
        summary = summary.replace("{{ $labels.objective }}", "O")
        link = f"[{alert.name}](alerts/{alert.page}.md)"
        lines.append(f"| {link} | {alert.severity} | {alert.lasting or 'at once'} | {summary} |")
    return "\n".join(lines) + "\n"
