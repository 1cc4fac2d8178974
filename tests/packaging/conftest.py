import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))


def run(*command: str | Path, **options) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def debs(tmp_path_factory) -> dict[str, Path]:
    """The packages of build/release, by name."""
    folder = tmp_path_factory.mktemp("debs")
    run(ROOT / "packaging" / "debs.sh", ROOT / "build" / "release", folder)
    return {deb.name.split("_")[0]: deb for deb in folder.glob("*.deb")}


@pytest.fixture(scope="session")
def root(tmp_path_factory, debs) -> Path:
    """What they install, in one folder."""
    folder = tmp_path_factory.mktemp("root")
    for deb in debs.values():
        run("dpkg-deb", "--extract", deb, folder)
    return folder
