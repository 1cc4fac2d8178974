"""FORMAT.md's layouts add up, and cut the golden messages into the fields that it names."""

import json
import re
from pathlib import Path

import cairn_format as cf
import pytest

ROOT = Path(__file__).parents[2]
FORMAT = (ROOT / "proto" / "FORMAT.md").read_text(encoding="utf-8")
MESSAGES = json.loads((ROOT / "tests/data/vectors/messages.json").read_text(encoding="utf-8"))

WIDTHS = {"u16": 2, "u32": 4, "u64": 8, "i64": 8, "id": 16}
PRODUCTION = re.compile(r"^ {4}(\w+)\((\d+)\) +:= (.*(?:\n {8,}.*)*)", re.MULTILINE)

# What follows the fixed part: the name of the count, and the bytes of one item.
ITEMS = {
    "pin": ("block_count", 16),
    "fetch": ("block_count", 24),
    "fetch_reply": ("failure_count", 4),
}


def layouts() -> dict[str, tuple[int, list[tuple[str, int]]]]:
    """Per name: the declared size, and (field, bytes) in order, the header as one field."""
    found = {}
    for name, size, body in PRODUCTION.findall(FORMAT):
        fields = []
        for word in body.split(",")[0].split():
            field, _, kind = word.partition(":")
            fixed = re.fullmatch(r"\[(\d+)\]", kind)
            if not kind:
                fields.append((field, found[field][0]))
            else:
                fields.append((field, int(fixed[1]) if fixed else WIDTHS[kind]))
        found[name] = (int(size), fields)
    return found


LAYOUTS = layouts()


def cut(name: str, message: bytes) -> dict[str, int]:
    values, offset = {}, 0
    for field, size in LAYOUTS[name][1]:
        values[field] = int.from_bytes(message[offset : offset + size], "little")
        offset += size
    return values


def test_every_message_has_a_layout():
    assert set(MESSAGES) <= set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_fields_add_up_to_the_declared_size(name):
    size, fields = LAYOUTS[name]
    assert sum(width for _, width in fields) == size


@pytest.mark.parametrize("name", MESSAGES)
def test_golden_message_has_the_documented_length(name):
    message = bytes.fromhex(MESSAGES[name])
    length = LAYOUTS[name][0]
    if name in ITEMS:
        count, item_bytes = ITEMS[name]
        length += cut(name, message)[count] * item_bytes
    assert len(message) == length


@pytest.mark.parametrize("name", MESSAGES)
def test_reserved_fields_of_golden_messages_are_zero(name):
    assert cut(name, bytes.fromhex(MESSAGES[name])).get("reserved", 0) == 0


@pytest.mark.parametrize("name", [name for name in MESSAGES if name not in ("data", "put")])
def test_type_of_a_golden_message_is_that_of_the_table(name):
    number = int.from_bytes(bytes.fromhex(MESSAGES[name])[6:8], "little")
    assert f"| {number} | {name} |" in FORMAT


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("hello", "features", 1),
        ("hello_reply", "lease_ms_max", 60000),
        ("ping", "nonce", 0x0102030405060708),
        ("pin", "budget_us", 250000),
        ("pin_reply", "held", 0b011),
        ("fetch", "urgency", 1),
        ("fetch_reply", "incarnation", cf.INCARNATION),
        ("put_reply", "retry_after_ms", 20),
        ("data", "block_bytes", 1 << 20),
        ("put", "position", 33),
    ],
)
def test_documented_field_holds_the_samples_value(name, field, value):
    assert cut(name, bytes.fromhex(MESSAGES[name]))[field] == value
