"""The plugin as its users run it: docs/conformance.md's example, its report, its mistakes."""

import os
import re
import subprocess
import sys

import pytest
from cairn.conformance.plugin import ENGINES, rules_of
from conftest import ROOT

TEXT = (ROOT / "docs" / "conformance.md").read_text()
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMAND = re.search(r"^pytest (--cairn-connector \S+)$", TEXT, re.MULTILINE).group(1).split()


def run(folder, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pytest", "-p", "cairn.conformance.plugin", *words]
    paths = f"{folder}:{ROOT / 'client' / 'python'}"
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_the_documented_example_keeps_the_rules(tmp_path):
    (tmp_path / "my_store.py").write_text(EXAMPLE)
    (tmp_path / "test_mine.py").write_text("def test_mine(): raise AssertionError")
    done = run(tmp_path, *COMMAND)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cairn-conformance: sglang=my_store:make" in done.stdout
    assert "11 of 14 rules hold, 3 skipped" in done.stdout
    assert "test_mine" not in done.stdout, "without paths only the rules run"


def test_a_broken_rule_is_named_with_its_reason(tmp_path):
    broken = EXAMPLE.replace("return present\n", "return [True] * len(keys)\n")
    assert broken != EXAMPLE
    (tmp_path / "my_store.py").write_text(broken)
    done = run(tmp_path, *COMMAND)
    assert done.returncode == 1
    assert "BROKEN   a page that is absent is false" in done.stdout
    assert "| False makes the engine compute the page" in done.stdout
    assert "10 of 14 rules hold, 3 skipped" in done.stdout


def test_own_tests_run_beside_the_rules_when_they_are_named(tmp_path):
    (tmp_path / "my_store.py").write_text(EXAMPLE)
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass")
    done = run(tmp_path, *COMMAND, "test_mine.py")
    assert "12 passed, 3 skipped" in done.stdout, done.stdout


@pytest.mark.parametrize("word", ["sglang", "sglang=my_store", "other=my_store:make"])
def test_a_connector_that_is_not_named_rightly_is_refused(tmp_path, word):
    done = run(tmp_path, "--cairn-connector", word)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "give ENGINE=MODULE:FACTORY" in done.stderr


def test_without_the_option_the_plugin_does_nothing(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import sys\ndef test_mine(): assert 'numpy' not in sys.modules"
    )
    done = run(tmp_path)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_the_document_lists_every_rule_with_its_docstring(engine):
    for rule in rules_of(engine):
        name = rule.__name__.removeprefix("test_").replace("_", " ")
        assert f"| {name} | {' '.join(rule.__doc__.split())} |" in TEXT
