"""Asks coordinators what Cairn holds: MatchPrefix for a prompt, Watch for what changes.

A hint, never a promise: the engine that is chosen matches and pins for itself.
"""

import dataclasses
import enum
import functools
import hashlib
import hmac
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from cairn.errors import BackPressure, CairnError
from cairn.namespace import Namespace
from cairn.routers import protobuf

try:
    import grpc
except ImportError as missing:
    raise ImportError("cairn.routers.coordinator needs grpcio: pip install grpcio") from missing

Answer = TypeVar("Answer")

SERVICE = "/cairn.v1.Coordinator/"
BLOCK_HASH_BYTES_MAX = 64
MESSAGE_BYTES_MAX = 16 << 20
RIGHT_READ = 1
# A later coordinator may know more codes than this package.
CODES = {code.value[0]: code.name.lower() for code in grpc.StatusCode}
# In proto/cairn/v1/namespace.proto's order, from 1 on.
NAMESPACE_FIELDS = (
    "model",
    "model_digest",
    "adapter_digest",
    "kv_dtype",
    "layout",
    "layers",
    "kv_heads",
    "head_size",
    "tokens_per_block",
    "tensor_parallel_rank",
    "tensor_parallel_size",
    "pipeline_rank",
    "pipeline_size",
    "cache_group",
    "hash_scheme",
    "block_bytes",
)


class Tier(enum.IntEnum):
    DRAM = 0
    NVME = 1


class Kind(enum.IntEnum):
    STORED = 0
    REMOVED = 1
    NODE_CLEARED = 2


@dataclasses.dataclass(frozen=True)
class Position:
    """What a watch goes on behind: at the coordinator that gave it, for a minute or more."""

    epoch: int = 0
    sequence: int = 0


@dataclasses.dataclass(frozen=True)
class NodeShare:
    node: bytes
    leading_blocks: int  # of the chain, held by this node alone
    dram_blocks: int  # of the prefix, in its memory
    nvme_blocks: int  # of the prefix, on its drives alone


@dataclasses.dataclass(frozen=True)
class PrefixMatch:
    blocks: int  # the longest prefix that the ready nodes hold between them
    dram_blocks: int  # of it, from the start on, in some node's memory
    nodes: tuple[NodeShare, ...]
    position: Position  # a watch's changes up to here are in the answer; zeros: nobody watches


@dataclasses.dataclass(frozen=True)
class Change:
    kind: Kind
    node: bytes
    tier: Tier
    key: bytes  # as Router.key makes it; empty with NODE_CLEARED


@dataclasses.dataclass(frozen=True)
class Changes:
    position: Position  # of the last change
    gap: bool  # changes before these are lost: forget all, ask match
    changes: tuple[Change, ...]


