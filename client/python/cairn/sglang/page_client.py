"""A client that several of the engine's threads call at once, each waiting for its own answer."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from cairn.connector.client_thread import ClientThread, Link
from cairn.connector.packed import PackedBatch, PackedClient
from cairn.errors import CairnError
from cairn.region import Region

STATISTICS_WAIT_S = 1.0  # the thread is never that busy


class AllOf:
    """Several batches that one call waits for."""

    def __init__(self, batches: list[PackedBatch]) -> None:
        self.batches = batches

    @property
    def ended(self) -> bool:
        return all(batch.ended for batch in self.batches)


Submit = Callable[[PackedClient, Region], PackedBatch | AllOf]


class _Call:
    def __init__(self, submit: Submit) -> None:
        self.submit = submit
        self.batch: PackedBatch | AllOf | None = None
        self.error: CairnError | ValueError | None = None
        self.done = threading.Event()


class PageClient(ClientThread):
    """One thread owns the client of one host pool and its registered memory."""

    def __init__(self, connect: Callable[[], PackedClient], memory: Any, name: str) -> None:
        self._connect = connect
        self._memory = memory
        self._region: Region | None = None
        self._active: list[_Call] = []
        super().__init__(f"cairn-{name}", [Link(self._open)])
        self._thread.start()

    def call(self, submit: Submit) -> Any:
        """Runs submit on the thread and returns its batch, ended: by its deadline, which the client
        keeps. When this has returned, no NIC touches the batch's pages. CairnError, ValueError: not
        submitted.
        """
        call = _Call(submit)
        self.post(partial(self._submit, call))
        if self._is_over:
            self._ended()
        call.done.wait()
        if call.error is not None:
            raise call.error
        assert call.batch is not None
        return call.batch

    def release(self, lease: int) -> None:
        """Lets a match's pages go, soon."""
        self.post(partial(self._release, lease))

    def statistics(self) -> dict[str, int]:
        """Of the client; empty until there is one."""
        found: dict[str, int] = {}
        if not self.is_connected:
            return found
        done = threading.Event()
        self.post(partial(self._read_statistics, found, done))
        done.wait(STATISTICS_WAIT_S)
        return found

    # On the thread.

    def _open(self) -> PackedClient:
        client = self._connect()
        try:
            self._region = client.register(self._memory)
        except BaseException:
            client.close()
            raise
        return client

    def _submit(self, call: _Call) -> None:
        client = self.links[0].client
        if client is None or self._region is None or self._closing:
            call.error = CairnError("unavailable", "no coordinator has answered yet")
            return call.done.set()
        try:
            call.batch = call.submit(client, self._region)
        except (CairnError, ValueError) as error:
            call.error = error
            return call.done.set()
        self._active.append(call)

    def _read_statistics(self, found: dict[str, int], done: threading.Event) -> None:
        client = self.links[0].client
        if client is not None and not self._closing:
            found.update(client.statistics())
        done.set()

    def _release(self, lease: int) -> None:
        client = self.links[0].client
        if client is not None and not self._closing:
            client.release(lease)

    def _step(self) -> None:
        for call in [call for call in self._active if call.batch.ended]:
            self._active.remove(call)
            call.done.set()

    def _ended(self) -> None:
        """The clients are closed: their batches have ended as canceled."""
        while self._commands:
            try:
                self._commands.popleft()()
            except IndexError:  # another thread took it
                return
        for call in self._active:
            call.done.set()
        self._active = []
