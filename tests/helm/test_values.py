"""values.yaml, its schema and the page of it are one list, and a mistake in one's own is named."""

import json

import pytest
import yaml
from chart import CHART, PAGE, TABLE, described_values, template, values_table

DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# What is inside of these is Kubernetes', or anybody's labels.
FREE = (
    "nodeSelector",
    "podAnnotations",
    "labels",
    "affinity",
    "clients",
    "monitoring",
    "tolerations",
)


def sections(values, path=()):
    """The groups of named values, the whole among them."""
    yield path
    for name, value in values.items():
        if isinstance(value, dict) and name not in FREE:
            yield from sections(value, (*path, name))


def leaves(values, path=()):
    for name, value in values.items():
        if isinstance(value, dict) and name not in FREE:
            yield from leaves(value, (*path, name))
        else:
            yield ".".join((*path, name))


def schema_of(path):
    schema = SCHEMA
    for name in path:
        schema = schema["properties"][name]
    return schema


@pytest.mark.parametrize("path", list(sections(DEFAULTS)), ids=".".join)
def test_a_typo_is_refused_and_named_in(path):
    result = template("--set", ".".join((*path, "relpicas")) + "=3", check=False)
    assert result.returncode != 0
    assert "relpicas" in result.stderr


@pytest.mark.parametrize("path", list(sections(DEFAULTS)), ids=".".join)
def test_the_schema_knows_exactly_the_values_of(path):
    values = DEFAULTS
    for name in path:
        values = values[name]
    known = set(schema_of(path)["properties"]) - {"global"}  # Helm's own
    assert known == set(values)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("nodes.replicas=three", "/nodes/replicas"),
        ("nodes.dramGiB=0", "/nodes/dramGiB"),
        ("nodes.policy=fifo", "/nodes/policy"),
        ("nodes.nvme.type=nvme", "/nodes/nvme/type"),
        ("nodes.nvme.type=hostPath", "/nodes/nvme/hostPaths"),
        ("nodes.rdma.resource=hca", "/nodes/rdma/resource"),
        ("nodes.tolerations[0].effects=NoSchedule", "effects"),
        ("networkPolicy.clients[0].podSelectors=x", "podSelectors"),
        ("image.digest=sha256:12", "/image/digest"),
        ("tls.enabled=true", "/tls/secretName"),
        ("tls.requireClientCertificates=true", "/tls/enabled"),
        ("nodes.dramGiB=129", "raise reactors to 3"),
        ("nodes.nvme.type=block", "nodes.nvme.volumes: 1 devices"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(setting, named):
    result = template("--set", setting, check=False)
    assert result.returncode != 0
    assert named in result.stderr


def test_every_value_says_what_it_does():
    assert [name for name, _, _ in described_values()] == list(leaves(DEFAULTS))
    for name, _, text in described_values():
        assert text.endswith((".", "`")), name


def test_the_page_has_the_table_of_values():
    found = TABLE.search(PAGE.read_text())
    assert found, "docs/kubernetes.md has lost the marks of its table"
    assert found.group() == values_table(), "run tests/helm/chart.py, which writes the table"
