"""The exit codes that --help promises: 0 done, 1 failed, 2 wrong flags, 3 not reachable."""

import json
import os
import signal
import subprocess

from conftest import CAIRN, plain_environment

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
NOBODY = "127.0.0.1:1"


def said(result, code, *words):
    """The code, and an error that says who speaks and contains the words."""
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stderr.startswith("cairn: "), result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def test_what_works_is_0(run, admin):
    assert run("--version").returncode == DONE
    assert run("status", *admin).returncode == DONE
    assert run("top", *admin, "--rounds", 1, "--interval", "100ms").returncode == DONE
    assert run("tenant", "list", *admin).returncode == DONE
    assert run("config", "check").returncode == DONE
    assert run("completion", "bash").returncode == DONE


def test_json_is_json(run, admin):
    assert json.loads(run("status", *admin, "--json").stdout)["nodes"][0]["state"] == "ready"
    lines = run("top", *admin, "--json", "--rounds", 2, "--interval", "100ms").stdout.splitlines()
    assert [("per_second" in json.loads(line)["nodes"][0]) for line in lines] == [True, True]
    assert json.loads(run("tenant", "list", *admin, "--json").stdout)[0]["name"] == "default"
    assert {"subject", "health", "observed", "remedy"} == set(
        json.loads(run("doctor", "--json").stdout)[0]
    )
    assert json.loads(run("config", "check", "--json").stdout)["good"] is True


def test_doctor_is_0_unless_something_is_bad(run):
    result = run("doctor", "--json")
    bad = any(finding["health"] == "bad" for finding in json.loads(result.stdout))
    assert result.returncode == (FAILED if bad else DONE)


def test_a_tenant_is_added_once_and_removed_once(run, admin, tmp_path):
    assert run("tenant", "add", "t1", "--out", "t1.tenant", *admin).returncode == DONE
    assert os.stat(tmp_path / "t1.tenant").st_mode & 0o777 == 0o600
    said(run("tenant", "add", "t1", "--out", "again.tenant", *admin), FAILED, "t1")
    assert not (tmp_path / "again.tenant").exists(), "a file without a secret is left behind"
    assert run("tenant", "rm", "t1", *admin).returncode == DONE
    said(run("tenant", "rm", "t1", *admin), FAILED, "t1")


def test_a_tenants_only_secret_is_never_overwritten(run, admin, tmp_path):
    (tmp_path / "old.tenant").write_text("a secret")
    said(run("tenant", "add", "t2", "--out", "old.tenant", *admin), USAGE, "exists")
    assert (tmp_path / "old.tenant").read_text() == "a secret"
    said(run("tenant", "add", "t2", "--out", "no/folder/t2.tenant", *admin), USAGE, "no/folder")
    names = [t["name"] for t in json.loads(run("tenant", "list", *admin, "--json").stdout)]
    assert "t2" not in names, "a tenant whose secret nobody has"


def test_a_wrong_credential_is_1(run, cluster, tmp_path):
    (tmp_path / "admin").write_text("00" * 32 + "\n")
    result = run("status", "--coordinator", cluster.coordinator, "--admin-file", "admin")
    said(result, FAILED, "credential")


def test_wrong_flags_are_2(run, admin, tenant, trace):
    said(run("status", "--coordinator", NOBODY), USAGE, "--admin-file")
    said(run("status", *admin, "--colour"), USAGE, "--colour: unknown option")
    said(run("bench", "--seconds", 1), USAGE, "cairn-state/default.tenant", "--tenant-file")
    said(run("bench", *tenant, "--get-share", 2), USAGE, "get_share: 2")
    said(run("bench", *tenant, "--block-bytes", "1"), USAGE, "block_bytes: 1B")
    said(run("replay", *tenant), USAGE, "trace: none given")
    said(run("replay", *tenant, "--trace", "absent.jsonl"), USAGE, "absent.jsonl")
    said(run("replay", "--coordinators", NOBODY, "--trace", trace), USAGE, "tenant_file")
    said(run("demo"), USAGE, "trace")
    said(run("tenant", "add", "--out", "x"), USAGE, "name")


def test_a_wrong_file_or_environment_is_2(run, admin, tenant, tmp_path):
    (tmp_path / "bad.yaml").write_text("intervall: 1s\n")
    said(run("top", *admin, "--config", "bad.yaml"), USAGE, "bad.yaml:1", "mean interval?")
    said(run("status", *admin, "--config", "absent.yaml"), USAGE, "absent.yaml")
    said(run("status", *admin, CAIRN_COORDINATR="x"), USAGE, "CAIRN_COORDINATR")
    (tmp_path / "bad.jsonl").write_text("{}\n")
    said(run("replay", *tenant, "--trace", "bad.jsonl"), USAGE, "bad.jsonl:1: timestamp")
    (tmp_path / "bad.tenant").write_text("no tenant\n")
    result = run("bench", "--coordinators", NOBODY, "--tenant-file", "bad.tenant")
    said(result, USAGE, "tenant_file", "bad.tenant")


def test_nobody_there_is_3(run, cluster, trace):
    said(run("status", "--coordinator", NOBODY, "--admin-file", cluster.admin_file), UNREACHABLE)
    said(run("top", "--coordinator", NOBODY, "--admin-file", cluster.admin_file), UNREACHABLE)
    nobody = ["--coordinators", NOBODY, "--tenant-file", cluster.tenant_file]
    said(run("bench", *nobody), UNREACHABLE, NOBODY)
    said(run("replay", *nobody, "--trace", trace), UNREACHABLE, NOBODY)


def test_a_port_in_use_is_3(run, cluster):
    result = run("coordinator", "--state-folder", "state", "--listen", cluster.coordinator)
    said(result, UNREACHABLE, cluster.coordinator)


def test_a_daemon_that_is_asked_to_end_ends_with_0(tmp_path):
    ready = tmp_path / "ready"
    command = [CAIRN, "coordinator", "--state-folder", tmp_path / "state", "--ready-file", ready]
    command += ["--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, env=plain_environment(), stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    for line in process.stderr:
        if "coordinator_serves" in line:
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == DONE
