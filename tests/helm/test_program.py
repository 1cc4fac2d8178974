"""The real program takes what the chart gives it."""

import json
import os
import subprocess

import pytest
from certificates import make_certificates
from chart import SETS, objects, one
from daemons import CAIRN, running_cluster


def plain_environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CAIRN_")}
    return {**kept, "PATH": f"{CAIRN.parent}:{os.environ['PATH']}", **more}


@pytest.mark.parametrize("values", SETS, ids=lambda values: values.stem)
@pytest.mark.parametrize("name", ["node", "coordinator"])
def test_a_daemon_would_start_with_the_arguments_of(values, name):
    spec = one(objects("--values", values), "StatefulSet", f"-{name}")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    args = [word.replace("$(POD_IP)", "10.0.0.2") for word in container["args"]]
    variables = {e["name"]: e["value"] for e in container.get("env", []) if "value" in e}
    assert container["command"] == ["cairn", name]
    checked = subprocess.run(
        [CAIRN, "config", "check", "--json", "--for", name, *args],
        capture_output=True,
        text=True,
        env=plain_environment(**variables),
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["good"] is True


def run_the_test(folder, **environment):
    """The script of the pod that `helm test` starts."""
    (container,) = one(objects(), "Pod", "-put-and-get")["spec"]["containers"]
    (script,) = container["args"]
    return subprocess.run(
        [*container["command"], script.replace("/tmp/", f"{folder}/")],
        capture_output=True,
        text=True,
        env=plain_environment(**environment),
        check=False,
        timeout=120,
    )


def test_helm_test_puts_and_gets_and_leaves_no_tenant(tmp_path):
    with running_cluster(tmp_path) as cluster:
        where = {
            "CAIRN_COORDINATOR": cluster.coordinator,
            "CAIRN_COORDINATORS": cluster.coordinator,
            "CAIRN_ADMIN_FILE": cluster.admin_file,
        }
        (tmp_path / "once").mkdir()
        first = run_the_test(tmp_path / "once", **where)
        assert first.returncode == 0, first.stderr
        moved = json.loads(first.stdout.splitlines()[1])
        assert moved["blocks_put"] + moved["blocks_got"] == 256
        (tmp_path / "again").mkdir()
        assert run_the_test(tmp_path / "again", **where).returncode == 0
        asked = [CAIRN, "tenant", "list", "--json", "--admin-file", cluster.admin_file]
        asked += ["--coordinator", cluster.coordinator]
        left = subprocess.run(
            asked, capture_output=True, text=True, env=plain_environment(), check=True
        )
        assert [tenant["name"] for tenant in json.loads(left.stdout)] == ["default"]


def test_helm_test_presents_the_certificate_where_one_is_asked_for(tmp_path):
    make_certificates(tmp_path, "IP:127.0.0.1")
    values = next(s for s in SETS if s.stem == "tls")
    (container,) = one(objects("--values", values), "Pod", "-put-and-get")["spec"]["containers"]
    (mount,) = (m["mountPath"] for m in container["volumeMounts"] if m["name"] == "tls")
    files = {
        e["name"]: e["value"].replace(mount, str(tmp_path))
        for e in container["env"]
        if e["value"].startswith(mount)
    }
    assert len(files) == 3
    options = [f"--coordinator.tls-certificate-file={tmp_path}/tls.crt"]
    options += [f"--coordinator.tls-key-file={tmp_path}/tls.key"]
    options += [f"--coordinator.tls-client-ca-file={tmp_path}/ca.crt"]
    flags = {"CA": "ca.crt", "CERTIFICATE": "tls.crt", "KEY": "tls.key"}
    options += [f"--node.{k.lower()}-file={tmp_path}/{v}" for k, v in flags.items()]
    with running_cluster(tmp_path, *options) as cluster:
        where = {
            "CAIRN_COORDINATOR": cluster.coordinator,
            "CAIRN_COORDINATORS": cluster.coordinator,
            "CAIRN_ADMIN_FILE": cluster.admin_file,
        }
        (tmp_path / "with").mkdir()
        result = run_the_test(tmp_path / "with", **where, **files)
        assert result.returncode == 0, result.stderr
        (tmp_path / "without").mkdir()
        assert run_the_test(tmp_path / "without", **where).returncode != 0


def test_helm_test_fails_where_nobody_answers(tmp_path):
    nobody = {"CAIRN_COORDINATOR": "127.0.0.1:1", "CAIRN_COORDINATORS": "127.0.0.1:1"}
    (tmp_path / "admin").write_text("0" * 64)
    result = run_the_test(tmp_path, **nobody, CAIRN_ADMIN_FILE=str(tmp_path / "admin"))
    assert result.returncode != 0
