"""The chart, and what helm makes of it. Run as a program it writes the goldens, and the table of
values in docs/kubernetes.md, again.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "cairn"
SETS = sorted((ROOT / "tests" / "helm" / "values").glob("*.yaml"))
GOLDENS = ROOT / "tests" / "helm" / "goldens"
PAGE = ROOT / "docs" / "kubernetes.md"
TABLE = re.compile(r"(?<=<!-- values -->\n).*(?=<!-- end of values -->)", re.DOTALL)
RELEASE, NAMESPACE = "kv-cache", "serving"


def helm(*words, check=True):
    """Needs helm on the PATH: `./dev test python` builds one."""
    command = ["helm", *(str(word) for word in words)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if check:
        assert result.returncode == 0, result.stderr
    return result


def template(*words, check=True, chart=CHART):
    return helm("template", RELEASE, chart, "--namespace", NAMESPACE, *words, check=check)


def rendered(values: Path) -> str:
    """What a golden holds: not the credential, which is another one each time, nor whole boards."""
    text = template("--values", values).stdout
    text = re.sub(r"(?<=\.json: )\|\n(    .*\n)+", "(the file)\n", text)
    return re.sub(r"(?<=  admin: )\S{88}$", "(made anew)", text, flags=re.MULTILINE)


def objects(*words, chart=CHART) -> list[dict]:
    return [part for part in yaml.safe_load_all(template(*words, chart=chart).stdout) if part]


def one(found: list[dict], kind: str, ending: str) -> dict:
    """The object of this kind whose name ends so."""
    fitting = [o for o in found if o["kind"] == kind and o["metadata"]["name"].endswith(ending)]
    assert len(fitting) == 1, (kind, ending, [o["metadata"]["name"] for o in found])
    return fitting[0]


def pods(found: list[dict]) -> list[dict]:
    """Each pod, or template of one: labels and specification."""
    templates = [
        o if o["kind"] == "Pod" else o["spec"].get("template") for o in found if o.get("spec")
    ]
    return [pod for pod in templates if pod]


def described_values() -> list[tuple[str, str, str]]:
    """Dotted name, default and comment of each value in values.yaml."""
    rows, path, comment = [], [], []
    for line in (CHART / "values.yaml").read_text().splitlines():
        if match := re.fullmatch(r"( *)# (-- )?(.*)", line):
            comment = [match[3]] if match[2] else [*comment, match[3]]
        elif match := re.fullmatch(r"( *)(\w+):(?: (.*))?", line):
            path = [*path[: len(match[1]) // 2], match[2]]
            if comment:
                rows.append((".".join(path), default_of(path), " ".join(comment)))
            comment = []
    return rows


def default_of(path: list[str]) -> str:
    value = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in path:
        value = value[name]
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()


def values_table() -> str:
    rows = [f"| `{name}` | `{default}` | {text} |" for name, default, text in described_values()]
    return "\n".join(["| value | default | |", "|---|---|---|", *rows, ""])


def main() -> int:
    for values in SETS:
        (GOLDENS / values.name).write_text(rendered(values))
    PAGE.write_text(TABLE.sub(lambda _: values_table(), PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