class Router:
    """One tenant's and namespace's view of a cluster. Thread-safe.

    coordinators: "host:port,host:port", tried in order. With ca_file or certificate_file they speak
    TLS. Engines with several ranks keep each rank's blocks in a namespace of its own: ask for one
    rank, the others hold the same prefix or the engine takes none of it.
    """

    def __init__(
        self,
        coordinators: str,
        namespace: Namespace,
        tenant_file: str | Path,
        *,
        timeout_s: float = 1.0,
        ca_file: str | None = None,
        certificate_file: str | None = None,
        key_file: str | None = None,
    ) -> None:
        tenant, secret = _read_tenant(Path(tenant_file))
        credentials = _credentials(ca_file, certificate_file, key_file)
        self._secret = secret
        self._timeout_s = timeout_s
        opening = _opening(tenant, secret, namespace)
        addresses = [address.strip() for address in coordinators.split(",") if address.strip()]
        if not addresses:
            raise CairnError("invalid_argument", 'coordinators: empty; give "host:port"')
        self._closed = False
        self._coordinators = [_Coordinator(one, credentials, opening) for one in addresses]

    def match(self, block_hashes: Sequence[bytes]) -> PrefixMatch:
        """How much of the chain of these block hashes is held; ends by timeout_s."""
        if not block_hashes:
            return PrefixMatch(0, 0, (), Position())

        def ask(coordinator: _Coordinator, deadline: float) -> PrefixMatch:
            namespace_id = coordinator.session(deadline).namespace_id
            keys = b"".join(self._key(namespace_id, one) for one in block_hashes)
            return _prefix_match(coordinator.call("MatchPrefix", [(2, keys)], deadline))

        return self._first(ask)

    def key(self, block_hash: bytes) -> bytes:
        """What Change.key is for this block: asks a coordinator the first time."""
        return self._key(self._first(_Coordinator.session).namespace_id, block_hash)

    def watch(self, behind: Position | None = None) -> Iterator[Changes]:
        """Changes as they come, until close(). The first value comes at once and has none.

        Goes on by itself when its token expires or a coordinator stops; what was lost then shows as
        a gap. BackPressure: read too slowly, or too many watch. CairnError: no coordinator answers;
        watch again behind the last position.
        """
        position = behind or Position()
        while True:
            begin = functools.partial(_Coordinator.watch, position=position)
            coordinator, stream = self._first(begin)
            try:
                for reply in stream:
                    changes = _changes(reply)
                    position = changes.position
                    yield changes
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.CANCELLED:
                    return
                if error.code() not in _GO_ON:
                    raise _error(error) from error
                coordinator.forget_session()  # so that the next round asks whether it lives
            finally:
                stream.cancel()

    def close(self) -> None:
        """Ends every watch."""
        self._closed = True
        for coordinator in self._coordinators:
            coordinator.close()

    def __enter__(self) -> "Router":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _key(self, namespace_id: bytes, block_hash: bytes) -> bytes:
        if not 0 < len(block_hash) <= BLOCK_HASH_BYTES_MAX:
            text = f"block_hash: {len(block_hash)} bytes; 1 to {BLOCK_HASH_BYTES_MAX}"
            raise CairnError("invalid_argument", text)
        constant = (b"cairn.v1.block" + namespace_id).ljust(64, b"\0")
        message = constant + bytes([len(block_hash)]) + block_hash
        return hmac.digest(self._secret, message, hashlib.sha256)[:16]

    def _first(self, ask: "Callable[[_Coordinator, float], Answer]") -> Answer:
        """The first coordinator's answer; the deadline is for all of them."""
        deadline = time.monotonic() + self._timeout_s
        failures = []
        for coordinator in self._coordinators:
            try:
                return ask(coordinator, deadline)
            except grpc.RpcError as error:
                if error.code() not in _ASK_ANOTHER:
                    raise _error(error) from error
                failures.append(f"{coordinator.address}: {error.details()}")
            except ValueError:  # gRPC's word for a channel that was closed meanwhile
                if not self._closed:
                    raise
                raise CairnError("cancelled", "the router was closed") from None
        raise CairnError("unavailable", "no coordinator answers: " + "; ".join(failures))


@dataclasses.dataclass(frozen=True)
class _Session:
    token: bytes
    namespace_id: bytes
    renew_at: float


