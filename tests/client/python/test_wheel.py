"""The wheel stands alone: built, installed, imported without this tree."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def run(*command: str | Path, **options) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_carries_the_library(tmp_path: Path):
    run(ROOT / "dev", "wheel", tmp_path / "wheels")
    (wheel,) = (tmp_path / "wheels").glob("cairn-*-py3-none-linux_*.whl")
    installed = tmp_path / "installed"
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", installed, wheel)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("LIBCAIRN_PATH", None)
    script = "import cairn, cairn._library as l; print(cairn.__version__, l.library._name)"
    version, library = run(sys.executable, "-c", script, cwd=tmp_path, env=environment).split()
    assert wheel.name.startswith(f"cairn-{version}-")
    assert library == str(installed / "cairn" / "libcairn.so.1")
