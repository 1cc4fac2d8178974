"""The thread that owns clients, so that an engine's own threads never wait for a network."""

import ctypes
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from cairn.connector.packed import Advance, PackedClient
from cairn.errors import CairnError

logger = logging.getLogger("cairn")

SLEEP_MAX_S = 0.5  # bounds what a lost wake-up costs
RETRY_MIN_S = 0.5  # of connecting
RETRY_MAX_S = 10.0
# An engine's scheduler waits for the interpreter's lock up to 5 ms, a switch interval, beside a
# thread that computes on. So ours pauses, long enough for another to wake and take the lock.
TURN_S = 0.0002
PAUSE_S = 0.0001

# os.eventfd_write lets go of the interpreter's lock, and a busy thread of ours may keep it for the
# 5 ms of a switch interval, which an engine's scheduler would wait. This one keeps it: 1 us.
_eventfd_write = ctypes.PyDLL(None).eventfd_write
_eventfd_write.argtypes = (ctypes.c_int, ctypes.c_uint64)


class Link:
    """One client, connected when a coordinator first answers; it finds its own way afterwards."""

    def __init__(self, connect: Callable[[], PackedClient]) -> None:
        self.client: PackedClient | None = None
        self._connect = connect
        self._retry_s = RETRY_MIN_S
        self._retry_at = 0.0

    def try_to_connect(self) -> bool:
        """True when it has just connected. Blocks up to the client's connect_timeout_s."""
        if self.client is not None or time.monotonic() < self._retry_at:
            return False
        try:
            self.client = self._connect()
        except CairnError as error:
            self._retry_at = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, RETRY_MAX_S)
            logger.warning("event=cairn_not_connected code=%s error=%s", error.code, error)
            return False
        return True

    @property
    def due_s(self) -> float:
        """Until it wants to connect."""
        return SLEEP_MAX_S if self.client else max(0.0, self._retry_at - time.monotonic())


class ClientThread(ABC):
    """Runs commands posted by other threads, polls the links' clients, sleeps on all of them."""

    def __init__(self, name: str, links: Sequence[Link]) -> None:
        self.links = list(links)
        self._commands: deque[Callable[[], None]] = deque()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._advance = Advance(self._wake_fd)
        self._closing = False
        self._is_connected = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_connected(self) -> bool:
        """Every link has a client."""
        return self._is_connected

    def post(self, command: Callable[[], None]) -> None:
        """Runs on the thread, soon and in order. Never blocks."""
        self._commands.append(command)
        if self._wake_fd >= 0:
            _eventfd_write(self._wake_fd, 1)

    def close(self) -> None:
        """Ends the thread and its clients: on return no NIC touches the engine's memory."""
        self._closing = True
        if self._wake_fd < 0:
            return
        os.eventfd_write(self._wake_fd, 1)
        self._thread.join()
        os.close(self._wake_fd)
        self._wake_fd = -1

    @abstractmethod
    def _step(self) -> None:
        """After each round of polling: hand on what has ended, end what is late."""

    @abstractmethod
    def _ended(self) -> None:
        """After the clients were closed; also for what was posted too late, on any thread."""

    def _run(self) -> None:
        try:
            while not self._closing:
                self._round()
        except Exception:
            logger.exception("event=cairn_thread_failed thread=%s", self._thread.name)
        self._closing, self._is_connected = True, False
        for link in self.links:
            client, link.client = link.client, None
            if client:
                client.close()
        self._is_over = True
        self._ended()

    def _round(self) -> None:
        self._connect_links()
        self._take_turns(iter(self._next_command, None))
        clients = [link.client for link in self.links if link.client]
        due_s = min((link.due_s for link in self.links), default=SLEEP_MAX_S)
        self._advance(clients, min(due_s, self._due_s(), SLEEP_MAX_S))
        self._step()

    def _next_command(self) -> Callable[[], None] | None:
        return self._commands.popleft() if self._commands else None

    def _take_turns(self, calls: Iterable[Callable[[], None]]) -> None:
        """Makes them, however many, without keeping an engine's thread from its own work."""
        until = time.monotonic() + TURN_S
        for call in calls:
            call()
            if time.monotonic() >= until:
                time.sleep(PAUSE_S)
                until = time.monotonic() + TURN_S

    def _connect_links(self) -> None:
        for link in self.links:
            if link.try_to_connect():
                logger.info("event=cairn_connected namespace=%s", link.client.namespace)
        self._is_connected = all(link.client for link in self.links)

    def _due_s(self) -> float:
        """Until _step has something to do of its own accord."""
        return SLEEP_MAX_S
