"""The asyncio client: many calls in flight on one event loop, no thread of its own."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from cairn._session import Batch, Session
from cairn.chain import Chain
from cairn.errors import CairnError
from cairn.match import Match
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.region import Region, Slot


class AsyncClient:
    """As cairn.Client, awaited. Made by `await AsyncClient.connect(...)`; an async context manager.

    Belongs to the loop that connected it. The await of a cancelled call ends with its transfers, by
    its deadline at the latest: until then its slots are the NIC's.
    """

    def __init__(self, session: Session, timeout_s: float) -> None:
        self._session = session
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._pump_is_due = False
        self._descriptor = session.event_fd()
        self._loop.add_reader(self._descriptor, self._pump)
        self._kick()

    @classmethod
    async def connect(
        cls,
        coordinators: str | Sequence[str],
        namespace: Namespace,
        tenant_file: str,
        *,
        timeout_s: float = 1.0,
        **options: Any,
    ) -> "AsyncClient":
        """Arguments and errors are those of cairn.Client."""
        make = partial(Session, coordinators, namespace, tenant_file, **options)
        session = await asyncio.get_running_loop().run_in_executor(None, make)
        return cls(session, timeout_s)

    @property
    def server_version(self) -> str:
        return self._session.server_version()

    def register(self, buffer: Any) -> Region:
        return self._session.register(buffer)

    def chain(self, block_hashes: Sequence[bytes]) -> Chain:
        return self._session.chain(block_hashes)

    async def match(self, chain: Chain, *, timeout_s: float | None = None) -> Match:
        batch = await self._end_of(self._session.submit_match(chain, self._seconds(timeout_s)))
        return Match(batch.blocks, batch.outcomes[0], batch.lease, self._session)

    async def get(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        *,
        first: int = 0,
        match: Match | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        if not slots:
            return []
        lease = match.lease if match is not None else 0
        seconds = self._seconds(timeout_s)
        batch = self._session.submit_get(chain, slots, first, lease, seconds)
        return (await self._end_of(batch)).outcomes

    async def put(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        *,
        first: int = 0,
        will_return: bool = False,
        one_off: bool = False,
        priority: int = 0,
        behind: bool = False,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """behind: of a copy made at once, so that the slots may be overwritten during the await."""
        if not slots:
            return []
        batch = self._session.submit_put(
            chain, slots, first, self._seconds(timeout_s), will_return, one_off, priority, behind
        )
        return (await self._end_of(batch)).outcomes

    def statistics(self) -> dict[str, int]:
        return self._session.statistics()

    async def close(self) -> None:
        """Calls under way end with Outcome.CANCELED. Idempotent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
        self._session.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _seconds(self, timeout_s: float | None) -> float:
        seconds = self._timeout_s if timeout_s is None else timeout_s
        if not 0 < seconds <= 3600:
            raise CairnError("invalid_argument", f"timeout_s: {seconds} is not in 0 to 3600")
        return seconds

    async def _end_of(self, batch: Batch) -> Batch:
        ended = self._loop.create_future()
        batch.on_end = partial(ended.set_result, None)
        self._kick()
        cancelled = None
        while not ended.done():
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        return batch

    def _kick(self) -> None:
        if not self._pump_is_due:
            self._pump_is_due = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Polls once; sleeps on the descriptor when there is nothing left, else comes again."""
        self._pump_is_due = False
        if self._descriptor < 0:
            return
        self._session.poll()
        if not self._session.prepare_to_sleep():
            self._kick()
