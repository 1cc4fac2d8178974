"""Grafana's boards: what is wrong, how bad, where, why."""

import json
from dataclasses import dataclass, field

from figures import figure

WINDOW = "$__rate_interval"
WIDTH, HEIGHT = 24, 8  # Grafana's columns; rows of a panel
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    title: str
    about: str  # what it shows, and what to do when it is red
    figures: dict[str, str]  # each with its legend
    unit: str = "short"
    kind: str = "timeseries"
    window: str = WINDOW
    red_from: list[float] = field(default_factory=list)  # lines; of the first on a stat is red
    green_from: float | None = None  # a stat below is red
    width: int = 8
    max: float | None = None


def variable(name: str, metric: str, label: str, where: str = "") -> dict:
    query = f"label_values({metric}{where}, {label})"
    return {
        "name": name,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Also what has no such label.
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


SOURCE = {"name": "datasource", "type": "datasource", "query": "prometheus"}
CLUSTER = variable("cluster", "cairn_coordinator_nodes_ready", "cairn")
NODE = variable("node", "cairn_node_ready", "instance", '{cairn=~"$cluster"}')
BY_NODE = "{{instance}}"
SHARE = {"unit": "percentunit", "max": 1}

OVERVIEW = {
    "What is wrong": [
        Panel(
            "Nodes that serve",
            "Ready nodes, as the coordinator sees them. Red: docs/alerts/no_nodes.md.",
            {"nodes_ready": "{{cairn}}"},
            kind="stat",
            green_from=1,
            width=4,
        ),
        Panel(
            "Findings",
            "What the advisor finds, with how many nodes or objectives it is about. Each has its "
            "page docs/alerts/NAME.md.",
            {"findings": "{{finding}}: {{severity}}"},
            kind="table",
            width=8,
        ),
        Panel(
            "Burn rates",
            "How fast error budgets go; 1 uses one up in just its window. Above 14.4 in both "
            "windows somebody is called: docs/alerts/budget_burning.md.",
            {"burn 1h": "{{objective}} 1h", "burn 5m": "{{objective}} 5m"},
            red_from=[14.4],
            width=12,
        ),
        Panel(
            "Good calls",
            "Share of each objective's calls that were good, in the time shown, beside what is "
            "promised. Below: docs/alerts/budget_exhausted.md.",
            {"good_share": "{{objective}}", "target": "{{objective}}: promised"},
            unit="percentunit",
            kind="stat",
            window="$__range",
            width=12,
        ),
        Panel(
            "What should not happen",
            "Blocks with wrong bytes, keys with two contents, drives' errors, in an hour. Any: "
            "docs/alerts/wrong_bytes.md, conflict.md, drive_failed.md.",
            {
                "wrong_bytes": "{{instance}} wrong bytes",
                "conflicts": "{{instance}} conflicts",
                "drive_errors": "{{instance}} drive errors",
                "damaged_records": "{{instance}} damaged records",
            },
            window="1h",
            width=12,
        ),
    ],
    "How long a get takes": [
        Panel(
            "Get by tier",
            "From the fetch's arrival at the node to its last byte, quantiles of all nodes' "
            "buckets. High: the stages say where.",
            {
                "p50_by_tier": "{{tier}} p50",
                "p99_by_tier": "{{tier}} p99",
                "p999_by_tier": "{{tier}} p99.9",
            },
            unit="s",
            width=12,
        ),
        Panel(
            "Get, as a heat map",
            "How many gets took how long: two bands are two kinds of get.",
            {"get_buckets": "{{le}}"},
            unit="s",
            kind="heatmap",
            width=12,
        ),
        Panel(
            "p99 by stage",
            "media: the drives. queue: the node has too much to send. network: the way or the "
            "peer.",
            {"p99_by_stage": "{{stage}}"},
            unit="s",
        ),
        Panel(
            "p99 by size, transport and urgency",
            "tcp where rdma is expected: docs/alerts/tcp_fallback.md.",
            {"p99_by_size": "{{size_class}} {{transport}} {{urgency}}"},
            unit="s",
        ),
        Panel(
            "p99 by node",
            "One that stands out: look at its board.",
            {"p99_by_node": BY_NODE},
            unit="s",
        ),
    ],
    "What is hit": [
        Panel(
            "Hit share",
            "Blocks delivered of blocks asked of a node. What no coordinator could place is not "
            "asked of a node: the dashboard's Hits has tokens. 0: docs/alerts/zero_hits.md.",
            {"hit_share": BY_NODE},
            **SHARE,
        ),
        Panel(
            "Refused by reason",
            "Blocks that were not delivered or not taken; docs/operators.md tells what to do "
            "about each reason.",
            {"refused": "{{reason}}"},
            unit="ops",
        ),
        Panel(
            "Lookups",
            "What coordinators were asked. Warm engines know places themselves and ask little.",
            {"locates": "locate", "matches": "match"},
            unit="ops",
        ),
        Panel(
            "Blocks held and found",
            "Fewer in the index than held: docs/alerts/index_stale.md.",
            {"held_blocks": "held", "index_blocks": "in the index"},
        ),
        Panel("Delivered", "Bytes to engines.", {"get_bytes": BY_NODE}, unit="Bps"),
        Panel("Taken", "Bytes from engines.", {"put_bytes": BY_NODE}, unit="Bps"),
    ],
    "Room": [
        Panel(
            "Memory filled",
            "Caches are meant to be full. Evictions that rise while the hit share falls say that "
            "more would help: docs/policy.md.",
            {"dram_fill": BY_NODE},
            **SHARE,
        ),
        Panel("NVMe filled", "Of the logs' segments.", {"nvme_fill": BY_NODE}, **SHARE),
        Panel(
            "Evictions",
            "Blocks that left the cache for others.",
            {"evicted_blocks": BY_NODE},
            unit="ops",
        ),
    ],
}
NODE_BOARD = {
    "State": [
        Panel(
            "Ready",
            "1 when the node takes traffic. Red: docs/alerts/node_not_ready.md.",
            {"node_ready": BY_NODE},
            kind="stat",
            green_from=1,
            width=4,
        ),
        Panel(
            "Drives not used",
            "Red: docs/alerts/drive_failed.md.",
            {"drives_failed": BY_NODE},
            kind="stat",
            red_from=[1],
            width=4,
        ),
        Panel(
            "Write budget left",
            "Of what the drives may write in 24 hours; without a budget there is nothing here. "
            "Red: docs/alerts/write_budget.md.",
            {"write_budget_left": BY_NODE},
            unit="percentunit",
            kind="stat",
            green_from=0.1,
            width=4,
        ),
        Panel(
            "What should not happen",
            "In an hour. docs/alerts has a page for each.",
            {
                "wrong_bytes": "wrong bytes",
                "conflicts": "conflicts",
                "drive_errors": "drive errors",
                "damaged_records": "damaged records",
                "stuck_transfers": "stuck transfers",
                "bad_messages": "messages refused",
                "refused_hellos": "sessions refused",
            },
            window="1h",
            width=12,
        ),
    ],
    "Gets and puts": [
        Panel(
            "Get by tier",
            "From the fetch's arrival to its last byte.",
            {
                "p50_by_tier": "{{tier}} p50",
                "p99_by_tier": "{{tier}} p99",
                "p999_by_tier": "{{tier}} p99.9",
            },
            unit="s",
        ),
        Panel(
            "p99 by stage",
            "media: the drives. queue: too much to send. network: the way or the peer.",
            {"p99_by_stage": "{{stage}}"},
            unit="s",
        ),
        Panel(
            "Get, as a heat map",
            "How many gets took how long.",
            {"get_buckets": "{{le}}"},
            unit="s",
            kind="heatmap",
        ),
        Panel(
            "Blocks",
            "Asked for and offered.",
            {"get_blocks": "gets", "put_blocks": "puts"},
            unit="ops",
        ),
        Panel("Bytes", "Delivered and taken.", {"get_bytes": "out", "put_bytes": "in"}, "Bps"),
        Panel(
            "Refused by reason",
            "docs/operators.md tells what to do about each.",
            {"refused": "{{reason}}"},
            unit="ops",
        ),
        Panel("Hit share", "Blocks delivered of blocks asked for.", {"hit_share": ""}, **SHARE),
        Panel(
            "In flight",
            "Blocks queued or on their way: high and level is a node with too much to send.",
            {"sends": "sends", "reservations": "being written"},
        ),
        Panel(
            "Sessions and what they hold",
            "Pins that only grow: an engine does not release.",
            {"sessions": "sessions", "leases": "leases", "pins": "pins"},
        ),
    ],
    "Memory": [
        Panel(
            "Memory",
            "Caches are meant to be full.",
            {"dram_used": "used", "dram_capacity": "capacity"},
            unit="bytes",
        ),
        Panel(
            "Blocks that move",
            "Evicted for others, gone to NVMe, come back from it.",
            {
                "evicted_blocks": "evicted",
                "demoted_blocks": "to NVMe",
                "promoted_blocks": "from NVMe",
            },
            unit="ops",
        ),
        Panel(
            "Would more memory help?",
            "Hits under LRU with half, the same and twice the memory; far apart, it would: "
            "docs/policy.md.",
            {"reuse": "{{memory}}"},
            **SHARE,
        ),
    ],
    "NVMe": [
        Panel(
            "Drives",
            "Payload in the logs.",
            {"nvme_used": "used", "nvme_capacity": "capacity"},
            unit="bytes",
        ),
        Panel(
            "Read and written",
            "By the drives; writes with padding and rewrites.",
            {"nvme_read": "read", "nvme_written": "written"},
            unit="Bps",
        ),
        Panel(
            "Admitted",
            "What left memory and was written, or was not worth the budget; docs/admission.md.",
            {"nvme_admitted": "written", "nvme_rejected": "not worth it"},
            unit="Bps",
        ),
        Panel(
            "Refused by drives",
            "Blocks that drives had no time for: they are slower than what memory evicts.",
            {"nvme_refused": "blocks"},
            unit="ops",
        ),
        Panel(
            "Blocks",
            "In memory and on NVMe; a block may be in both.",
            {"dram_blocks": "memory", "nvme_blocks": "NVMe"},
        ),
    ],
}


def target(ref: int, panel: Panel, name: str, legend: str, where: str) -> dict:
    known, _, window = name.partition(" ")
    at = {
        "refId": chr(ord("A") + ref),
        "datasource": DATASOURCE,
        "expr": figure(known, window or panel.window, where),
        "legendFormat": legend or "__auto",
    }
    if panel.kind == "heatmap":
        at["format"] = "heatmap"
    elif panel.kind == "table":
        at |= {"format": "table", "instant": True}
    return at


def thresholds(panel: Panel) -> dict:
    if panel.green_from is not None:
        steps = [("red", None), ("green", panel.green_from)]
    else:
        steps = [("green", None), *(("red", edge) for edge in panel.red_from)]
    return {
        "mode": "absolute",
        "steps": [{"color": color, "value": value} for color, value in steps],
    }


def options(kind: str) -> dict:
    if kind == "heatmap":
        color = {"mode": "scheme", "scheme": "Oranges", "steps": 64}
        return {"calculate": False, "yAxis": {"unit": "s"}, "color": color}
    if kind == "stat":
        last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": last, "colorMode": "value", "textMode": "auto"}
    if kind == "table":
        return {"showHeader": True}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}


