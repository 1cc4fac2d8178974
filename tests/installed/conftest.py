import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, cgroup_folder, machine

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("cairn", "libcairn1", "libcairn-dev")


def packages(folder: Path, *version: str) -> list[Path]:
    command = [ROOT / "packaging" / "debs.sh", ROOT / "build" / "release", folder, *version]
    subprocess.run(command, check=True)
    return [next(folder.glob(f"{name}_*.deb")) for name in NAMES]


@pytest.fixture(scope="session")
def debs(tmp_path_factory) -> list[Path]:
    return packages(tmp_path_factory.mktemp("debs"))


@pytest.fixture(scope="session")
def newer_debs(tmp_path_factory) -> list[Path]:
    return packages(tmp_path_factory.mktemp("newer"), "9.0.0")


@pytest.fixture
def debian(tmp_path: Path, debs: list[Path]) -> Iterator[Machine]:
    """With the packages installed."""
    if os.geteuid() != 0:
        pytest.skip("a Debian in a folder needs root")
    cgroups = cgroup_folder()
    if cgroups is None:
        pytest.skip("systemd in a folder needs the unified cgroup hierarchy")
    with machine(tmp_path, debs, cgroups) as made:
        made.install(debs)
        yield made
