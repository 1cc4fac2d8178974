"""What a connector counts."""

import threading
from collections import Counter, deque

import numpy as np

from cairn.outcome import Outcome

COUNTERS = (
    "lookups",
    "lookup_hit_blocks",
    "hit_tokens",  # whose blocks were loaded, also if some were lost then
    "loaded_blocks",
    "loaded_bytes",
    "saved_blocks",
    "saved_bytes",
    "wrong_bytes_blocks",  # refused by checksum: never used
)
FOLD_AT = 1024  # additions that wait at most, about
MISS = "miss_"  # miss_<reason>_blocks; lookups that found nothing count one


class Statistics:
    """Counters by name; any thread. To count never waits: who holds a lock may have lost the
    interpreter to another thread, and an engine's scheduler would wait for both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: deque[tuple[str, int]] = deque()  # not yet in the two below
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._moved: Counter[str] = Counter()  # since the last take

    def add(self, name: str, count: int = 1) -> None:
        if count == 0:
            return
        self._added.append((name, count))
        if len(self._added) >= FOLD_AT and self._lock.acquire(blocking=False):
            try:
                self._fold()
            finally:
                self._lock.release()

    def miss(self, reason: Outcome, blocks: int = 1) -> None:
        self.add(f"{MISS}{reason.name.lower()}_blocks", blocks)
        if reason is Outcome.CHECKSUM:
            self.add("wrong_bytes_blocks", blocks)

    def ended(self, moved: str, reasons: np.ndarray, block_bytes: int) -> None:
        """Of a job's blocks; moved: "loaded" or "saved"."""
        ok = int((reasons == Outcome.OK).sum())
        self.add(f"{moved}_blocks", ok)
        self.add(f"{moved}_bytes", ok * block_bytes)
        if ok < len(reasons):
            values, counts = np.unique(reasons[reasons != Outcome.OK], return_counts=True)
            for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                self.miss(Outcome(value), count)

    def totals(self) -> dict[str, int]:
        with self._lock:
            self._fold()
            return dict(self._counts)

    def take(self) -> dict[str, int]:
        """What came since the last take; only what moved. An engine asks in each of its steps."""
        if not self._moved and not self._added:
            return {}
        with self._lock:
            self._fold()
            moved, self._moved = self._moved, Counter()
        return dict(moved)

    def _fold(self) -> None:
        """Under the lock."""
        for _ in range(len(self._added)):
            name, count = self._added.popleft()
            self._counts[name] += count
            self._moved[name] += count
