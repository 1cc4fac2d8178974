"""A cluster that comes and goes: one coordinator and one node at addresses that stay."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from daemons import CAIRN, turn_bits

LIMIT_S = 60


def until(condition: Callable[[], object], what: str) -> object:
    limit = time.monotonic() + LIMIT_S
    while not (result := condition()):
        assert time.monotonic() < limit, f"never came: {what}"
        time.sleep(0.002)
    return result


class Daemon:
    """A cairn subcommand, its log and its ready file."""

    def __init__(self, folder: Path, *words: object) -> None:
        self._ready, self._log = folder / "ready", folder / "log"
        self._command = [str(word) for word in (CAIRN, *words, "--ready-file", self._ready)]
        self.process: subprocess.Popen | None = None
        folder.mkdir(parents=True)

    def start(self) -> dict[str, str]:
        self._ready.unlink(missing_ok=True)
        with open(self._log, "a") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: self._ready.exists() or self.process.poll() is not None, "readiness")
        assert self._ready.exists(), self._log.read_text()
        return json.loads(self._ready.read_text())

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        assert self.process.poll() is None, f"it died by itself:\n{self._log.read_text()[-4000:]}"
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(LIMIT_S)
        self.process = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.coordinator = f"127.0.0.1:{free_port()}"
        self.tenant_file = folder / "engines.tenant"
        state = folder / "coordinator" / "state"
        listen = ("--listen", self.coordinator, "--state-folder", state)
        self._coordinator = Daemon(folder / "coordinator", "coordinator", *listen)
        self._node = Daemon(
            folder / "node",
            *("node", "--coordinators", self.coordinator, "--state-folder", folder / "node/state"),
            *("--dram-bytes", "256MiB", "--huge-pages", "false"),
        )
        self._node_http = ""
        self._coordinator.start()
        words = [CAIRN, "tenant", "add", "engines", "--out", self.tenant_file]
        words += ["--coordinator", self.coordinator, "--admin-file", state / "admin"]
        subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
        self._coordinator.end()

    def start(self) -> None:
        """What of it does not run."""
        if self._coordinator.process is None:
            self._coordinator.start()
        if self._node.process is None:
            self.start_node()

    def start_node(self) -> None:
        self._node_http = self._node.start()["http"]
        until(lambda: self.metric("cairn_node_ready") == 1, "a node that is ready")

    def stop(self) -> None:
        self._node.end()
        self._coordinator.end()

    def stop_node(self) -> None:
        """Its memory waits for the next start."""
        self._node.end()

    def kill_node(self) -> None:
        self._node.end(signal.SIGKILL)

    def freeze_node(self) -> None:
        self._node.process.send_signal(signal.SIGSTOP)

    def thaw_node(self) -> None:
        self._node.process.send_signal(signal.SIGCONT)

    def metric(self, name: str) -> float:
        with contextlib.suppress(OSError):
            url = f"http://{self._node_http}/metrics"
            with urllib.request.urlopen(url, timeout=1) as page:
                found = re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE)
                return float(found.group(1)) if found else 0.0
        return 0.0

    def turn_bits(self) -> None:
        turn_bits(self._node.process.pid)
