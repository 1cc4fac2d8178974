"""The blocking client. One per thread."""

from collections.abc import Sequence
from typing import Any

from cairn._session import Batch, Session
from cairn.chain import Chain
from cairn.errors import CairnError
from cairn.match import Match
from cairn.namespace import Namespace
from cairn.outcome import Outcome
from cairn.region import Region, Slot

WAIT_S = 1.0  # the library wakes us earlier; this bounds what a lost wake-up costs


class Client:
    """Finds, fetches and stores the KV blocks of one tenant and namespace; a context manager.

        with cairn.Client("127.0.0.1:7400", namespace, "default.tenant") as client:
            region = client.register(kv_cache)          # NumPy array, CPU tensor, bytearray
            slots = region.slots(namespace.block_bytes)
            chain = client.chain(block_hashes)          # the engine's chained hashes
            with client.match(chain) as match:
                outcomes = client.get(chain, slots[: match.blocks], match=match)
            client.put(chain, slots, first=match.blocks)

    Every call ends by its timeout; when it returns, no NIC touches its slots. Keyword arguments of
    the constructor: connect_timeout_s, lease_s, inflight_bytes_max, operations_max, urgency
    (of all gets: interactive, standard or batch), ca_file, certificate_file, key_file, ucx_tls;
    `timeout_s` is the default of all calls.
    CairnError: unauthenticated (tenant or secret), unavailable (lists each coordinator's answer),
    failed_precondition (the cluster is too old or too new for this package).
    """

    def __init__(
        self,
        coordinators: str | Sequence[str],
        namespace: Namespace,
        tenant_file: str,
        *,
        timeout_s: float = 1.0,
        **options: Any,
    ) -> None:
        self._session = Session(coordinators, namespace, tenant_file, **options)
        self._timeout_s = timeout_s

    @property
    def server_version(self) -> str:
        """Of the coordinator that opened the session; cairn.__version__ is ours."""
        return self._session.server_version()

    def register(self, buffer: Any) -> Region:
        """Registers memory for transfers. resource_exhausted: memlock; the text has the remedy."""
        return self._session.register(buffer)

    def chain(self, block_hashes: Sequence[bytes]) -> Chain:
        """Keys for the engine's chained block hashes (1 to 64 bytes each, of one length)."""
        return self._session.chain(block_hashes)

    def match(self, chain: Chain, *, timeout_s: float | None = None) -> Match:
        """Finds and holds the longest available prefix of the chain."""
        batch = self._run(self._session.submit_match(chain, self._seconds(timeout_s)))
        return Match(batch.blocks, batch.outcomes[0], batch.lease, self._session)

    def get(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        *,
        first: int = 0,
        match: Match | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """Lands blocks `first`, `first` + 1, ... in the slots. Bytes are verified before OK."""
        if not slots:
            return []
        lease = match.lease if match is not None else 0
        seconds = self._seconds(timeout_s)
        return self._run(self._session.submit_get(chain, slots, first, lease, seconds)).outcomes

    def put(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        *,
        first: int = 0,
        will_return: bool = False,
        one_off: bool = False,
        priority: int = 0,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """Stores blocks `first`, `first` + 1, ... from the slots. Idempotent.

        will_return, one_off, priority (-1 low, 0, 1 high): what the engine knows of their future;
        the node's policy weighs it.
        """
        if not slots:
            return []
        batch = self._session.submit_put(
            chain,
            slots,
            first,
            self._seconds(timeout_s),
            will_return,
            one_off,
            priority,
            behind=False,
        )
        return self._run(batch).outcomes

    def put_behind(
        self,
        chain: Chain,
        slots: Sequence[Slot],
        *,
        first: int = 0,
        will_return: bool = False,
        one_off: bool = False,
        priority: int = 0,
        timeout_s: float | None = None,
    ) -> None:
        """Copies the blocks and returns; they are stored while later calls run, or by flush().

        BackPressure: 64 MiB of copies are under way.
        """
        if not slots:
            return
        self._session.submit_put(
            chain,
            slots,
            first,
            self._seconds(timeout_s),
            will_return,
            one_off,
            priority,
            behind=True,
        )
        self._session.poll()

    def flush(self) -> None:
        """Returns when everything that was put behind is stored or refused."""
        while self._session.pending:
            self._step()

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and p50 and p99 of the gets that hit."""
        return self._session.statistics()

    def close(self) -> None:
        """Cancels what is under way. On return no NIC touches any region. Idempotent."""
        self._session.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seconds(self, timeout_s: float | None) -> float:
        seconds = self._timeout_s if timeout_s is None else timeout_s
        if not 0 < seconds <= 3600:
            raise CairnError("invalid_argument", f"timeout_s: {seconds} is not in 0 to 3600")
        return seconds

    def _step(self) -> None:
        self._session.advance(WAIT_S)

    def _run(self, batch: Batch) -> Batch:
        try:
            while not batch.ended:
                self._step()
        except BaseException:
            # Ctrl-C: the transfers' slots are the NIC's until they end, by their deadline.
            while not batch.ended:
                self._step()
            raise
        return batch
