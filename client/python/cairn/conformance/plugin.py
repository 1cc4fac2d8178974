"""The pytest plugin: options, which rules for which connector, the report."""

import importlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ENGINES = ("vllm", "sglang", "trtllm")
FOLDER = Path(__file__).parent
OUTCOMES = {"passed": "holds", "failed": "BROKEN", "skipped": "skipped"}


def rules_of(engine: str) -> list[Callable]:
    """In the order of the file."""
    module = importlib.import_module(f"cairn.conformance.{engine}_rules")
    return [rule for name, rule in vars(module).items() if name.startswith("test_")]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cairn-conformance", "rules of engines for KV connectors")
    group.addoption(
        "--cairn-connector",
        action="append",
        default=[],
        metavar="ENGINE=MODULE:FACTORY",
        help=f"run an engine's rules ({', '.join(ENGINES)}) against this connector; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Without paths of the user's own only the rules are run."""
    wanted = [_parse(word) for word in config.getoption("--cairn-connector")]
    if not wanted:
        return
    config.pluginmanager.register(_Run(wanted), "cairn-conformance-run")
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = []
    config.args += dict.fromkeys(str(FOLDER / f"{engine}_rules.py") for engine, _ in wanted)


def _parse(word: str) -> tuple[str, str]:
    engine, _, path = word.partition("=")
    if engine not in ENGINES or ":" not in path:
        text = f"--cairn-connector {word}: give ENGINE=MODULE:FACTORY, ENGINE of {ENGINES}"
        raise pytest.UsageError(text)
    return engine, path


def load(path: str) -> Callable:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


class _Run:
    def __init__(self, wanted: list[tuple[str, str]]) -> None:
        self._wanted = wanted
        self._outcomes: dict[str, dict[str, str]] = defaultdict(dict)
        self._reasons: dict[str, str] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if Path(metafunc.module.__file__).parent != FOLDER:
            return
        wanted = [path for engine, path in self._wanted if engine == metafunc.module.ENGINE]
        metafunc.parametrize("connector", [load(path) for path in wanted], ids=wanted)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: Any) -> Any:
        outcome = yield
        report = outcome.get_result()
        if item.path.parent != FOLDER or (report.when != "call" and report.passed):
            return
        engine = item.module.ENGINE
        connector = f"{engine}={item.callspec.id}"
        self._outcomes[connector][item.originalname] = report.outcome
        if report.failed:
            self._reasons[f"{connector} {item.originalname}"] = item.function.__doc__ or ""

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for connector, outcomes in self._outcomes.items():
            terminalreporter.section(f"cairn-conformance: {connector}")
            for rule, outcome in outcomes.items():
                name = rule.removeprefix("test_").replace("_", " ")
                terminalreporter.line(f"{OUTCOMES[outcome]:8} {name}")
                reason = self._reasons.get(f"{connector} {rule}", "")
                for line in reason.strip().splitlines():
                    terminalreporter.line(f"{'':8} | {line.strip()}")
            kept = list(outcomes.values()).count("passed")
            skipped = list(outcomes.values()).count("skipped")
            line = f"{kept} of {len(outcomes)} rules hold"
            terminalreporter.line(line + (f", {skipped} skipped" if skipped else ""))
