"""KV events: tells routers' indexers what Cairn holds for an engine, in the engines' own format.

An indexer finds blocks by their tokens, and Cairn knows hashes alone: events are published beside
the engine's connector, which knows both. docs/routers.md tells which indexer takes what.
"""

import collections
import dataclasses
import enum
import os
import threading
import time
from collections.abc import Callable, Sequence

from cairn.errors import CairnError

try:
    import msgpack
    import zmq
except ImportError as missing:
    text = "cairn.events needs pyzmq and msgpack: pip install pyzmq msgpack"
    raise ImportError(text) from missing

BATCH_EVENTS_MAX = 64
WAITING_EVENTS_MAX = 16_384
REPLAY_BATCHES_MAX = 10_000
REPLAY_BYTES_MAX = 64 << 20
SEND_BATCHES_MAX = 100_000  # per subscriber; one that is further behind has a gap
CLOSE_S = 1.0
SEQUENCE_BYTES = 8
ARRAY_FIELDS = {
    "BlockStored": (
        "type",
        "block_hashes",
        "parent_block_hash",
        "token_ids",
        "block_size",
        "lora_id",
        "medium",
        "lora_name",
    ),
    "BlockRemoved": ("type", "block_hashes", "medium"),
    "AllBlocksCleared": ("type",),
}
END_OF_REPLAY = b"\xff" * SEQUENCE_BYTES


class Medium(enum.StrEnum):
    """Where the blocks are. Indexers drop media that they do not know without a word."""

    SHARED = "EXTERNAL"  # in the cluster: any engine may fetch them
    MEMORY = "CPU_PINNED"  # this machine's memory
    DRIVE = "DISK"  # this machine's drives


