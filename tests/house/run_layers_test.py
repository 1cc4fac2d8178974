#!/usr/bin/env python3
"""What run_layers.py counts decides whether CI is green, so a wrong count must not pass."""

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import run_layers
from run_layers import Counts, Program

GTEST = {
    "testsuites": [
        {
            "testsuite": [
                {"name": "A", "result": "COMPLETED"},
                {"name": "B", "result": "COMPLETED", "failures": [{"failure": "x"}]},
                {"name": "C", "result": "SKIPPED"},
                {"name": "D", "result": "SUPPRESSED"},
            ]
        }
    ]
}
JUNIT = (
    '<?xml version="1.0"?><testsuites>'
    '<testsuite tests="7" failures="1" errors="1" skipped="2"/></testsuites>'
)


def script(name: str, text: str, **more: object) -> Program:
    return Program(name, "unit", [sys.executable, "-c", text], **more)


class CountsTest(unittest.TestCase):
    def test_a_gtest_report_counts_cases(self) -> None:
        self.assertEqual(run_layers.counts_of_gtest(json.dumps(GTEST)), Counts(1, 1, 2))

    def test_a_junit_report_counts_errors_as_failures(self) -> None:
        self.assertEqual(run_layers.counts_of_junit(JUNIT), Counts(3, 2, 2))


class RunTest(unittest.TestCase):
    def test_an_exit_status_is_one_case(self) -> None:
        for status, expected in ((0, Counts(1)), (77, Counts(0, 0, 1)), (3, Counts(0, 1))):
            outcome = run_layers.run(script("p", f"raise SystemExit({status})"))
            self.assertEqual(outcome.counts, expected)

    def test_a_death_by_signal_fails(self) -> None:
        outcome = run_layers.run(script("p", "import os; os.abort()"))
        self.assertEqual(outcome.counts, Counts(0, 1))

    def test_a_program_that_never_ends_fails_and_is_ended(self) -> None:
        text = "import signal; print('begun', flush=True); signal.pause()"
        outcome = run_layers.run(script("p", text, timeout_s=1))
        self.assertEqual(outcome.counts, Counts(0, 1))
        self.assertIn("no end within 1 s", outcome.why)
        self.assertIn("begun", outcome.output)

    def test_a_bad_end_after_a_good_report_fails(self) -> None:
        report = json.dumps({"testsuites": [{"testsuite": [{"result": "COMPLETED"}]}]})
        text = (
            "import os\n"
            "path = os.environ['GTEST_OUTPUT'].removeprefix('json:')\n"
            f"open(path, 'w').write({report!r})\n"
            "raise SystemExit(66)"
        )
        outcome = run_layers.run(script("p", text))
        self.assertEqual(outcome.counts, Counts(1, 1))
        self.assertIn("66", outcome.why)

    def test_a_program_that_was_not_built_fails(self) -> None:
        outcome = run_layers.run(Program("p", "unit", ["/nonexistent/p"]))
        self.assertEqual(outcome.counts, Counts(0, 1))


if __name__ == "__main__":
    unittest.main()
