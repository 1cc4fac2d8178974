"""A Debian of its own in a folder: debootstrap made it, namespaces keep it apart. systemd does not
run there, so a daemon is started as its unit says: command, user, state folders, notify socket."""

import configparser
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cairn" / "debian"
UNITS = Path("lib/systemd/system")


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


class Daemon:
    """A unit's process, and what its service manager hears of it."""

    def __init__(self, process: subprocess.Popen, notify: socket.socket, log: Path) -> None:
        self._process = process
        self._notify = notify
        self._log = log

    def await_state(self, wanted: str) -> None:
        self._notify.settimeout(0.1)
        limit = time.monotonic() + PATIENCE_S
        while True:
            try:
                heard = self._notify.recv(256).decode()
            except TimeoutError:
                running = self._process.poll() is None
                assert running and time.monotonic() < limit, self._log.read_text()
                continue
            assert heard == wanted, f"{heard}\n{self._log.read_text()}"
            return

    def await_end(self) -> None:
        assert self._process.wait(PATIENCE_S) == 0, self._log.read_text()


class Machine:
    def __init__(self, root: Path, namespaces: int) -> None:
        self.root = root
        self._enter = ["nsenter", "--target", str(namespaces), "--mount", "--net", "--pid"]
        self._daemons: dict[str, Daemon] = {}

    def run(self, *command: str) -> str:
        return run(*self._enter, "chroot", self.root, *command)

    def install(self, debs: list[Path]) -> None:
        for deb in debs:
            shutil.copy(deb, self.root / "root")
        # What an administrator changed is kept: dpkg's default, for want of a terminal to ask at.
        self.run("dpkg", "--force-confold", "--install", *(f"/root/{deb.name}" for deb in debs))

    def pids(self, command: str) -> list[int]:
        listed = run(*self._enter, "sh", "-c", f"pgrep -f '^/usr/bin/cairn {command}' || true")
        return [int(pid) for pid in listed.split()]

    def start(self, unit: str) -> None:
        """As systemd does, up to READY=1."""
        service = self.service(unit)
        user, group = service["User"], service["Group"]
        for folder in service["StateDirectory"].split():
            mode, path = service["StateDirectoryMode"], f"/var/lib/{folder}"
            self.run("install", "-d", "-m", mode, "-o", user, "-g", group, path)
        address = self.root / "run" / f"{unit}.notify"
        address.unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(address))
        address.chmod(0o666)
        log = self.root / "var/log" / unit
        command = ["chroot", f"--userspec={user}:{group}", self.root]
        command += ["env", f"NOTIFY_SOCKET=/run/{unit}.notify", *service["ExecStart"].split()]
        with open(log, "a") as output:
            process = subprocess.Popen([*self._enter, *command], stdout=output, stderr=output)
        self._daemons[unit] = Daemon(process, notify, log)
        self._daemons[unit].await_state("READY=1")

    def stop(self, unit: str) -> None:
        """SIGTERM to the main process alone, as KillMode=process has it."""
        daemon = self._daemons.pop(unit)
        (pid,) = self.pids(unit.removeprefix("cairn-"))
        run(*self._enter, "kill", "-TERM", str(pid))
        daemon.await_state("STOPPING=1")
        daemon.await_end()

    def service(self, unit: str) -> dict[str, str]:
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str
        parser.read(self.root / UNITS / f"{unit}.service")
        return dict(parser["Service"])


NAMESPACES = """
set -e
ip link set lo up
mount -t proc proc /proc
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
echo ready
exec sleep infinity
"""


@contextmanager
def machine(folder: Path, debs: list[Path]) -> Iterator[Machine]:
    """What runs there ends with it, as do its mounts."""
    root = folder / "root"
    run("cp", "-a", base(debs), root)
    unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
    command = [*unshare, "sh", "-c", NAMESPACES, "sh", str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        yield Machine(root, int(children))
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(root)
