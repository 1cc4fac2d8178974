"""Keeps an indexer's picture of an engine's blocks equal to what Cairn holds of them.

The engine's connector tells what it stored, with tokens; a coordinator tells what went.
"""

import collections
import dataclasses
import logging
import threading
from collections.abc import Sequence

from cairn.errors import CairnError
from cairn.events import EventPublisher, Medium
from cairn.routers.coordinator import Changes, Kind, Position, Router

BLOCKS_MAX = 1 << 20
RETRY_S = 0.5

logger = logging.getLogger("cairn")


@dataclasses.dataclass
class _Told:
    block_hash: bytes
    nodes: set[bytes]  # known to hold it


class Mirror:
    """Publishes stores as the connector tells them, and removals as Cairn makes them.

    Blocks are told as Medium.SHARED: any engine may fetch them. What is not known for certain is
    taken back: all is cleared when no coordinator answers or the watch has a gap, and beyond
    BLOCKS_MAX the oldest go.
    Thread-safe. Closes the router, which is its own from now on, and not the publisher.
    """

    def __init__(self, router: Router, publisher: EventPublisher, block_size: int) -> None:
        self._router = router
        self._publisher = publisher
        self._block_size = block_size
        self._lock = threading.Lock()
        self._told: collections.OrderedDict[bytes, _Told] = collections.OrderedDict()
        self._closing = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cairn-mirror", daemon=True)
        self._thread.start()

    def stored(
        self,
        block_hashes: Sequence[bytes],
        parent_hash: bytes | None,
        token_ids: Sequence[int],
        **extra,
    ) -> None:
        """Consecutive blocks of one chain whose puts ended well; as EventPublisher.stored."""
        keys = [self._router.key(one) for one in block_hashes]
        with self._lock:
            self._publisher.stored(
                block_hashes, parent_hash, token_ids, self._block_size, Medium.SHARED, **extra
            )
            for key, block_hash in zip(keys, block_hashes, strict=True):
                nodes = self._told.pop(key).nodes if key in self._told else set()
                self._told[key] = _Told(block_hash, nodes)
            excess = len(self._told) - BLOCKS_MAX
            oldest = [self._told.popitem(last=False)[1] for _ in range(excess)]
            self._publisher.removed([told.block_hash for told in oldest], Medium.SHARED)

    @property
    def watching(self) -> bool:
        """Whether removals are being heard; what is stored before that is cleared."""
        return self._watching.is_set()

    def close(self) -> None:
        self._closing.set()
        self._router.close()
        self._thread.join()

    def __enter__(self) -> "Mirror":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _watch(self) -> None:
        position = Position()
        while not self._closing.is_set():
            try:
                for changes in self._router.watch(position):
                    position = changes.position
                    self._apply(changes)
            except CairnError as error:
                if self._watching.is_set() and not self._closing.is_set():
                    logger.warning("event=cairn_mirror_interrupted error=%s", error)
                    self._forget()
            self._watching.clear()
            self._closing.wait(RETRY_S)

    def _forget(self) -> None:
        with self._lock:
            self._told.clear()
            self._publisher.cleared()

    def _apply(self, changes: Changes) -> None:
        gone: list[bytes] = []
        if changes.gap:
            self._forget()
        with self._lock:
            self._watching.set()
            for change in changes.changes:
                if change.kind == Kind.NODE_CLEARED:
                    gone += self._clear_node(change.node)
                elif told := self._told.get(change.key):
                    if change.kind == Kind.STORED:
                        told.nodes.add(change.node)
                    else:
                        gone += self._lose(change.key, told, change.node)
            self._publisher.removed(gone, Medium.SHARED)

    def _lose(self, key: bytes, told: _Told, node: bytes) -> list[bytes]:
        told.nodes.discard(node)
        if told.nodes:
            return []
        del self._told[key]
        return [told.block_hash]

    def _clear_node(self, node: bytes) -> list[bytes]:
        gone: list[bytes] = []
        for key, told in list(self._told.items()):
            if node in told.nodes:
                gone += self._lose(key, told, node)
        return gone