@dataclasses.dataclass(frozen=True)
class Stored:
    block_hashes: list[int]
    parent_hash: int | None
    token_ids: list[int]
    block_size: int
    medium: Medium
    lora_name: str | None
    cache_salt: str | None

    def as_map(self) -> dict:
        event = {
            "type": "BlockStored",
            "block_hashes": self.block_hashes,
            "parent_block_hash": self.parent_hash,
            "token_ids": self.token_ids,
            "block_size": self.block_size,
            "lora_id": None,  # the name tells
            "medium": str(self.medium),
        }
        optional = {"lora_name": self.lora_name, "cache_salt": self.cache_salt}
        return event | {name: value for name, value in optional.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class Removed:
    block_hashes: list[int]
    medium: Medium

    def as_map(self) -> dict:
        return {
            "type": "BlockRemoved",
            "block_hashes": self.block_hashes,
            "medium": str(self.medium),
        }


@dataclasses.dataclass(frozen=True)
class Cleared:
    def as_map(self) -> dict:
        return {"type": "AllBlocksCleared"}


Event = Stored | Removed | Cleared


class Format(enum.Enum):
    """How an engine writes events, and which 64 bits of a block's hash it tells."""

    SGLANG = "sglang"  # tagged maps; the first 8 bytes of the hash, signed
    VLLM = "vllm"  # tagged maps; the last 8 bytes, unsigned
    VLLM_ARRAYS = "vllm_arrays"  # before 0.2x: positional arrays

    def hash_of(self, block_hash: bytes) -> int:
        if self is Format.SGLANG:
            return int.from_bytes(block_hash[:8], "big", signed=True)
        return int.from_bytes(block_hash[-8:], "big")

    def write(self, event: Event) -> dict | list:
        fields = event.as_map()
        if self is Format.VLLM_ARRAYS:
            return [fields.get(name) for name in ARRAY_FIELDS[fields["type"]]]
        if self is Format.VLLM and "cache_salt" in fields:
            # A chain's salt is in its first block's hash, and through it in all others. Dynamo
            # reads cache_salt alone, and would show these blocks to unsalted requests.
            fields["extra_keys"] = [[fields["cache_salt"]]]
            fields["extra_keys"] += [None] * (len(fields["block_hashes"]) - 1)
        return fields


class EventPublisher:
    """Publishes one engine's events on a ZMQ PUB socket, and replays old ones on a ROUTER.

    stored, removed and cleared never wait: they queue, and a thread sends. When more waits than
    WAITING_EVENTS_MAX, all that waits becomes one `cleared`: an indexer then knows too little,
    never too much. Thread-safe; events are sent in the order of the calls.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        replay_endpoint: str | None = None,
        topic: str = "",
        format: Format = Format.SGLANG,
        data_parallel_rank: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """endpoint: "tcp://*:5557" binds; the port is as given, whatever the rank."""
        self._format = format
        self._topic = topic.encode()
        self._rank = data_parallel_rank
        self._clock = clock
        self._waiting: collections.deque[Event] = collections.deque()
        self._overflows = 0
        self._sequence = 0
        self._replay: collections.deque[tuple[bytes, bytes]] = collections.deque()
        self._replay_bytes = 0
        self._lock = threading.Lock()
        self._closing = False
        self._context = zmq.Context()
        self._publish_socket = self._bind(zmq.PUB, "endpoint", endpoint)
        self._replay_socket = None
        if replay_endpoint is not None:
            self._replay_socket = self._bind(zmq.ROUTER, "replay_endpoint", replay_endpoint)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="cairn-events", daemon=True)
        self._thread.start()

    def stored(
        self,
        block_hashes: Sequence[bytes | int],
        parent_hash: bytes | int | None,
        token_ids: Sequence[int],
        block_size: int,
        medium: Medium,
        *,
        lora_name: str | None = None,
        cache_salt: str | None = None,
    ) -> None:
        """Consecutive blocks of one chain, in its order; the parent was stored before (None: none).

        A block's hash is the engine's own, as in its own events; bytes are cut as `format` says.
        What has a salt is left out of VLLM_ARRAYS, which indexers would show to everybody.
        """
        if block_size < 1 or len(token_ids) != len(block_hashes) * block_size:
            text = f"token_ids: {len(token_ids)} for {len(block_hashes)} blocks of {block_size}"
            raise CairnError("invalid_argument", text)
        silent = cache_salt is not None and self._format is Format.VLLM_ARRAYS
        if block_hashes and not silent:
            hashes = self._hashes(block_hashes)
            parent = None if parent_hash is None else self._hashes([parent_hash])[0]
            tokens = [int(token) for token in token_ids]
            self._queue(
                Stored(hashes, parent, tokens, block_size, Medium(medium), lora_name, cache_salt)
            )

    def removed(self, block_hashes: Sequence[bytes | int], medium: Medium) -> None:
        if block_hashes:
            self._queue(Removed(self._hashes(block_hashes), Medium(medium)))

    def cleared(self) -> None:
        """Nothing of this engine's is held any more, in any medium."""
        self._queue(Cleared())

    @property
    def endpoint(self) -> str:
        """With the real port."""
        return self._publish_socket.last_endpoint.decode().rstrip("\0")

    @property
    def replay_endpoint(self) -> str | None:
        if self._replay_socket is None:
            return None
        return self._replay_socket.last_endpoint.decode().rstrip("\0")

    @property
    def overflows(self) -> int:
        """How often more waited than may, and all became one `cleared`."""
        return self._overflows

    def close(self) -> None:
        """Sends what waits, for at most CLOSE_S."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join(2 * CLOSE_S)
        os.close(self._wake)

    def __enter__(self) -> "EventPublisher":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _bind(self, kind: int, name: str, endpoint: str) -> "zmq.Socket":
        socket = self._context.socket(kind)
        socket.linger = int(CLOSE_S * 1000)
        socket.sndhwm = SEND_BATCHES_MAX
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            text = f"{name}: cannot bind {endpoint}: {error.strerror}"
            raise CairnError("unavailable", text) from error
        return socket

    def _hashes(self, block_hashes: Sequence[bytes | int]) -> list[int]:
        hashes = [
            one if isinstance(one, int) else self._format.hash_of(one) for one in block_hashes
        ]
        # An indexer refuses the whole batch otherwise, with the events of others in it.
        if any(not -(2**63) <= one < 2**64 for one in hashes):
            raise CairnError("invalid_argument", "block_hashes: an integer of more than 64 bits")
        return hashes

    def _queue(self, event: Event) -> None:
        with self._lock:
            if self._closing:
                return
            if len(self._waiting) == WAITING_EVENTS_MAX:
                self._waiting.clear()
                self._waiting.append(Cleared())
                self._overflows += 1
            else:
                self._waiting.append(event)
            os.eventfd_write(self._wake, 1)

    def _take(self) -> list[Event]:
        with self._lock:
            count = min(BATCH_EVENTS_MAX, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        if self._replay_socket is not None:
            poller.register(self._replay_socket, zmq.POLLIN)
        while not self._closing:
            ready = dict(poller.poll())
            if self._wake in ready:
                os.eventfd_read(self._wake)
            while events := self._take():
                self._send(events)
            if self._replay_socket in ready:
                self._serve_replay()
        while events := self._take():
            self._send(events)
        self._context.destroy(linger=int(CLOSE_S * 1000))

    def _send(self, events: list[Event]) -> None:
        batch = [self._clock(), [self._format.write(event) for event in events], self._rank]
        payload = msgpack.packb(batch)
        number = self._sequence.to_bytes(SEQUENCE_BYTES, "big")
        self._sequence += 1
        self._publish_socket.send_multipart((self._topic, number, payload))
        self._replay.append((number, payload))
        self._replay_bytes += len(payload)
        while len(self._replay) > REPLAY_BATCHES_MAX or self._replay_bytes > REPLAY_BYTES_MAX:
            self._replay_bytes -= len(self._replay.popleft()[1])

    def _serve_replay(self) -> None:
        """[client, empty, first wanted number] -> the batches from it on, then the end mark."""
        frames = self._replay_socket.recv_multipart()
        if len(frames) != 3 or len(frames[2]) != SEQUENCE_BYTES:
            return
        client, _, first = frames
        for number, payload in self._replay:
            if number >= first:
                self._replay_socket.send_multipart((client, b"", self._topic, number, payload))
        self._replay_socket.send_multipart((client, b"", b"", END_OF_REPLAY, b""))
