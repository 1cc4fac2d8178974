"""Keeps a cluster that does not answer from costing each request its deadline."""

import threading
import time
from collections.abc import Callable

FAILURES_MAX = 3  # in a row: then nobody asks for a while
OPEN_MIN_S = 0.25
OPEN_MAX_S = 5.0


class Breaker:
    """Open: allows() is false. After a while one call is let through; its end decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_s = OPEN_MIN_S
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES_MAX

    def allows(self) -> bool:
        """Each true is owed one succeeded() or failed()."""
        if not self.open:
            return True
        with self._lock:
            now = self._clock()
            if now < self._retry_at:
                return False
            self._retry_at = now + self._open_s
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._open_s = 0, OPEN_MIN_S

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self.open:
                self._retry_at = self._clock() + self._open_s
                self._open_s = min(2 * self._open_s, OPEN_MAX_S)