def drawn(panel: Panel, id_: int, x: int, y: int, where: str) -> dict:
    defaults = {"unit": panel.unit, "thresholds": thresholds(panel), "noValue": "nothing"}
    if panel.kind == "timeseries":
        defaults["min"] = 0
        defaults["custom"] = {"thresholdsStyle": {"mode": "line" if panel.red_from else "off"}}
    if panel.max is not None:
        defaults["max"] = panel.max
    told = {
        "id": id_,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHT},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options(panel.kind),
        "targets": [
            target(ref, panel, name, legend, where)
            for ref, (name, legend) in enumerate(panel.figures.items())
        ],
    }
    if panel.kind == "table":
        # Only what it is and how many.
        hidden = {"Time": True, "__name__": True}
        told["transformations"] = [{"id": "organize", "options": {"excludeByName": hidden}}]
    return told


def laid_out(rows: dict[str, list[Panel]], where: str) -> list[dict]:
    found: list[dict] = []
    y = 0
    for title, panels in rows.items():
        row = {"id": len(found) + 1, "type": "row", "title": title, "panels": []}
        found.append(row | {"gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "collapsed": False})
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > WIDTH:
                x, y = 0, y + HEIGHT
            found.append(drawn(panel, len(found) + 1, x, y, where))
            x += panel.width
        y += HEIGHT
    return found


def board(name: str, rows: dict[str, list[Panel]], variables: list[dict], where: str) -> str:
    other = {"type": "dashboards", "title": "Cairn", "tags": ["cairn"]}
    told = {
        "uid": f"cairn-{name}",
        "title": f"Cairn: {name}",
        "tags": ["cairn"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [other | {"keepTime": True, "includeVars": True}],
        "templating": {"list": [SOURCE, *variables]},
        "panels": laid_out(rows, where),
    }
    return json.dumps(told, indent=1) + "\n"


def boards() -> dict[str, str]:
    return {
        "overview": board("overview", OVERVIEW, [CLUSTER], 'cairn=~"$cluster"'),
        "node": board("node", NODE_BOARD, [CLUSTER, NODE], 'cairn=~"$cluster",instance=~"$node"'),
    }
