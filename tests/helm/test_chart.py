"""What the chart makes of six sets of values: word for word, and in what must never change."""

import re
import shutil

import pytest
import yaml
from chart import CHART, GOLDENS, ROOT, SETS, helm, objects, one, pods, rendered

each_set = pytest.mark.parametrize("values", SETS, ids=lambda values: values.stem)


def containers(found):
    return [container for pod in pods(found) for container in pod["spec"]["containers"]]


def servers(found):
    """Their containers: all but the test's."""
    return [c for c in containers(found) if c["name"] in ("node", "coordinator")]


def of_set(name, *words):
    return objects("--values", next(s for s in SETS if s.stem == name), *words)


@each_set
def test_helm_finds_nothing_in(values):
    helm("lint", "--strict", "--quiet", CHART, "--values", values)


@each_set
def test_the_manifests_are_the_golden_of(values):
    assert rendered(values) == (GOLDENS / values.name).read_text(), (
        "look at the difference, then run tests/helm/chart.py"
    )


@each_set
def test_no_container_has_more_rights_than_it_needs_in(values):
    found = objects("--values", values)
    rdma = any("--ucx-tls" in word for c in containers(found) for word in c.get("args", []))
    assert len(pods(found)) == 3
    for pod in pods(found):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
        assert spec["automountServiceAccountToken"] is False
        for shared in ("hostIPC", "hostPID", "hostNetwork", "shareProcessNamespace"):
            assert not spec.get(shared)
        for container in spec["containers"] + spec.get("initContainers", []):
            rights = container["securityContext"]
            assert rights["runAsNonRoot"] is True
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["allowPrivilegeEscalation"] is False
            assert not rights["privileged"]
            assert rights["capabilities"]["drop"] == ["ALL"]
            allowed = ["IPC_LOCK"] if rdma and container["name"] == "node" else []
            assert rights["capabilities"].get("add", []) == allowed


@each_set
def test_kubernetes_sets_no_variable_that_cairn_would_refuse_in(values):
    for pod in pods(objects("--values", values)):
        assert pod["spec"]["enableServiceLinks"] is False


@each_set
def test_every_server_is_probed_at_its_metrics_port_in(values):
    found = servers(objects("--values", values))
    assert len(found) == 2
    for container in found:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        (listens,) = (w for w in container["args"] if w.startswith("--http-listen="))
        assert listens.endswith(f":{ports['http']}")
        for probe, path in [
            ("startup", "/healthz"),
            ("liveness", "/healthz"),
            ("readiness", "/readyz"),
        ]:
            assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "http"}


@each_set
def test_a_node_has_time_to_drain_in(values):
    spec = one(objects("--values", values), "StatefulSet", "-node")["spec"]["template"]["spec"]
    args = spec["containers"][0]["args"]
    (seconds,) = (int(m[1]) for w in args if (m := re.fullmatch(r"--drain-timeout=(\d+)s", w)))
    assert spec["terminationGracePeriodSeconds"] >= seconds + 30


@each_set
def test_a_node_has_memory_for_its_cache_in(values):
    (node,) = (c for c in servers(objects("--values", values)) if c["name"] == "node")
    (dram,) = (int(m[1]) for w in node["args"] if (m := re.fullmatch(r"--dram-bytes=(\d+)GiB", w)))
    asked, limit = node["resources"]["requests"], node["resources"]["limits"]
    assert int(limit["memory"].removesuffix("Gi")) > dram
    assert asked.get("hugepages-2Mi") == limit.get("hugepages-2Mi")
    if "--huge-pages=true" in node["args"]:
        assert limit["hugepages-2Mi"] == f"{dram}Gi"
    else:
        assert "hugepages-2Mi" not in limit
        assert asked["memory"] == limit["memory"]


@each_set
def test_selectors_fit_the_pods_that_they_are_meant_for_in(values):
    found = objects("--values", values)
    labels = {
        o["spec"]["template"]["spec"]["containers"][0]["name"]: o["spec"]["template"]["metadata"][
            "labels"
        ]
        for o in found
        if o["kind"] == "StatefulSet"
    }

    def selects(selector):
        return [name for name, has in labels.items() if selector.items() <= has.items()]

    for kind in ("StatefulSet", "PodDisruptionBudget", "Service", "NetworkPolicy"):
        fitting = {
            o["metadata"]["name"].rpartition("-")[2]: o["spec"].get(
                "podSelector", o["spec"].get("selector")
            )
            for o in found
            if o["kind"] == kind
        }
        assert set(fitting) == (
            {"node"} if kind == "PodDisruptionBudget" else {"node", "coordinator"}
        )
        for meant, selector in fitting.items():
            assert selects(selector.get("matchLabels", selector)) == [meant], kind


