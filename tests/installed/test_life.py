"""The packages on a machine: installed, configured, run, upgraded, removed, purged."""

import json
from pathlib import Path

from machine import Machine

BLOCKS = 64
UNITS = ("cairn-coordinator", "cairn-node")
NODE_YAML = "etc/cairn/node.yaml"
FLAGS = ["--coordinator", "127.0.0.1:7400", "--tenant-file", "/root/search.tenant"]
ADMIN = ["--coordinator", "127.0.0.1:7400", "--admin-file", "/var/lib/cairn/admin"]


def start_with_a_tenant(debian: Machine) -> None:
    debian.start(*UNITS)
    debian.run("cairn", "tenant", "add", "search", "--out", "/root/search.tenant", *ADMIN)


def replay(debian: Machine) -> dict:
    """One prompt; what its blocks were found to be. Each byte is compared."""
    hashes = list(range(BLOCKS))
    line = {"timestamp": 0, "input_length": 512 * BLOCKS, "output_length": 1, "hash_ids": hashes}
    (debian.root / "root/trace.jsonl").write_text(json.dumps(line) + "\n")
    trace = ["--trace", "/root/trace.jsonl", "--clients", "1", "--json"]
    return json.loads(debian.run("cairn", "replay", *FLAGS, *trace))


def kept(debian: Machine) -> set[str]:
    folders = ("var/lib/cairn", "var/lib/cairn-node", "etc/cairn")
    return {name for name in folders if (debian.root / name).exists()}


def test_an_installation_starts_nothing_and_runs_as_it_is_shipped(debian: Machine):
    assert {debian.shown(unit, "ActiveState") for unit in UNITS} == {"inactive"}
    for unit in UNITS:
        daemon = unit.removeprefix("cairn-")
        config = f"/etc/cairn/{daemon}.yaml"
        debian.run("cairn", "config", "check", "--for", daemon, "--config", config)
    start_with_a_tenant(debian)
    first, second = replay(debian), replay(debian)
    assert (first["block_hits"], second["block_hits"]) == (0, BLOCKS)
    debian.stop(*UNITS)


def test_a_restart_of_a_node_keeps_its_memory(debian: Machine):
    start_with_a_tenant(debian)
    assert replay(debian)["block_hits"] == 0
    debian.run("systemctl", "restart", "cairn-node")
    assert replay(debian)["block_hits"] == BLOCKS


def test_an_upgrade_restarts_and_keeps_configuration_tenants_and_blocks(
    debian: Machine, newer_debs: list[Path]
):
    with open(debian.root / NODE_YAML, "a") as config:
        config.write("nvme: [/var/lib/cairn-node/nvme]\nnvme_bytes: 512MiB\n")
    changed = (debian.root / NODE_YAML).read_text()
    start_with_a_tenant(debian)
    assert replay(debian)["block_hits"] == 0
    before = {debian.shown(unit, "MainPID") for unit in UNITS}
    debian.install(newer_debs)
    assert "9.0.0" in debian.run("dpkg-query", "--show", "cairn")
    assert (debian.root / NODE_YAML).read_text() == changed
    assert not before & {debian.shown(unit, "MainPID") for unit in UNITS}
    assert replay(debian)["block_hits"] == BLOCKS


def test_only_a_purge_forgets(debian: Machine):
    debian.run("systemctl", "enable", "--now", *UNITS)
    elsewhere = debian.root / "srv/blocks"
    elsewhere.mkdir()
    debian.run("dpkg", "--remove", "cairn")
    assert {debian.shown(unit, "ActiveState") for unit in UNITS} == {"inactive"}
    assert kept(debian) == {"var/lib/cairn", "var/lib/cairn-node", "etc/cairn"}
    debian.run("dpkg", "--purge", "cairn")
    assert kept(debian) == set()
    assert list((debian.root / "etc/systemd").rglob("cairn*")) == []
    assert elsewhere.exists()
