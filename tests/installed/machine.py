"""A Debian of its own in a folder, with its own systemd: debootstrap made it, namespaces keep it
apart."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cairn" / "debian"


def run(*command: str | Path, **options) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


def suite_and_mirror() -> tuple[str, str]:
    """Of this machine's apt, so that the packages find the libraries that they were built with."""
    suite = run("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME").strip()
    wanted = "$(REPO_URI) $(CODENAME) $(COMPONENT)"
    for line in run("apt-get", "indextargets", "--format", wanted).splitlines():
        uri, codename, component = line.split(" ")
        if (codename, component) == (suite, "main"):
            return suite, uri
    raise AssertionError(f"apt has no source with {suite} main")


def base(debs: list[Path]) -> Path:
    """A minimal Debian with what the packages depend on; made once for each set of dependencies."""
    suite, mirror = suite_and_mirror()
    depends = "".join(run("dpkg-deb", "--field", deb, "Depends") for deb in debs)
    root = CACHE / hashlib.sha256(f"{suite}{depends}".encode()).hexdigest()[:12]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for old in CACHE.glob("*/"):  # also what an interrupted run left
                shutil.rmtree(old)
            making = CACHE / "making"
            run("debootstrap", "--variant=minbase", suite, making, mirror)
            install_dependencies(making, debs)
            making.rename(root)
    return root


def install_dependencies(root: Path, debs: list[Path]) -> None:
    """Fetched by this machine's apt: the one in the folder knows no proxy and no second mirror."""
    archives = root / "archives"
    (archives / "partial").mkdir(parents=True)
    options = [f"Dir::State::status={root}/var/lib/dpkg/status", f"Dir::Cache::archives={archives}"]
    flags = [word for option in options for word in ("-o", option)]
    fetch = ["apt-get", *flags, "install", "-y", "--download-only", "--no-install-recommends"]
    run(*fetch, *(deb.resolve() for deb in debs))
    for deb in debs:
        (archives / deb.name).unlink(missing_ok=True)
    # dpkg takes them as they come, and refuses what pre-depends on one that it has only unpacked.
    install = "dpkg --install /archives/*.deb"
    run("chroot", root, "sh", "-c", f"{install} || {install}")
    shutil.rmtree(archives)


class Machine:
    def __init__(self, root: Path, first_process: int) -> None:
        self.root = root
        target = ["--target", str(first_process)]
        self._enter = ["nsenter", *target, "--mount", "--net", "--pid", "--ipc", "--cgroup"]

    def run(self, *command: str) -> str:
        return run(*self._enter, "chroot", self.root, *command)

    def install(self, debs: list[Path]) -> None:
        for deb in debs:
            shutil.copy(deb, self.root / "root")
        # What an administrator changed is kept: dpkg's default, for want of a terminal to ask at.
        self.run("dpkg", "--force-confold", "--install", *(f"/root/{deb.name}" for deb in debs))

    def start(self, *units: str) -> None:
        """Returns when each has said that it serves."""
        try:
            self.run("systemctl", "start", *units)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run('journalctl', '--no-pager')}") from None

    def stop(self, *units: str) -> None:
        self.run("systemctl", "stop", *units)
        for unit in units:
            assert self.shown(unit, "Result") == "success", self.run("journalctl", "--no-pager")

    def shown(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def await_boot(self) -> None:
        limit = time.monotonic() + PATIENCE_S
        while True:
            command = [*self._enter, "chroot", str(self.root), "systemctl", "is-system-running"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.stdout.strip() in ("running", "degraded"):
                return
            assert time.monotonic() < limit, done.stdout + done.stderr
            time.sleep(0.1)


BOOT = """
set -e
echo $$ > "$2/cgroup.procs"
exec unshare --cgroup --mount --net --pid --ipc --uts --fork --kill-child sh -ec '
  ip link set lo up
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc "$1/proc"
  mount -t sysfs sysfs "$1/sys"
  mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
  mount -t tmpfs tmpfs "$1/run"
  mount -t tmpfs tmpfs "$1/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$1/dev"
  for device in null zero full random urandom tty; do cp -a "/dev/$device" "$1/dev"; done
  mkdir "$1/dev/pts" "$1/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts"
  mount -t tmpfs tmpfs "$1/dev/shm"
  ln -s pts/ptmx "$1/dev/ptmx"
  ln -s /proc/self/fd "$1/dev/fd"
  echo ready
  export container=cairn-test
  exec chroot "$1" /lib/systemd/systemd
' sh "$1"
"""


def cgroup_folder() -> Path | None:
    """Of the unified hierarchy, of which systemd needs a branch."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(folder)
    return None


def remove_branch(branch: Path) -> None:
    """Once its processes have ended, which a kill only begins."""
    limit = time.monotonic() + PATIENCE_S
    while "populated 1" in (branch / "cgroup.events").read_text():
        assert time.monotonic() < limit, f"{branch} does not end"
        time.sleep(0.05)
    for folder in sorted(branch.rglob("*/"), reverse=True):
        folder.rmdir()
    branch.rmdir()


@contextmanager
def machine(folder: Path, debs: list[Path], cgroups: Path) -> Iterator[Machine]:
    """A booted one. What runs there ends with it, as do its mounts."""
    root, branch = folder / "root", cgroups / f"cairn-test-{os.getpid()}"
    run("cp", "-a", base(debs), root)
    branch.mkdir()
    command = ["sh", "-c", BOOT, "sh", str(root), str(branch)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        booting = Machine(root, int(children))
        booting.await_boot()
        yield booting
    finally:
        process.kill()
        process.wait()
        remove_branch(branch)
        shutil.rmtree(root)
