"""A program in a terminal of its own: what a person would see and type."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE_S = 20
COLOR = re.compile(r"\x1b\[[0-9;]*m")
ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """Use as a context: the program ends with it."""

    def __init__(
        self,
        command: Sequence[object],
        environment: dict[str, str],
        folder: Path,
        size: tuple[int, int] = (24, 120),
    ) -> None:
        self.text = ""
        self.code: int | None = None
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.chdir(folder)
            words = [str(word) for word in command]
            os.execve(words[0], words, environment)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def _read(self, limit: float) -> bool:
        """False at the program's end."""
        left = max(0.0, limit - time.monotonic())
        if not select.select([self.descriptor], [], [], left)[0]:
            raise TimeoutError(f"the terminal shows only {self.text!r}")
        with contextlib.suppress(OSError):  # EIO: nobody has the other end
            if got := os.read(self.descriptor, 65536):
                self.text += got.decode(errors="replace")
                return True
        return False

    def expect(self, pattern: str) -> str:
        """Waits until the pattern is on the screen, colours aside; what was shown until then."""
        limit = time.monotonic() + PATIENCE_S
        while not re.search(pattern, ESCAPE.sub("", self.text)):
            if not self._read(limit):
                raise EOFError(f"ended before {pattern!r} with {self.text!r}")
        return self.text

    def wait(self) -> int:
        """Waits for the end; its exit code."""
        limit = time.monotonic() + PATIENCE_S
        while self._read(limit):
            pass
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code
