"""Prometheus' rules, Grafana's boards and the table in docs/monitoring.md: run this to write them
anew.
"""

import re
from pathlib import Path

from alerts import rule_file, table
from boards import boards

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "helm" / "cairn" / "files"
PAGE = ROOT / "docs" / "monitoring.md"
TABLE = re.compile(r"(?<=<!-- alerts -->\n).*(?=<!-- end of alerts -->)", re.DOTALL)


def generated() -> dict[Path, str]:
    made = {FILES / "alerts" / "cairn.yaml": rule_file()}
    made |= {FILES / "dashboards" / f"cairn-{name}.json": text for name, text in boards().items()}
    made[PAGE] = TABLE.sub(lambda _: table(), PAGE.read_text())
    return made


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
