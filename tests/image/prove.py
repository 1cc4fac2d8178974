"""Carries out the Dockerfile in folders that debootstrap made, then tries the image: prove.py WORK.

Needs root. Debian's image is debootstrap's minbase; this machine's cache of the compiler is lent to
the build. What comes out serves as the user that the Dockerfile names, on a read-only root: a
cluster that takes and gives blocks.
"""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

from dockerfile import Build, command_of, inside, stages

ROOT = Path(__file__).resolve().parents[2]
SIZE_MAX = 300 << 20  # All of it, Debian included.
SOURCES = """\
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""
TRIAL = """
cairn up --state-folder /tmp/state --coordinator.listen 127.0.0.1:0 --node.dram-bytes 128MiB \\
  --ready-file /tmp/ready &
up=$!
for i in $(seq 300); do [ -e /tmp/ready ] && break; sleep 0.1; done
coordinator=$(sed -n 's/.*"coordinator":"\\([^"]*\\)".*/\\1/p' /tmp/ready)
cairn bench --coordinators "$coordinator" --tenant-file /tmp/state/default.tenant \\
  --blocks 512 --working-set 4MiB --json
kill $up
wait $up
"""


def mount(*words: str) -> contextlib.ExitStack:
    """Undone when the stack is closed."""
    subprocess.run(["mount", *words], check=True)
    undo = contextlib.ExitStack()
    undo.callback(subprocess.run, ["umount", "--lazy", words[-1]], check=True)
    return undo


class Bases:
    """Copies of one debootstrap, with what a container engine would mount in each."""

    def __init__(self, work: Path, mounts: contextlib.ExitStack) -> None:
        self.origin = work / "debian"
        self.mounts = mounts

    def make(self, root: Path) -> None:
        if not (self.origin / "complete").exists():
            shutil.rmtree(self.origin, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", "bookworm", str(self.origin)]
            subprocess.run(command, check=True, stdout=sys.stderr)
            (self.origin / "etc/apt/sources.list").write_text(SOURCES)
            (self.origin / "complete").touch()
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.origin), str(root)], check=True)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        self.mounts.enter_context(mount("-t", "proc", "proc", f"{root}/proc"))
        self.mounts.enter_context(mount("-t", "sysfs", "-o", "ro", "sysfs", f"{root}/sys"))
        self.mounts.enter_context(mount("--rbind", "/dev", f"{root}/dev"))
        cache = Path.home() / ".cache/ccache"
        if cache.exists() and root.name == "build":
            (root / "root/.cache/ccache").mkdir(parents=True)
            self.mounts.enter_context(mount("--bind", str(cache), f"{root}/root/.cache/ccache"))


def size_of(folder: Path) -> int:
    command = ["du", "-sxb", str(folder)]
    return int(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0]
    )


def try_out(root: Path, stage, mounts: contextlib.ExitStack) -> None:
    user = stage.last("USER")
    version = inside(root, [*command_of(stage), "--version"], user=user, capture_output=True)
    print(f"as {user}: {version.stdout.strip()}")
    size = size_of(root)
    print(f"size: {size >> 20} MiB")
    assert size <= SIZE_MAX, f"more than {SIZE_MAX >> 20} MiB"
    mounts.enter_context(mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}/tmp"))
    mounts.enter_context(mount("--rbind", str(root), str(root)))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
    inside(root, ["/bin/sh", "-ec", TRIAL], user=user)


def main() -> int:
    work = Path(sys.argv[1]).resolve()
    found = stages((ROOT / "Dockerfile").read_text())
    for stage in found:
        shutil.rmtree(work / stage.name, ignore_errors=True)
    with contextlib.ExitStack() as mounts:
        build = Build(ROOT, work, Bases(work, mounts).make)
        for stage in found:
            build.run(stage)
        try_out(build.root(found[-1].name), found[-1], mounts)
    print("the image is built by its steps, serves, and is not root")
    return 0


if __name__ == "__main__":
    sys.exit(main())
