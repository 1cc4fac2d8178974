"""What is embedded is what the sources make, and it is small."""

import gzip
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "server" / "dashboard" / "web"
GZIP_BYTES_MAX = 60 * 1024


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bundle_is_what_its_sources_make(tmp_path):
    subprocess.run(["node", WEB / "build.mjs", tmp_path], check=True)
    made, kept = files(tmp_path), files(WEB / "dist")
    stale = [name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name)]
    assert stale == [], "run ./dev dashboard and commit what it makes"


def test_the_sources_have_no_type_error():
    command = ["npx", "--no-install", "tsc", "-p", "."]
    checked = subprocess.run(command, cwd=WEB, capture_output=True)
    assert checked.returncode == 0, checked.stdout.decode()


def test_all_that_a_browser_loads_is_at_most_60_kib_compressed():
    sizes = {name: len(gzip.compress(data, 9)) for name, data in files(WEB / "dist").items()}
    assert sum(sizes.values()) <= GZIP_BYTES_MAX, sizes


def test_the_lock_file_names_no_registry_and_every_version():
    lock = json.loads((WEB / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages and all("integrity" in entry for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_the_page_runs_nothing_inline_and_names_no_other_host():
    for name in ("index.html", "login.html"):
        html = (WEB / "dist" / name).read_text()
        assert "<style" not in html and " style=" not in html and " on" + "click" not in html
        assert html.count("<script") == html.count('<script src="/')
        assert "http://" not in html.replace("http://127.0.0.1", "") and "https://" not in html


def test_figures_are_computed_right(tmp_path):
    """The functions behind the figures, by node's own test runner."""
    bundle = tmp_path / "figures.test.mjs"
    esbuild = ["npx", "--no-install", "esbuild", "--bundle", "--format=esm", "--platform=node"]
    esbuild += ["--log-level=error"]
    tests = Path(__file__).with_name("figures.test.ts")
    subprocess.run([*esbuild, tests, f"--outfile={bundle}"], cwd=WEB, check=True)
    ran = subprocess.run(["node", "--test", bundle], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