@each_set
def test_every_service_port_is_one_of_the_pods_in(values):
    found = objects("--values", values)
    for name in ("node", "coordinator"):
        (server,) = (c for c in servers(found) if c["name"] == name)
        named = {port["name"] for port in server["ports"]}
        ports = one(found, "Service", f"-{name}")["spec"]["ports"]
        assert {port["targetPort"] for port in ports} <= named


def tls_items(found, name):
    """Which files of the secret a pod gets; all: None."""
    (pod,) = (p for p in pods(found) if p["spec"]["containers"][0]["name"] == name)
    (volume,) = (v for v in pod["spec"]["volumes"] if v["name"] == "tls")
    assert volume["secret"]["secretName"] == "cairn-tls"
    (mount,) = (m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "tls")
    assert mount["readOnly"] is True
    items = volume["secret"].get("items")
    return items and [item["key"] for item in items]


def test_with_tls_the_coordinator_alone_does_without_insecure():
    for container in servers(of_set("tls")):
        assert ("--insecure=true" in container["args"]) == (container["name"] == "node")


def test_only_who_presents_the_certificate_gets_its_key():
    found = of_set("tls")
    assert [tls_items(found, name) for name in ("coordinator", "node", "put-and-get")] == [None] * 3
    found = of_set("tls", "--set", "tls.requireClientCertificates=false")
    assert tls_items(found, "coordinator") is None
    for name in ("node", "put-and-get"):
        assert tls_items(found, name) == ["ca.crt"]
        (container,) = (c for c in containers(found) if c["name"] == name)
        assert "tls.key" not in str(container)


def test_a_command_in_the_coordinators_pod_calls_it_by_the_name_in_the_certificate():
    spec = one(of_set("tls"), "StatefulSet", "-coordinator")["spec"]["template"]["spec"]
    (address,) = (
        e["value"] for e in spec["containers"][0]["env"] if e["name"] == "CAIRN_COORDINATOR"
    )
    names = [address.removesuffix(":7400")]
    wanted = [{"ip": ip, "hostnames": names} for ip in ("127.0.0.1", "::1")]
    assert spec["hostAliases"] == wanted


def test_no_policy_lets_everybody_in_when_no_client_is_named():
    for policy in of_set("default", "--set-json", "networkPolicy.clients=[]"):
        if policy["kind"] == "NetworkPolicy":
            assert all(rule["from"] for rule in policy["spec"]["ingress"])


def test_two_nodes_never_meet_in_one_machines_folders():
    spec = one(of_set("everything-on"), "StatefulSet", "-node")["spec"]["template"]
    (rule,) = spec["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"].items() <= spec["metadata"]["labels"].items()


def test_a_new_chart_alone_restarts_no_pod(tmp_path):
    newer = tmp_path / "cairn"
    shutil.copytree(CHART, newer)
    about = yaml.safe_load((newer / "Chart.yaml").read_text())
    about["version"] = "99.0.0"
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about))
    before, after = objects(), objects(chart=newer)
    for name in ("-node", "-coordinator"):
        old, new = (one(o, "StatefulSet", name) for o in (before, after))
        assert old["metadata"]["labels"] != new["metadata"]["labels"]
        assert old["spec"] == new["spec"]


def test_the_chart_is_of_the_version_that_is_built():
    (version,) = re.findall(r"project\(cairn VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["appVersion"] == version
    assert [c["image"] for c in containers(objects())] == [f"cairn:{version}"] * 3


def alerts(*words):
    rules = one(of_set("everything-on", *words), "PrometheusRule", "kv")["spec"]
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_the_alerts_are_those_of_the_rule_file():
    groups = [
        group
        for path in (CHART / "files" / "alerts").iterdir()
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert alerts() == [rule for group in groups for rule in group["rules"]]
    assert len(alerts()) >= 9


def test_runbooks_are_where_a_value_says():
    url = "https://docs.example/cairn/"
    before, after = alerts(), alerts("--set", f"prometheusRule.runbooksUrl={url}")
    for old, new in zip(before, after, strict=True):
        page = old["annotations"]["runbook_url"].removeprefix("docs/alerts/")
        assert new["annotations"]["runbook_url"] == url + page


def test_boards_are_taken_as_they_are():
    found = one(of_set("everything-on"), "ConfigMap", "-dashboards")
    files = {path.name: path.read_text() for path in (CHART / "files" / "dashboards").iterdir()}
    assert len(files) == 2
    assert found["data"] == files
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
