"""Cairn's formats, written from proto/FORMAT.md alone.

Shares no code with the C++ implementation: where both give the same bytes, the
document is right and complete.
"""

import hashlib
import hmac
import struct

import xxhash
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAMESPACE_FIELDS = (
    ("model", "text"),
    ("model_digest", "bytes"),
    ("adapter_digest", "bytes"),
    ("kv_dtype", "text"),
    ("layout", "text"),
    ("layers", "number"),
    ("kv_heads", "number"),
    ("head_size", "number"),
    ("tokens_per_block", "number"),
    ("tensor_parallel_rank", "number"),
    ("tensor_parallel_size", "count"),
    ("pipeline_rank", "number"),
    ("pipeline_size", "count"),
    ("cache_group", "number"),
    ("hash_scheme", "text"),
    ("block_bytes", "number"),
)


def canonical_field(kind: str, value) -> bytes:
    if kind == "text":
        return (value or "").encode()
    if kind == "bytes":
        return bytes.fromhex(value or "")
    number = value or 0
    return struct.pack("<I", max(1, number) if kind == "count" else number)


def canonical_namespace(fields: dict) -> bytes:
    form = b"cairn.v1.namespace"
    for number, (name, kind) in enumerate(NAMESPACE_FIELDS, start=1):
        value = canonical_field(kind, fields.get(name))
        form += struct.pack("<HI", number, len(value)) + value
    return form


def namespace_id(fields: dict) -> bytes:
    return hashlib.sha256(canonical_namespace(fields)).digest()[:16]


def block_key(secret: bytes, namespace: bytes, block_hash: bytes) -> bytes:
    message = (b"cairn.v1.block" + namespace).ljust(64, b"\0")
    message += bytes([len(block_hash)]) + block_hash
    return hmac.new(secret, message, hashlib.sha256).digest()[:16]


def credential(secret: bytes) -> bytes:
    return hmac.new(secret, b"cairn.v1.auth", hashlib.sha256).digest()


def checksum(key: bytes, namespace: bytes, payload: bytes) -> bytes:
    identity = key + namespace + struct.pack("<I", len(payload))
    return xxhash.xxh3_128_digest(identity + payload)


def vector_payload(length: int) -> bytes:
    """The payload of the checksum vectors: byte i is (131 * i + i // 256) % 256."""
    return bytes((131 * i + i // 256) % 256 for i in range(length))


def token_claims(claims: dict, version: int = 1, reserved: int = 0) -> bytes:
    return b"CTOK" + struct.pack(
        "<HHIIqq16sQQ",
        version,
        reserved,
        claims["tenant"],
        claims["rights"],
        claims["not_before_unix_s"],
        claims["expiry_unix_s"],
        bytes.fromhex(claims["client"]),
        claims["inflight_bytes_max"],
        0,
    )


def sign_token(seed: bytes, signed: bytes) -> bytes:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return signed + key.sign(b"cairn.v1.token" + signed)


def public_key(seed: bytes) -> bytes:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def run_start(position: int) -> int:
    """The head of the run: 0, 1, 2-3, 4-7, 8-15, 16-31, then 32 blocks each."""
    if position == 0:
        return 0
    if position < 32:
        return 1 << (position.bit_length() - 1)
    return position // 32 * 32


def identifier(first: int) -> bytes:
    """16 bytes that count up: the identifiers of the sample messages."""
    return bytes(range(first, first + 16))


def message(kind: int, body: bytes) -> bytes:
    return b"CIRN" + struct.pack("<HHII", 1, kind, 16 + len(body), 0) + body


INCARNATION = 0x1112131415161718
MIB = 1 << 20


def sample_messages() -> dict[str, bytes]:
    """One of each message, with the values of sample_messages.cc."""
    ns = identifier(0x20)
    keys = [identifier(0x30), identifier(0x40), identifier(0x50)]
    token = bytes((3 * i + 1) % 256 for i in range(128))
    hello = struct.pack("<HHHHQ16s", 1, 1, 1, 0, 1, identifier(0x10)) + token
    hello_reply = struct.pack("<HHIQQQIIII", 0, 1, 0, 1, INCARNATION, 64 * MIB, 256, 128, 3, 60000)
    ping = struct.pack("<QQ", 0x0102030405060708, INCARNATION)
    pin = struct.pack("<QQQ16sIIQ", 7, INCARNATION, 9, ns, 3, 30000, 250000)
    pin_reply = struct.pack("<QQQHHI", 7, 9, INCARNATION, 0, 0, 3)
    fetch = struct.pack("<QQQ16sQHHI", 8, INCARNATION, 9, ns, 5000, 1, 0, 2)
    fetch += struct.pack("<16sII", keys[0], MIB, 65536)
    fetch += struct.pack("<16sII", keys[1], 100, 0)
    fetch_reply = struct.pack("<QQII", 8, INCARNATION, 2, 0)
    fetch_reply += struct.pack("<HHHH", 0, 1, 5, 8)
    put_reply = struct.pack("<QQHHI", 11, INCARNATION, 4, 0, 20)
    data = b"DATA" + struct.pack(
        "<HHQQIIII16s",
        *(1, 1, 8, INCARNATION, 65536, 65536, MIB, 0, identifier(0x60)),
    )
    put = b"PUT_" + struct.pack("<HHQQ", 1, 1, 11, INCARNATION)
    put += keys[1] + keys[0] + ns + identifier(0x60)
    put += struct.pack("<IIQ", 33, 4096, 250000)
    return {
        "hello": message(1, hello),
        "hello_reply": message(2, hello_reply),
        "ping": message(3, ping),
        "pong": message(4, ping),
        "pin": message(5, pin + b"".join(keys)),
        "pin_reply": message(6, pin_reply + bytes([0b011]).ljust(32, b"\0")),
        "fetch": message(7, fetch),
        "fetch_reply": message(8, fetch_reply),
        "release": message(9, struct.pack("<Q", 9)),
        "put_reply": message(10, put_reply),
        "cancel": message(11, struct.pack("<Q", 8)),
        "goodbye": message(12, b""),
        "suspect": message(13, struct.pack("<Q", INCARNATION) + ns + keys[1]),
        "data": data,
        "put": put,
    }


def inventory(changes: list[dict]) -> bytes:
    return b"".join(
        bytes.fromhex(change["key"])
        + struct.pack("<IHH", change["tenant"], change["reactor"], change["change"])
        for change in changes
    )
