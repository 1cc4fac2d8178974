#!/usr/bin/env python3
"""The check of docs/faults.md finds what it is there for."""

import tempfile
import unittest
from pathlib import Path

from faults import ALWAYS_TESTED, FAULTS, findings, tests_in

TESTS = {"Rot.IsFound", "test_rot_is_found"}


def page(tests_of: dict[int, str], section: str = "Network") -> str:
    """Every fault has a good row but those of `tests_of`."""
    rows = [f"| {n} | rot | finds it | {tests_of.get(n, '`Rot.IsFound`')} |" for n in FAULTS]
    return "\n".join([f"## {section}", *rows])


class FaultsTest(unittest.TestCase):
    def test_a_page_of_tests_that_exist_is_fine(self) -> None:
        good = page({7: "`Rot.IsFound`, `test_rot_is_found`"})
        self.assertEqual(list(findings(good, TESTS)), [])

    def test_a_test_that_does_not_exist_is_found(self) -> None:
        bad = page({7: "`Rot.IsFound`, `Rot.Is`, `test_rot`"})
        self.assertEqual(
            list(findings(bad, TESTS)),
            ["fault 7: there is no test Rot.Is", "fault 7: there is no test test_rot"],
        )

    def test_a_fault_without_a_test_is_found(self) -> None:
        for empty in ("none", "none yet:", "Rot.IsFound"):
            with self.subTest(empty):
                self.assertEqual(list(findings(page({7: empty}), TESTS)), ["fault 7: no test"])

    def test_a_reason_excuses_outside_of_disk_memory_and_processes(self) -> None:
        excused = {7: "none yet: not built"}
        self.assertEqual(list(findings(page(excused), TESTS)), [])
        for section in ALWAYS_TESTED:
            with self.subTest(section):
                found = list(findings(page(excused, section), TESTS))
                self.assertEqual(found, ["fault 7: no test"])

    def test_a_missing_a_double_and_an_incomplete_row_are_found(self) -> None:
        rows = page({}).splitlines()
        self.assertEqual(
            list(findings("\n".join(rows[:-1]), TESTS)), ["fault 43: 0 rows instead of one"]
        )
        self.assertEqual(
            list(findings("\n".join([*rows, rows[-1]]), TESTS)),
            ["fault 43: 2 rows instead of one"],
        )
        incomplete = [*rows[:-1], "| 43 | rot | `Rot.IsFound` |"]
        self.assertEqual(len(list(findings("\n".join(incomplete), TESTS))), 1)

    def test_names_of_tests_are_read_from_both_languages(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            tests = Path(root, "tests")
            (tests / "deep").mkdir(parents=True)
            (tests / "deep" / "rot_test.cc").write_text(
                "TEST(A, One) {}\nTEST_F(\n    B, Two) {}\nTEST_P(C, Three) {}\n// TEST(D, No)\n"
            )
            (tests / "test_rot.py").write_text(
                "def test_four(): ...\nclass X:\n    async def test_five(self): ...\n"
            )
            self.assertEqual(
                tests_in(Path(root)), {"A.One", "B.Two", "C.Three", "test_four", "test_five"}
            )


if __name__ == "__main__":
    unittest.main()
