#!/usr/bin/env python3
"""Runs the programs that ctest knows, layer by layer, and counts test cases rather than programs.

A GoogleTest program reports its cases through GTEST_OUTPUT, pytest through JUnit XML; a fuzzer and
any other program is one case: exit status 0 passed, 77 skipped, all else failed. A program that
dies before it reports is one failed case. The last line is `N passed, N failed, N skipped`; the
exit status is 1 when anything failed.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

LAYERS = ("unit", "sim", "fuzz", "process", "netns", "python")
LAYERS += ("engines", "rdma", "kube", "packages")
SKIPPED = 77
TIMEOUT_S = 300
OUTPUT_LINES_MAX = 200  # Of a failed program; the first error is rarely further up.
FUZZ_SECONDS_EACH = (5, 60)  # Less finds nothing, more belongs into `./dev fuzz`.


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Counts") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass
class Program:
    name: str
    layer: str
    command: list[str]
    timeout_s: float = TIMEOUT_S
    serial: bool = False
    cwd: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    program: Program
    counts: Counts
    seconds: float
    output: str
    why: str = ""  # Beyond the cases that failed by themselves.


def programs_of(build: Path, timeout_factor: float) -> list[Program]:
    """What ctest would run in a build folder."""
    listing = subprocess.run(
        ["ctest", "--test-dir", str(build), "--show-only=json-v1"],
        capture_output=True,
        text=True,
        check=True,
    )
    programs = []
    for test in json.loads(listing.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        environment = dict(e.split("=", 1) for e in properties.get("ENVIRONMENT", []))
        program = Program(
            name=test["name"],
            layer=properties.get("LABELS", ["unit"])[0],
            command=test.get("command", []),
            timeout_s=properties.get("TIMEOUT", TIMEOUT_S) * timeout_factor,
            serial=bool(properties.get("RUN_SERIAL", False)),
            cwd=properties.get("WORKING_DIRECTORY"),
            environment=environment,
        )
        programs.append(program)
    return programs


def with_fuzz_limits(
    programs: list[Program], build: Path, budget_s: float, jobs: int
) -> list[Program]:
    """Gives each fuzzer its share of the budget, and a place for what it finds."""
    least, most = FUZZ_SECONDS_EACH
    seconds = int(max(least, min(most, budget_s * jobs / max(1, len(programs)))))
    for program in programs:
        found = build / "found" / program.name
        found.mkdir(parents=True, exist_ok=True)
        executable, *corpora = program.command
        # libFuzzer's own exit status of a crash is 77, which means skipped everywhere else.
        program.command = [
            executable,
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-error_exitcode=1",
            f"-artifact_prefix={found}/",
            str(found),
            *corpora,
        ]
        program.timeout_s = 3 * seconds + 60
    return programs


def counts_of_gtest(report: str) -> Counts:
    counts = Counts()
    for suite in json.loads(report)["testsuites"]:
        for case in suite["testsuite"]:
            if case.get("failures"):
                counts.failed += 1
            elif case["result"] == "COMPLETED":
                counts.passed += 1
            else:
                counts.skipped += 1
    return counts


def counts_of_junit(report: str) -> Counts:
    counts = Counts()
    for suite in ET.fromstring(report).iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        passed = int(suite.get("tests", 0)) - failed - skipped
        counts.add(Counts(passed, failed, skipped))
    return counts


def read_report(path: Path) -> Counts | None:
    """The cases that the program reported; None if it did not, or not to the end."""
    try:
        report = path.read_text()
        return counts_of_junit(report) if report.startswith("<?xml") else counts_of_gtest(report)
    except (OSError, ValueError, KeyError, ET.ParseError):
        return None


def execute(program: Program, report: Path) -> tuple[int | None, str]:
    """Exit status (None: out of time) and output. Ends all that the program started."""
    environment = {**os.environ, **program.environment, "GTEST_OUTPUT": f"json:{report}"}
    command = [part.replace("{report}", str(report)) for part in program.command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=program.cwd,
            start_new_session=True,
        )
        try:
            status = process.wait(program.timeout_s)
        except subprocess.TimeoutExpired:
            status = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        return status, output.read().decode(errors="replace")


def judge(status: int | None, reported: Counts | None, timeout_s: float) -> tuple[Counts, str]:
    """What a program's end and report amount to."""
    if status is None:
        counts = Counts(failed=1)
        return counts, f"no end within {timeout_s:.0f} s"
    if reported is None:
        if status == 0:
            return Counts(passed=1), ""
        if status == SKIPPED:
            return Counts(skipped=1), ""
        return Counts(failed=1), f"exit status {status}"
    if status != 0 and reported.failed == 0:
        # A sanitizer's report at exit, or a crash in teardown.
        return Counts(reported.passed, 1, reported.skipped), f"exit status {status} after all cases"
    return reported, ""


