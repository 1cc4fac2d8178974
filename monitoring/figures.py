"""What is worth looking at, in PromQL: one table, of which alerts and boards are made.

Quantiles are read off summed buckets, ratios are of two counters. `W` is the window. The label
`cairn` names the cluster; where a Prometheus has one only, nobody needs to set it.
"""

import re

OBJECTIVE = "by (cairn, objective)"
NODE = "by (cairn, instance)"
CLUSTER = "by (cairn)"


def burn() -> str:
    """How many times faster than evenly over its window an objective's budget goes."""
    good = f"sum {OBJECTIVE} (increase(cairn_objective_good_calls_total[W]))"
    calls = f"sum {OBJECTIVE} (increase(cairn_objective_calls_total[W]))"
    return f"(1 - {good} / {calls}) / (1 - max {OBJECTIVE} (cairn_objective_target_ratio))"


def quantile(share: str, by: str, stage: str = "total") -> str:
    """Of gets as a node sees them."""
    stages = "" if by == "stage" else f'{{stage="{stage}"}}'
    rates = f"sum by (le, {by}) (rate(cairn_get_seconds_bucket{stages}[W]))"
    return f"histogram_quantile({share}, {rates})"


def finding(name: str) -> str:
    """Each coordinator finds the same."""
    return f'max {CLUSTER} (cairn_findings{{finding="{name}"}})'


def rate(metric: str, by: str = NODE) -> str:
    return f"sum {by} (rate({metric}[W]))"


def total(metric: str, by: str = NODE) -> str:
    return f"sum {by} ({metric})"


FIGURES = {
    # Objectives
    "burn": burn(),
    "calls": f"sum {OBJECTIVE} (increase(cairn_objective_calls_total[W]))",
    "bad_calls": f"sum {OBJECTIVE} (increase(cairn_objective_calls_total[W]))"
    f" - sum {OBJECTIVE} (increase(cairn_objective_good_calls_total[W]))",
    "good_share": f"sum {OBJECTIVE} (increase(cairn_objective_good_calls_total[W]))"
    f" / sum {OBJECTIVE} (increase(cairn_objective_calls_total[W]))",
    "target": f"max {OBJECTIVE} (cairn_objective_target_ratio)",
    # Cluster
    "findings": "max by (cairn, finding, severity) (cairn_findings)",
    "coordinator_absent": "absent(cairn_coordinator_nodes_ready)",
    "nodes_ready": f"max {CLUSTER} (cairn_coordinator_nodes_ready)",
    "index_blocks": f"max {CLUSTER} (cairn_coordinator_index_blocks)",
    "held_blocks": total("cairn_blocks", CLUSTER),
    "locates": rate("cairn_coordinator_locates_total", CLUSTER),
    "matches": rate("cairn_coordinator_matches_total", CLUSTER),
    # Gets and puts
    "p50_by_tier": quantile("0.5", "tier"),
    "p99_by_tier": quantile("0.99", "tier"),
    "p999_by_tier": quantile("0.999", "tier"),
    "p99_by_stage": quantile("0.99", "stage"),
    "p99_by_size": quantile("0.99", "size_class, transport, urgency"),
    "p99_by_node": quantile("0.99", "instance"),
    "get_buckets": 'sum by (le) (increase(cairn_get_seconds_bucket{stage="total"}[W]))',
    "hit_share": f"{rate('cairn_get_hit_blocks_total')} / {rate('cairn_get_blocks_total')}",
    "get_blocks": rate("cairn_get_blocks_total"),
    "put_blocks": rate("cairn_put_blocks_total"),
    "get_bytes": rate("cairn_get_bytes_total"),
    "put_bytes": rate("cairn_put_bytes_total"),
    "refused": rate("cairn_refused_blocks_total", "by (cairn, reason)"),
    # Nodes
    "node_ready": "cairn_node_ready",
    "sessions": total("cairn_sessions"),
    "leases": total("cairn_leases"),
    "pins": total("cairn_pins"),
    "reservations": total("cairn_reservations"),
    "sends": total("cairn_sends"),
    "dram_fill": f"{total('cairn_dram_used_bytes')} / {total('cairn_dram_capacity_bytes')}",
    "dram_used": total("cairn_dram_used_bytes"),
    "dram_capacity": total("cairn_dram_capacity_bytes"),
    "dram_blocks": total("cairn_dram_blocks"),
    "nvme_blocks": total("cairn_nvme_blocks"),
    "nvme_fill": f"{total('cairn_nvme_used_bytes')} / {total('cairn_nvme_capacity_bytes')}",
    "nvme_used": total("cairn_nvme_used_bytes"),
    "nvme_capacity": total("cairn_nvme_capacity_bytes"),
    "evicted_blocks": rate("cairn_evicted_blocks_total"),
    "demoted_blocks": rate("cairn_demoted_blocks_total"),
    "promoted_blocks": rate("cairn_promoted_blocks_total"),
    "reuse": "sum by (cairn, instance, memory) (rate(cairn_reuse_hit_blocks_total[W]))"
    f" / on (cairn, instance) group_left {rate('cairn_reuse_blocks_total')}",
    "nvme_read": rate("cairn_nvme_read_bytes_total"),
    "nvme_written": rate("cairn_nvme_written_bytes_total"),
    "nvme_admitted": rate("cairn_nvme_admitted_bytes_total"),
    "nvme_rejected": rate("cairn_nvme_rejected_bytes_total"),
    "nvme_refused": rate("cairn_nvme_refused_blocks_total"),
    "write_budget_left": "cairn_nvme_write_budget_left_bytes / (cairn_nvme_write_budget_bytes > 0)",
    # What should not happen
    "wrong_bytes": "increase(cairn_quarantined_blocks_total[W])"
    " + increase(cairn_put_checksum_failures_total[W])",
    "conflicts": "increase(cairn_conflicts_total[W])",
    "drives_failed": "cairn_nvme_drives_failed",
    "drive_errors": "increase(cairn_nvme_errors_total[W])",
    "damaged_records": "increase(cairn_nvme_damaged_records_total[W])",
    "stuck_transfers": "increase(cairn_watchdog_closes_total[W])",
    "bad_messages": "increase(cairn_bad_messages_total[W])",
    "refused_hellos": "increase(cairn_refused_hellos_total[W])",
}
METRIC = re.compile(r"\bcairn_\w+(\{)?")


def figure(name: str, window: str = "", where: str = "") -> str:
    """One of FIGURES, over a window, of the series that fit label matchers."""
    text = FIGURES[name].replace("[W]", f"[{window}]")
    if not where:
        return text
    return METRIC.sub(lambda at: f"{at[0]}{where}," if at[1] else f"{at[0]}{{{where}}}", text)
