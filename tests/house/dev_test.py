#!/usr/bin/env python3
"""./dev installs on other people's machines, so its every call of apt is watched."""

import os
import shutil
import subprocess
import tempfile
import unittest
import unittest.mock
from pathlib import Path

DEV = Path(__file__).parents[2] / "dev"
TOOLS = ("bash", "cat", "dirname", "env", "flock", "grep", "readlink")


class DevTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.bin = Path(self.folder.name)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)

    def stub(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)

    def stub_packages(self, missing: str) -> None:
        """A dpkg that knows all packages but one, an apt and a sudo that write down their calls."""
        self.stub(
            "dpkg-query",
            f'for name in "${{@:3}}"; do [[ $name == {missing} ]] || echo "$name installed"; done',
        )
        self.stub("apt-get", f'echo "$*" >> {self.bin}/calls')
        self.stub("sudo", '"$@"')

    def dev(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(DEV), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": str(self.bin)},
        )

    def apt_calls(self) -> list[str]:
        calls = self.bin / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    def test_nothing_missing_means_no_apt(self) -> None:
        self.stub_packages(missing="none")
        self.assertEqual(self.dev("deps").returncode, 0)
        self.assertEqual(self.apt_calls(), [])

    def test_only_what_lacks_is_installed_after_an_update(self) -> None:
        self.stub_packages(missing="libucx-dev")
        result = self.dev("deps")
        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.apt_calls()
        self.assertTrue(update.endswith(" update"), update)
        self.assertTrue(install.endswith(" install -y --no-install-recommends libucx-dev"), install)
        self.assertIn("DPkg::Lock::Timeout=300", install)

    def test_a_failed_installation_fails_the_command(self) -> None:
        self.stub_packages(missing="libucx-dev")
        self.stub("apt-get", "exit 100")
        self.assertNotEqual(self.dev("deps").returncode, 0)

    def test_a_machine_without_dpkg_is_told_what_to_do(self) -> None:
        result = self.dev("deps")
        self.assertEqual(result.returncode, 1)
        self.assertIn("not Debian", result.stderr)

    @unittest.skipIf(os.geteuid() == 0, "root needs no sudo")
    def test_without_root_and_sudo_the_command_to_run_is_named(self) -> None:
        self.stub_packages(missing="libucx-dev")
        (self.bin / "sudo").unlink()
        result = self.dev("deps")
        self.assertEqual(result.returncode, 1)
        self.assertIn("run as root: env DEBIAN_FRONTEND=noninteractive apt-get", result.stderr)

    def test_an_unknown_command_shows_the_known_ones_and_keeps_standard_output_clean(self) -> None:
        result = self.dev("dmeo")
        self.assertEqual(result.returncode, 1)
        self.assertIn("unknown command dmeo", result.stderr)
        self.assertIn("demo [ARGS]", result.stderr)
        self.assertEqual(result.stdout, "")

    def test_an_engine_that_was_not_installed_is_not_taken_for_one_that_was(self) -> None:
        for tool in ("cut", "find", "mkdir", "nproc", "rm", "sha256sum", "sort", "touch", "tr"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.stub_packages(missing="none")
        self.stub("cmake", "true")
        self.stub("python3", '[[ $1 == -m ]] && mkdir -p "$3"; true')  # an environment without pip
        engines = self.bin / "engines"
        with unittest.mock.patch.dict(os.environ, {"CAIRN_ENGINES": str(engines)}):
            result = self.dev("test", "--engines", "dynamo")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("dynamo was not installed", result.stderr)
        self.assertEqual(list(engines.glob("*/complete")), [])

    def test_help_goes_to_standard_output(self) -> None:
        result = self.dev("help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("test [--preset P] [LAYER...]", result.stdout)


if __name__ == "__main__":
    unittest.main()
