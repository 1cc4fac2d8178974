"""The few protobuf encodings that a router needs, so that it needs no protobuf package.

A message is a dict of field numbers. What this reader does not know it passes over, as protobuf
does (proto/cairn/v1/coordinator.proto).
"""

from collections.abc import Iterable

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_BYTES = {FIXED64: 8, FIXED32: 4}

Value = int | bytes


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def encode(fields: Iterable[tuple[int, int | bytes | str]]) -> bytes:
    """Zeros and empty values are left out, as proto3 does."""
    message = b""
    for field, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            message += varint(field << 3 | VARINT) + varint(value)
        else:
            text = value.encode() if isinstance(value, str) else value
            message += varint(field << 3 | BYTES) + varint(len(text)) + text
    return message


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 64, 7):
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a varint of more than 10 bytes")


def decode(message: bytes) -> dict[int, list[Value]]:
    """All values of each field, in order. ValueError: no protobuf."""
    fields: dict[int, list[Value]] = {}
    at = 0
    try:
        while at < len(message):
            tag, at = _read_varint(message, at)
            value: Value
            if tag & 7 == VARINT:
                value, at = _read_varint(message, at)
            else:
                length = FIXED_BYTES.get(tag & 7)
                if tag & 7 == BYTES:
                    length, at = _read_varint(message, at)
                if length is None or at + length > len(message):
                    raise ValueError(f"a field of kind {tag & 7} that does not end")
                value = message[at : at + length]
                at += length
            fields.setdefault(tag >> 3, []).append(value)
    except IndexError:
        raise ValueError("a message that does not end") from None
    return fields


def number(fields: dict[int, list[Value]], field: int) -> int:
    value = fields.get(field, [0])[-1]
    return value if isinstance(value, int) else 0


def content(fields: dict[int, list[Value]], field: int) -> bytes:
    value = fields.get(field, [b""])[-1]
    return value if isinstance(value, bytes) else b""


def contents(fields: dict[int, list[Value]], field: int) -> list[bytes]:
    return [value for value in fields.get(field, []) if isinstance(value, bytes)]
