"""docs/reference/metrics.md, from what real daemons tell: run this file to write it anew."""

import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from daemons import CAIRN, ROOT, Cluster, running_cluster

PAGE = ROOT / "docs" / "reference" / "metrics.md"
LOAD = ["--blocks", "2000", "--batch", "10", "--working-set", "4MiB"]
OBJECTIVE = ["--kind", "answered", "--target", "99.9"]
FOUND_S = 10
INTRODUCTION = """# Metrics

Each daemon tells them at its HTTP port: `/metrics` in OpenMetrics 1.0 to who prefers it, as
Prometheus does, else in Prometheus' older text format. A node's figures are summed over its
reactors. Counters begin at 0 with the process. Latencies have the buckets of
[base/latency_buckets.h](../../base/latency_buckets.h), whose edges are the thresholds that
objectives may have. This page is written by tests/server/cli/metrics_reference.py from the daemons'
own help.
"""
STAGES = """
`stage` of `cairn_get_seconds`: `total` from a fetch's arrival to its last chunk's completion, of
blocks that were delivered; `media` until a block came from NVMe; `queue` from then, or from the
arrival, until its first chunk went to the transport; `network` from there to the end. The times are
read once per turn of a reactor, so that under load a stage may be off by the length of a turn, some
hundred microseconds. A series is there once it has counted something.
"""


@dataclass
class Family:
    name: str
    help: str
    type: str = ""
    labels: set[str] = field(default_factory=set)


def scrape(address: str, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
        return answer.read().decode()


def families(text: str) -> list[Family]:
    """In their order."""
    found: list[Family] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            found.append(Family(name, words))
        elif line.startswith("# TYPE "):
            found[-1].type = line.rsplit(" ", 1)[1]
        else:
            found[-1].labels |= set(re.findall(r'(\w+)="', line)) - {"le"}
    return found


def table(title: str, text: str) -> str:
    lines = [f"\n## {title}\n", "| metric | type | labels | what |", "|---|---|---|---|"]
    for one in families(text):
        labels = ", ".join(f"`{label}`" for label in sorted(one.labels))
        lines.append(f"| `{one.name}` | {one.type} | {labels} | {one.help} |")
    return "\n".join(lines) + "\n"


def page(cluster: Cluster) -> str:
    node = table("Of a node", scrape(cluster.node_http))
    coordinator = table("Of a coordinator", scrape(cluster.coordinator_http))
    return INTRODUCTION + node + STAGES + coordinator


@contextmanager
def loaded_cluster(folder: Path) -> Iterator[Cluster]:
    """With drives, an objective, a finding, and blocks that were put and got."""
    drive = folder / "drive"
    drive.mkdir()
    options = ["--node.nvme", str(drive), "--node.nvme-bytes", "512MiB"]
    # Of which nothing is left after a start: that is the finding.
    options += ["--node.nvme-daily-write-bytes", "512MiB"]
    with running_cluster(folder, *options) as cluster:
        words = ["--coordinators", cluster.coordinator, "--tenant-file", cluster.tenant_file]
        subprocess.run([CAIRN, "bench", *words, *LOAD], check=True, capture_output=True)
        operator = ["--coordinator", cluster.coordinator, "--admin-file", cluster.admin_file]
        subprocess.run(
            [CAIRN, "slo", "set", *OBJECTIVE, *operator], check=True, capture_output=True
        )
        limit = time.monotonic() + FOUND_S
        while "cairn_findings{" not in scrape(cluster.coordinator_http):
            assert time.monotonic() < limit, "nothing was found"
            time.sleep(0.1)
        yield cluster


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch, loaded_cluster(Path(scratch)) as running:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(running))
