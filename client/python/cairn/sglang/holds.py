"""Which pages a lookup has pinned, until they are fetched."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

HOLDS_MAX = 1024  # lookups whose pages nobody fetched yet; the oldest goes


@dataclass(slots=True, eq=False)
class _Hold:
    lease: int
    until: float  # on the node it ends by then, too
    left: set[bytes]


class Holds:
    """Leases by page. Any thread. A page that was looked up again belongs to the later lease."""

    def __init__(
        self,
        release: Callable[[int], None],
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._release = release
        self._lease_s = lease_s
        self._clock = clock
        self._lock = threading.Lock()
        self._of_page: dict[bytes, _Hold] = {}
        self._by_age: deque[_Hold] = deque()

    def __len__(self) -> int:
        """Leases that are held."""
        return len(self._by_age)

    def add(self, pages: Sequence[bytes], lease: int) -> None:
        with self._lock:
            self._drop_expired()
            self._leave(pages)
            hold = _Hold(lease, self._clock() + self._lease_s, set(pages))
            self._by_age.append(hold)
            self._of_page.update(dict.fromkeys(pages, hold))
            if len(self._by_age) > HOLDS_MAX:
                self._leave(list(self._by_age[0].left))

    def fetched(self, pages: Sequence[bytes]) -> None:
        """Once a lookup's last page was fetched, its lease is released."""
        with self._lock:
            self._leave(pages)
            self._drop_expired()

    def _leave(self, pages: Sequence[bytes]) -> None:
        for page in pages:
            hold = self._of_page.pop(page, None)
            if hold is None:
                continue
            hold.left.discard(page)
            if not hold.left:
                self._by_age.remove(hold)
                self._release(hold.lease)

    def _drop_expired(self) -> None:
        while self._by_age and self._by_age[0].until <= self._clock():
            for page in self._by_age.popleft().left:
                del self._of_page[page]
