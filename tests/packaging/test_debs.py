"""What the Debian packages hold, need and promise; tests/installed installs them."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, run
from daemons import CAIRN

UNITS = ("cairn-coordinator", "cairn-node")
EXPOSURE_MAX = 2.5  # of systemd's 10
LIBRARIES = "usr/lib/" + run("dpkg-architecture", "-q", "DEB_HOST_MULTIARCH").strip()
PROGRAM = """
#include <cairn.h>
#include <stdio.h>
int main(void) { return puts(cairn_version()) < 0; }
"""
PROJECT = """
cmake_minimum_required(VERSION 3.24)
project(user LANGUAGES C)
find_package(cairn 0.1 REQUIRED CONFIG)
add_executable(user user.c)
target_link_libraries(user PRIVATE cairn::cairn)
"""


def field(deb: Path, name: str) -> str:
    return run("dpkg-deb", "--field", deb, name).strip()


def control(deb: Path, name: str) -> str:
    return run("dpkg-deb", "--info", deb, name)


def files(deb: Path) -> set[str]:
    lines = run("dpkg-deb", "--contents", deb).splitlines()
    names = [line.split(" ./")[1] for line in lines]
    return {name.split(" -> ")[0] for name in names if not name.endswith("/")}


def commands(*words: str):
    yield words
    text = run(CAIRN, *words, "--help")
    for name in re.findall(r"^  ([a-z]+)  ", text.partition("Subcommands:")[2], re.MULTILINE):
        yield from commands(*words, name)


def service(root: Path, unit: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in (root / f"lib/systemd/system/{unit}.service").read_text().splitlines():
        if re.match(r"\w+=", line):
            name, value = line.split("=", 1)
            fields.setdefault(name, []).append(value)
    return fields


def test_three_packages_of_one_version(debs):
    assert set(debs) == {"cairn", "libcairn1", "libcairn-dev"}
    (version,) = {field(deb, "Version") for deb in debs.values()}
    assert version == run(CAIRN, "--version").strip()


def test_every_command_has_a_man_page_with_its_options(debs, root):
    pages = {name for name in files(debs["cairn"]) if "/man1/" in name}
    wanted = {"-".join(["cairn", *words]) for words in commands()}
    assert pages == {f"usr/share/man/man1/{name}.1.gz" for name in wanted}
    text = run("zcat", root / "usr/share/man/man1/cairn-node.1.gz").replace("\\-", "-")
    assert "cairn-node - Hold blocks and serve them" in text
    assert set(re.findall(r"--[a-z-]+", run(CAIRN, "node", "--help"))) <= set(
        re.findall(r"--[a-z-]+", text)
    )


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", "bash-completion/completions/cairn"),
        ("zsh", "zsh/vendor-completions/_cairn"),
        ("fish", "fish/vendor_completions.d/cairn.fish"),
    ],
)
def test_completions_lie_where_the_shell_looks(root, shell, path):
    assert (root / "usr/share" / path).read_text() == run(CAIRN, "completion", shell)


def test_dependencies_are_those_of_what_is_linked(debs):
    for name in ("cairn", "libcairn1"):
        depends = field(debs[name], "Depends")
        for library in ("libucx0", "libgrpc++1.51", "libabsl20220623", "libc6"):
            assert re.search(rf"(^|, ){re.escape(library)} \(", depends), depends
        assert "-dev" not in depends
    assert "libsqlite3-0" not in field(debs["libcairn1"], "Depends")
    version = field(debs["libcairn1"], "Version")
    assert field(debs["libcairn-dev"], "Depends") == f"libcairn1 (= {version})"


def test_the_symbols_are_those_that_the_abi_promises(debs):
    promised = (ROOT / "tests/data/abi/libcairn.so.1.txt").read_text()
    wanted = re.findall(r"^T (\w+)@@(CAIRN_\d+)$", promised, re.MULTILINE)
    lines = control(debs["libcairn1"], "symbols").splitlines()
    assert lines[0] == "libcairn.so.1 libcairn1 #MINVER#"
    assert sorted(line.split()[0] for line in lines[1:]) == sorted("@".join(s) for s in wanted)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(root, tmp_path, unit):
    text = (root / f"lib/systemd/system/{unit}.service").read_text()
    (tmp_path / f"{unit}.service").write_text(text.replace("/usr/bin/cairn", str(CAIRN)))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / f"{unit}.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A value that it ignores is a remark, about other units of the machine too.
    assert unit not in done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_can_do_little_harm(root, unit):
    path = root / f"lib/systemd/system/{unit}.service"
    report = run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
    exposure = re.search(rf"exposure level for {unit}.service: ([\d.]+)", report)
    assert exposure and float(exposure[1]) <= EXPOSURE_MAX, report


def test_the_holder_of_a_nodes_memory_outlives_the_node(root):
    """systemd ends it in any other mode, and the next start finds nothing."""
    assert service(root, "cairn-node")["KillMode"] == ["process"]


@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_starts_the_daemon_with_the_configuration_that_is_shipped(root, debs, unit):
    (command,) = service(root, unit)["ExecStart"]
    program, daemon, flag, config = shlex.split(command)
    assert (root / program[1:]).exists() and daemon == unit.removeprefix("cairn-")
    assert flag == "--config" and config[1:] in files(debs["cairn"])
    assert config in control(debs["cairn"], "conffiles").splitlines()
    run(CAIRN, "config", "check", "--for", daemon, "--config", root / config[1:])


@pytest.mark.parametrize("unit", UNITS)
def test_the_daemon_may_write_to_its_state_folder(root, unit):
    fields = service(root, unit)
    text = (root / f"etc/cairn/{unit.removeprefix('cairn-')}.yaml").read_text()
    (state,) = re.findall(r"^state_folder: (\S+)", text, re.MULTILINE)
    assert state.removeprefix("/var/lib/") == fields["StateDirectory"][0].split()[0]
    assert fields["StateDirectoryMode"] == ["0700"]


@pytest.mark.parametrize("daemon", ["coordinator", "node"])
def test_what_the_configuration_offers_in_comments_is_accepted(root, tmp_path, daemon):
    text = (root / f"etc/cairn/{daemon}.yaml").read_text()
    offered = re.findall(r"^# (\w+): \S", text, re.MULTILINE)
    # One may offer again what stands above: the last one counts.
    lines = dict(re.findall(r"^(?:# )?(\w+)(: \S.*)", text, re.MULTILINE))
    (tmp_path / "all.yaml").write_text("".join(f"{k}{v}\n" for k, v in lines.items()))
    shown = run(CAIRN, "config", "check", "--for", daemon, "--config", tmp_path / "all.yaml")
    assert len(offered) >= 4 and all(name in shown for name in offered)


def test_the_scripts_are_sound(debs):
    for name in ("postinst", "prerm", "postrm"):
        assert "set -e" in control(debs["cairn"], name)
    assert "systemctl enable" not in control(debs["cairn"], "postinst")


@pytest.mark.parametrize("how", ["pkg-config", "cmake"])
def test_a_c_program_builds_against_the_development_package(root, tmp_path, how):
    (tmp_path / "user.c").write_text(PROGRAM)
    if how == "cmake":
        (tmp_path / "CMakeLists.txt").write_text(PROJECT)
        prefix = f"-DCMAKE_PREFIX_PATH={root / LIBRARIES / 'cmake'}"
        run("cmake", "-S", tmp_path, "-B", tmp_path, prefix)
        run("cmake", "--build", tmp_path)
    else:
        paths = {
            "PKG_CONFIG_PATH": str(root / LIBRARIES / "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(root),
        }
        flags = run("pkg-config", "--cflags", "--libs", "cairn", env={**os.environ, **paths})
        # A folder that is not /usr/include is asked for by name.
        include = f"-I{root}/usr/include"
        run("cc", tmp_path / "user.c", "-o", tmp_path / "user", include, *flags.split())
    environment = {**os.environ, "LD_LIBRARY_PATH": str(root / LIBRARIES)}
    assert run(tmp_path / "user", env=environment) == run(CAIRN, "--version")


@pytest.mark.skipif(not shutil.which("lintian"), reason="./dev installs lintian")
def test_lintian_is_content(debs):
    run("lintian", "--allow-root", "--fail-on", "error,warning", *debs.values())
