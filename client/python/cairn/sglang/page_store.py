"""The pages of one host pool in Cairn: which are there, fetch them, store them."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cairn._library import library
from cairn.connector.breaker import Breaker
from cairn.connector.lookup import UNANSWERED
from cairn.connector.packed import (
    MATCH_BLOCKS_MAX,
    ChainPart,
    PackedBatch,
    PackedClient,
    chain_base,
)
from cairn.connector.statistics import Statistics
from cairn.errors import CairnError
from cairn.outcome import Outcome
from cairn.region import Region
from cairn.sglang.holds import Holds
from cairn.sglang.page_client import AllOf, PageClient
from cairn.sglang.pages import PageLayout
from cairn.sglang.settings import Settings

logger = logging.getLogger("cairn")

HASH_BYTES = 32  # SGLang's chained SHA-256
CONNECT_POLL_S = 0.01
# Two pages that nobody stores, the second of which no client ever has a place for: see _asked().
NOWHERE = hashlib.sha256(b"cairn.sglang: nowhere").digest()
NEVER = hashlib.sha256(b"cairn.sglang: never").digest()
PADDING_PAGES_MAX = 3


class PageStore:
    """Thread-safe; every call ends by its deadline, and at once while Cairn does not answer."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], PackedClient],
        layout: PageLayout,
        settings: Settings,
        statistics: Statistics,
    ) -> None:
        self.layout = layout
        self._settings = settings
        self._lookup_s = settings.options.lookup_ms / 1e3
        self._save_s = settings.options.save_ms / 1e3
        self._statistics = statistics
        self._breaker = Breaker()
        self._client = PageClient(connect, layout.memory(), name)
        self._holds = Holds(self._client.release, settings.options.lease_ms / 1e3)

    def wait_until_connected(self, timeout_s: float) -> bool:
        until = time.monotonic() + timeout_s
        while not self._client.is_connected and time.monotonic() < until:
            time.sleep(CONNECT_POLL_S)
        return self._client.is_connected

    def leading(self, pages: Sequence[bytes]) -> int:
        """How many of the leading pages are there; they are held until fetched, or lease_ms."""
        if not pages:
            return 0
        pages = pages[: MATCH_BLOCKS_MAX - PADDING_PAGES_MAX]
        packed = _asked(pages)

        def submit(client: PackedClient, _: Region) -> PackedBatch:
            return client.match(client.keys(packed, HASH_BYTES), self._lookup_s)

        batch = self._call(submit, 1)
        if batch is None:
            return 0
        blocks = min(batch.blocks, len(pages))
        if batch.lease:
            self._holds.add(pages[:blocks], batch.lease)
        self._statistics.add("lookups")
        self._statistics.add("lookup_hit_blocks", blocks)
        reason = Outcome(int(batch.reasons[0]))
        if blocks == 0:
            self._statistics.miss(reason)
        self._judge(blocks == 0 and reason in UNANSWERED)
        return blocks

    def each(self, pages: Sequence[bytes]) -> list[bool]:
        """Which of these are there, whatever the others; all are asked for at once."""

        def submit(client: PackedClient, _: Region) -> AllOf:
            chains = [client.keys(_asked([page]), HASH_BYTES) for page in pages]
            return AllOf([client.match(chain, self._lookup_s) for chain in chains])

        found = self._call(submit, 1)
        if found is None:
            return [False] * len(pages)
        for page, batch in zip(pages, found.batches, strict=True):
            if batch.lease:
                self._holds.add([page], batch.lease)
        self._judge(all(Outcome(int(b.reasons[0])) in UNANSWERED for b in found.batches))
        return [batch.blocks > 0 for batch in found.batches]

    def fetch(self, pages: Sequence[bytes], token_indices: Any) -> list[bool]:
        """Lands each page where its tokens lie in the pool. False: compute it."""
        extents = self.layout.extents(token_indices, len(pages))
        timeout_s = self._settings.load_timeout_s(len(pages) * self.layout.tokens)
        packed = b"".join(pages)

        def submit(client: PackedClient, region: Region) -> PackedBatch:
            return client.get(client.keys(packed, HASH_BYTES), extents, region, timeout_s)

        reasons = self._move(submit, "loaded", len(pages))
        self._holds.fetched(pages)
        return (reasons == Outcome.OK).tolist()

    def store(
        self, before: Sequence[bytes], pages: Sequence[bytes], token_indices: Any
    ) -> list[bool]:
        """Stores what follows `before` in its chain. True: it is there, ours or another's."""
        extents = self.layout.extents(token_indices, len(pages))
        base = chain_base(len(before))
        packed = b"".join([*before[base:], *pages])

        def submit(client: PackedClient, region: Region) -> PackedBatch:
            part = ChainPart(client.keys(packed, HASH_BYTES), base)
            return client.put(part, extents, region, self._save_s)

        reasons = self._move(submit, "saved", len(pages))
        # CONFLICT: another engine computed the same page and rounded otherwise. Its bytes stay.
        return ((reasons == Outcome.OK) | (reasons == Outcome.CONFLICT)).tolist()

    def client_statistics(self) -> dict[str, int]:
        return self._client.statistics()

    def close(self) -> None:
        """On return no NIC touches the pool. Idempotent; later calls miss."""
        self._client.close()

    def _move(self, submit: Callable, moved: str, count: int) -> np.ndarray:
        batch = self._call(submit, count)
        if batch is None:
            return np.full(count, Outcome.CANCELED, np.uint32)
        self._statistics.ended(moved, batch.reasons, self.layout.block_bytes)
        self._judge(all(Outcome(reason) in UNANSWERED for reason in set(batch.reasons.tolist())))
        return batch.reasons

    def _call(self, submit: Callable, count: int) -> Any:
        """None: it was not even tried."""
        refusal = self._why_not()
        if refusal is Outcome.OK:
            try:
                return self._client.call(submit)
            except (CairnError, ValueError) as error:
                logger.warning("event=cairn_call_refused error=%s", error)
                refusal = Outcome.OVERLOAD
                self._breaker.failed()
        self._statistics.miss(refusal, count)
        return None

    def _why_not(self) -> Outcome:
        if not self._client.is_connected:
            return Outcome.NO_COORDINATOR
        return Outcome.OK if self._breaker.allows() else Outcome.CIRCUIT_OPEN

    def _judge(self, is_unanswered: bool) -> None:
        if is_unanswered:
            self._breaker.failed()
        else:
            self._breaker.succeeded()


def _asked(pages: Sequence[bytes]) -> bytes:
    """What a lookup of these pages asks for, packed.

    SGLang asks for what its own memory lacks, so a lookup begins anywhere in a chain; the client
    takes its first key for a chain's first. Of keys that are absent where it believes a run begins
    it remembers where they would be stored, and these may be other places than where they then are.
    It asks a coordinator as long as it has no place for the last key: so that is NEVER, where no
    run begins.
    """
    last = len(pages)
    while library.cairn_run_start(last) == last:
        last += 1
    return b"".join([*pages, *[NOWHERE] * (last - len(pages)), NEVER])
