"""Writes corpus/, the fuzzers' seeds, from the test vectors and the golden logs.

Run it after tests/proto/make_vectors.py and make_logs.py. Fewest seeds that reach every decoder;
what a fuzzer finds beyond them stays in the build folder.
"""

import json
import shutil
import struct
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "proto"))
import cairn_log as cl  # noqa: E402
import make_logs  # noqa: E402

VECTORS = HERE.parent / "data" / "vectors"
HEADER_BYTES = 16  # of a message
BULK_BYTES = {"data": 65536, "put": 4096}  # of the samples, as their headers say


def load(name: str):
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def protobuf(fields: dict, numbers: dict[str, int]) -> bytes:
    """The namespace as a protobuf, by hand: seeds need no generated code."""
    encoded = b""
    for name, value in fields.items():
        if isinstance(value, int):
            encoded += varint(numbers[name] << 3) + varint(value)
            continue
        data = bytes.fromhex(value) if name.endswith("_digest") else value.encode()
        encoded += varint(numbers[name] << 3 | 2) + varint(len(data)) + data
    return encoded


def namespace_numbers() -> dict[str, int]:
    lines = (
        (HERE.parents[1] / "proto" / "cairn" / "v1" / "namespace.proto")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    fields = [line.split(";")[0].split() for line in lines if line.startswith("  ")]
    return {name: int(number) for _, name, _, number in fields}


def log_sectors() -> dict[str, dict[str, bytes]]:
    """The first sector of each kind of the golden log, without the zeros behind it."""
    log = make_logs.image_of((make_logs.LOGS / "fresh.extents").read_bytes())
    sector = cl.SECTOR
    segment = log[cl.MIB : 2 * cl.MIB]
    footer = cl.FOOTER.size
    count = cl.FOOTER.unpack(segment[-sector:][:footer])[6]
    first = len(segment) - cl.footer_sectors(count) * sector
    entries = segment[first : first + count * cl.ENTRY_BYTES]
    return {
        "fuzz_log_superblock": {
            "even": log[: cl.SUPERBLOCK.size],
            "odd": log[sector:][: cl.SUPERBLOCK.size],
        },
        "fuzz_log_group": {
            "group": segment[:sector],
            "head": segment[: cl.GROUP.size + cl.ENTRY_BYTES],
        },
        "fuzz_log_footer": {
            "footer": segment[-sector:][:footer] + entries,
            "short": segment[-sector:][:footer] + entries[:-1],
        },
    }


def seeds() -> dict[str, dict[str, bytes]]:
    messages = {name: bytes.fromhex(text) for name, text in load("messages").items()}
    bulks = {name: struct.pack("<Q", BULK_BYTES[name]) + messages.pop(name) for name in BULK_BYTES}
    namespaces, tokens, inventory = load("namespaces"), load("tokens"), load("inventory")
    numbers = namespace_numbers()
    accepted = {
        entry["name"]: protobuf(entry["fields"], numbers) for entry in namespaces["accepted"]
    }
    token = bytes.fromhex(tokens["accepted"]["token"])
    changes = bytes.fromhex(inventory["bytes"])
    handshake = {name: messages[name][HEADER_BYTES:] for name in ("hello", "hello_reply")}
    return log_sectors() | {
        "fuzz_wire_message": messages,
        "fuzz_hello": handshake,
        "fuzz_data_header": {"data": bulks["data"], "short": bulks["data"][:-1]},
        "fuzz_put_header": {"put": bulks["put"], "short": bulks["put"][:-1]},
        "fuzz_token": {"token": token, "claims": token[:64]},
        "fuzz_inventory": {"changes": changes, "short": changes[:-1]},
        "fuzz_namespace": {
            "one_rank": accepted["one rank"],
            "every_field": accepted["every field"],
            "unknown_field": accepted["one rank"] + varint(17 << 3) + varint(1),
        },
    }


if __name__ == "__main__":
    for target, files in seeds().items():
        folder = HERE / "corpus" / target
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file_name, seed in files.items():
            (folder / file_name).write_bytes(seed)