def run(program: Program) -> Outcome:
    start = time.monotonic()
    if not program.command or not Path(program.command[0]).exists():
        return Outcome(program, Counts(failed=1), 0, "", "not built")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        status, output = execute(program, report)
        counts, why = judge(status, read_report(report), program.timeout_s)
    return Outcome(program, counts, time.monotonic() - start, output, why)


def show(outcome: Outcome) -> None:
    failed = outcome.counts.failed > 0
    program = outcome.program
    line = f"{'FAIL' if failed else 'ok  '} {program.layer:7} {program.name:32} {outcome.counts}"
    print(f"{line} ({outcome.seconds:.1f} s){' ' + outcome.why if outcome.why else ''}")
    if failed:
        tail = outcome.output.splitlines()[-OUTPUT_LINES_MAX:]
        print("\n".join(f"     | {text}" for text in tail))
    sys.stdout.flush()


def run_all(programs: Iterable[Program], jobs: int) -> dict[str, Counts]:
    """Runs beside each other what may, then one after the other what may not."""
    programs = list(programs)
    totals: dict[str, Counts] = {}

    def finish(outcome: Outcome) -> None:
        show(outcome)
        totals.setdefault(outcome.program.layer, Counts()).add(outcome.counts)

    with ThreadPoolExecutor(jobs) as pool:
        for outcome in pool.map(run, [p for p in programs if not p.serial]):
            finish(outcome)
    for program in programs:
        if program.serial:
            finish(run(program))
    return totals


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of a CMake build")
    parser.add_argument("--fuzz-build", type=Path, help="folder of the fuzz preset's build")
    parser.add_argument("--fuzz-seconds", type=float, default=180, help="for all fuzzers together")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has pytest")
    parser.add_argument("--pytest", action="append", default=[], help="folder of Python tests")
    parser.add_argument(
        "--engine",
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="a folder of tests/engines and the interpreter that has its engine",
    )
    parser.add_argument("--rdma", help="folder of an emulated machine's kernel and first files")
    parser.add_argument("--kube", help="folder of a Kubernetes control plane's programs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout-factor", type=float, default=1, help="for slow builds")
    parser.add_argument("layers", nargs="*", default=LAYERS, help=" ".join(LAYERS))
    arguments = parser.parse_args()
    unknown = set(arguments.layers) - set(LAYERS)
    if unknown:
        parser.error(f"unknown layer {', '.join(sorted(unknown))}; known: {', '.join(LAYERS)}")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    programs = [
        p
        for p in programs_of(arguments.build, arguments.timeout_factor)
        if p.layer in arguments.layers and p.layer != "fuzz"
    ]
    if "python" in arguments.layers:
        for folder in arguments.pytest:
            command = [arguments.python, "-m", "pytest", "-q", folder, "--junitxml={report}"]
            programs.append(Program(folder, "python", command, timeout_s=900))
    if "engines" in arguments.layers:
        for engine in arguments.engine:
            name, python = engine.split("=", 1)
            folder = f"tests/engines/{name}"
            command = [python, "-m", "pytest", "-q", "-rs", folder, "--junitxml={report}"]
            programs.append(Program(folder, "engines", command, timeout_s=1200))
    if "rdma" in arguments.layers and arguments.rdma:
        command = [arguments.python, "-m", "pytest", "-q", "tests/rdma", "--junitxml={report}"]
        command += ["--machine", arguments.rdma]
        programs.append(Program("tests/rdma", "rdma", command, timeout_s=1200))
    if "kube" in arguments.layers and arguments.kube:
        command = [arguments.python, "-m", "pytest", "-q", "tests/kube", "--junitxml={report}"]
        path = {"PATH": f"{arguments.kube}:{os.environ['PATH']}"}
        programs.append(Program("tests/kube", "kube", command, timeout_s=1200, environment=path))
    if "packages" in arguments.layers:
        folder = "tests/installed"
        command = [arguments.python, "-m", "pytest", "-q", "-rs", folder, "--junitxml={report}"]
        programs.append(Program(folder, "packages", command, timeout_s=900))
    if "fuzz" in arguments.layers and arguments.fuzz_build:
        fuzzers = [p for p in programs_of(arguments.fuzz_build, 1) if p.layer == "fuzz"]
        build = arguments.fuzz_build.resolve()
        programs += with_fuzz_limits(fuzzers, build, arguments.fuzz_seconds, arguments.jobs)

    totals = run_all(programs, arguments.jobs)
    everything = Counts()
    print()
    for layer in [layer for layer in LAYERS if layer in arguments.layers]:
        counts = totals.get(layer, Counts())
        everything.add(counts)
        print(f"layer {layer}: {counts}")
    print(everything)
    return 1 if everything.failed else 0


if __name__ == "__main__":
    sys.exit(main())
