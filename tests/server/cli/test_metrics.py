"""What the daemons tell Prometheus, as Prometheus reads it."""

import subprocess

import pytest
from metrics_reference import PAGE, families, loaded_cluster, page, scrape
from prometheus import running_prometheus

PATHS = ("/metrics", "/metrics/openmetrics")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    with loaded_cluster(tmp_path_factory.mktemp("loaded")) as cluster:
        yield cluster


@pytest.mark.parametrize("daemon", ["node_http", "coordinator_http"])
def test_promtool_finds_nothing_to_say_about_a_page(loaded, daemon):
    text = scrape(getattr(loaded, daemon))
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_a_get_is_told_by_stage_tier_size_urgency_and_transport(loaded):
    samples = dict(line.rsplit(" ", 1) for line in scrape(loaded.node_http).splitlines())
    labels = 'tier="dram",size_class="64KiB",urgency="standard",transport="tcp"'
    counts = {
        stage: float(samples[f'cairn_get_seconds_count{{stage="{stage}",{labels}}}'])
        for stage in ("total", "queue", "network")
    }
    assert set(counts.values()) == {float(samples["cairn_get_hit_blocks_total"])}
    sums = {
        stage: float(samples[f'cairn_get_seconds_sum{{stage="{stage}",{labels}}}'])
        for stage in counts
    }
    assert sums["total"] == pytest.approx(sums["queue"] + sums["network"], abs=1e-6)


def test_prometheus_reads_both_formats(loaded, tmp_path):
    targets = [loaded.node_http, loaded.coordinator_http]
    jobs = [
        {
            "job_name": path.strip("/").replace("/", "_"),
            "scrape_interval": "1s",
            "metrics_path": path,
            "static_configs": [{"targets": targets}],
        }
        for path in PATHS
    ]
    with running_prometheus(tmp_path, {"scrape_configs": jobs}) as prometheus:
        up = prometheus.query("up", len(PATHS) * len(targets))
        assert {series["value"][1] for series in up} == {"1"}
        got = prometheus.query("cairn_get_hit_blocks_total", len(PATHS))
        assert len({series["value"][1] for series in got}) == 1
        buckets = prometheus.query(
            'cairn_get_seconds_bucket{stage="total",le=~"10|10.0"}', len(PATHS)
        )
        assert len({series["value"][1] for series in buckets}) == 1


def test_the_reference_names_each_metric_as_it_is(loaded):
    assert page(loaded) == PAGE.read_text(), "run tests/server/cli/metrics_reference.py"


def test_every_metric_says_what_it_is(loaded):
    for address in (loaded.node_http, loaded.coordinator_http):
        for family in families(scrape(address)):
            assert family.help.endswith("."), family
            assert family.type in ("counter", "gauge", "histogram"), family
