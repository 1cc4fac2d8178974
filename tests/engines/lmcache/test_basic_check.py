"""LMCache's own conformance check of second-level adapters."""

import json
import os
import subprocess
import sys

import pytest
from conftest import PACKAGE, adapter_spec

LINES = (
    "Validation: {n}/{n} correctly absent",
    "Batch store OK",
    "Validation: {n}/{n} found",
    "Validation (loaded): {n}/{n}",
    "Validation (content): {n}/{n}",
)


def check(cluster, *words, **params) -> str:
    spec = json.dumps(adapter_spec(cluster, "basic check", **params))
    command = [sys.executable, "-m", "lmcache.v1.basic_check", "--mode", "test_l2_adapter"]
    done = subprocess.run(
        [*command, "--model", "m", "--l2-adapter", spec, *words],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("count", "words", "params"),
    [
        (5, (), {}),
        (200, ("--obj-size", "100003"), {}),
        (3, ("--obj-size", str(5 << 20), "--kv-dtype", "float32"), {"kv_dtype": "float32"}),
    ],
    ids=["as_it_stands", "many_odd_sizes", "several_blocks_each"],
)
def test_the_check_passes(cluster, count, words, params):
    told = check(cluster, "--num-keys", str(count), *words, **params)
    for line in LINES:
        assert line.format(n=count) in told, told
    assert "Test Failed" not in told


def test_the_check_would_notice(cluster):
    told = check(cluster, "--num-keys", "2", "--kv-dtype", "float32")
    assert "Batch store FAIL" in told, "kv_dtype says bfloat16, and nothing was stored"
    assert "kv_dtype says bfloat16" in told