class _Coordinator:
    """A channel to one coordinator and the session that it opened: tokens are good there alone."""

    def __init__(
        self, address: str, credentials: "grpc.ChannelCredentials | None", opening: list[tuple]
    ) -> None:
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.keepalive_time_ms", 10_000),  # a watch alone would not see that its peer is gone
        ]
        self.address = address
        self._opening = opening
        self._session: _Session | None = None
        self._lock = threading.Lock()
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)

    def call(self, method: str, fields: list[tuple[int, bytes]], deadline: float) -> bytes:
        """With our token; once more with a new one, should the coordinator not know it any more."""
        request = [(1, self.session(deadline).token), *fields]
        try:
            return self._call(method, request, deadline)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAUTHENTICATED:
                raise
        self.forget_session()
        request = [(1, self.session(deadline).token), *fields]
        return self._call(method, request, deadline)

    def session(self, deadline: float) -> _Session:
        with self._lock:
            if self._session is None or time.monotonic() > self._session.renew_at:
                reply = protobuf.decode(self._call("OpenSession", self._opening, deadline))
                lifetime_s = protobuf.number(reply, 2) / 1000
                self._session = _Session(
                    protobuf.content(reply, 1),
                    protobuf.content(reply, 3),
                    time.monotonic() + lifetime_s / 2,
                )
            return self._session

    def forget_session(self) -> None:
        with self._lock:
            self._session = None

    def watch(self, deadline: float, position: Position):
        """This coordinator and the stream of its replies."""
        token = self.session(deadline).token
        request = [(1, token), (2, position.epoch), (3, position.sequence)]
        stream = self._channel.unary_stream(SERVICE + "Watch")(protobuf.encode(request))
        return self, stream

    def _call(self, method: str, fields, deadline: float) -> bytes:
        timeout_s = max(0.0, deadline - time.monotonic())
        request = protobuf.encode(fields)
        return self._channel.unary_unary(SERVICE + method)(request, timeout=timeout_s)

    def close(self) -> None:
        self._channel.close()


# The stream ended for a reason that another one does not have.
_GO_ON = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
_ASK_ANOTHER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def _error(error: "grpc.RpcError") -> CairnError:
    code = CODES.get(error.code().value[0], "unknown")
    kind = BackPressure if code == "resource_exhausted" else CairnError
    return kind(code, error.details())


def _read_tenant(path: Path) -> tuple[str, bytes]:
    words = path.read_text().split()
    if len(words) != 3 or words[0] != "cairn-tenant-v1":
        text = f"{path}: not a tenant file; make one with `cairn tenant add NAME --out FILE`"
        raise CairnError("invalid_argument", text)
    return words[1], bytes.fromhex(words[2])


def _credentials(
    ca_file: str | None, certificate_file: str | None, key_file: str | None
) -> "grpc.ChannelCredentials | None":
    if not ca_file and not certificate_file:
        return None
    parts = [Path(file).read_bytes() if file else None for file in (ca_file, key_file)]
    certificate = Path(certificate_file).read_bytes() if certificate_file else None
    return grpc.ssl_channel_credentials(parts[0], parts[1], certificate)


def _opening(tenant: str, secret: bytes, namespace: Namespace) -> list[tuple]:
    fields = enumerate((getattr(namespace, name) for name in NAMESPACE_FIELDS), start=1)
    credential = hmac.digest(secret, b"cairn.v1.auth", hashlib.sha256)
    return [
        (1, tenant),
        (2, credential),
        (3, os.urandom(16)),
        (4, protobuf.encode(fields)),
        (5, RIGHT_READ),
    ]


def _prefix_match(reply: bytes) -> PrefixMatch:
    fields = protobuf.decode(reply)
    nodes = [protobuf.decode(node) for node in protobuf.contents(fields, 3)]
    return PrefixMatch(
        protobuf.number(fields, 1),
        protobuf.number(fields, 2),
        tuple(
            NodeShare(
                protobuf.content(node, 1), *(protobuf.number(node, field) for field in (2, 3, 4))
            )
            for node in nodes
        ),
        Position(protobuf.number(fields, 4), protobuf.number(fields, 5)),
    )


def _changes(reply: bytes) -> Changes:
    fields = protobuf.decode(reply)
    nodes = protobuf.contents(fields, 4)
    changes = [protobuf.decode(change) for change in protobuf.contents(fields, 5)]
    return Changes(
        Position(protobuf.number(fields, 1), protobuf.number(fields, 2)),
        protobuf.number(fields, 3) != 0,
        tuple(
            Change(
                Kind(protobuf.number(change, 1)),
                nodes[protobuf.number(change, 2)],
                Tier(protobuf.number(change, 3)),
                protobuf.content(change, 4),
            )
            for change in changes
        ),
    )
