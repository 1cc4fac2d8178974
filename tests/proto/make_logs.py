"""Writes tests/data/logs/v1/: golden logs of the first version, and what they hold.

Run it only when version 1 turns out to be written wrongly; a new version gets a folder of its own,
and this one stays. NAME.extents is the device: its size, u64, then per run of bytes offset:u64,
length:u32 and the bytes; the rest is zeros. NAME.json is what a reader finds.
"""

import hashlib
import json
import pathlib
import struct

import cairn_format as cf
import cairn_log as cl

LOGS = pathlib.Path(__file__).parent.parent / "data" / "logs" / "v1"
NODE = cf.identifier(0x50)
LOG = cf.identifier(0x70)
NODE_KEY = bytes(range(0x40, 0x60))
GAP_BYTES = 32  # of zeros between two runs


def extents(image: bytes) -> bytes:
    packed, at = struct.pack("<Q", len(image)), 0
    while at < len(image):
        if image[at] == 0:
            following = image[at : at + cl.SECTOR].lstrip(b"\0")
            at += min(cl.SECTOR, len(image) - at) - len(following)
            continue
        end = image.find(bytes(GAP_BYTES), at)
        end = len(image) if end < 0 else end
        packed += struct.pack("<QI", at, end - at) + image[at:end]
        at = end
    return packed


def image_of(packed: bytes) -> bytes:
    image = bytearray(struct.unpack_from("<Q", packed)[0])
    at = 8
    while at < len(packed):
        offset, length = struct.unpack_from("<QI", packed, at)
        at += 12
        image[offset : offset + length] = packed[at : at + length]
        at += length
    return bytes(image)


def payload(key: bytes, length: int) -> bytes:
    """Byte i is (131 * i + i // 256 + the key's first byte) % 256."""
    return bytes((131 * i + i // 256 + key[0]) % 256 for i in range(length))


def key(number: int) -> bytes:
    return hashlib.sha256(b"block %d" % number).digest()[:16]


def record(number: int, length: int) -> cl.Record:
    """One of a chain: its parent is the record before it, but for heads of runs."""
    head = cf.run_start(number) == number
    return cl.Record(
        key=key(number),
        namespace=cf.identifier(0x20),
        parent=bytes(16) if head else key(number - 1),
        tenant=7 + number // 40,
        position=number,
        payload=payload(key(number), length),
        hints=number % 4,
    )


def length_of(number: int) -> int:
    """Mostly short; around a sector's end, with and without a tag; several sectors."""
    return {0: 1, 3: 4095, 5: 4096, 7: 4097, 9: 4080, 11: 4081, 13: 10000}.get(number, 50 + number)


def fresh(node_key: bytes | None) -> cl.Log:
    """By a process that made a log, wrote 50 records without a pause and ended in order."""
    log = cl.Log(LOG, NODE, segments=5, node_key=node_key, incarnation=9)
    for sequence in (1, 2):
        log.write_superblock(sequence)
    writer = cl.SegmentWriter(log, segment=0, generation=(2 << 32) + 1)
    for number in range(50):
        writer.append(record(number, length_of(number)))
    writer.seal()
    return log


def fill(log: cl.Log, segment: int, generation: int, numbers) -> cl.SegmentWriter:
    writer = cl.SegmentWriter(log, segment, generation)
    for number in numbers:
        writer.append(record(number, length_of(number)))
    return writer


def worn() -> cl.Log:
    """Of a log with several lives and as many misfortunes."""
    log = cl.Log(LOG, NODE, segments=6, incarnation=12)
    log.write_superblock(7)
    log.write_superblock(8)
    log.image[40] ^= 1  # the newer copy is damaged

    healthy = fill(log, 0, (3 << 32) + 1, range(45))
    healthy.seal()
    log.flip(0, healthy.entries[20].sector, byte=5)  # a payload has rotted

    fill(log, 1, (3 << 32) + 2, range(50, 60)).seal()  # an earlier life of the segment
    tail = fill(log, 1, (7 << 32) + 1, range(60, 63))
    tail.close_group()
    for number in (63, 13):
        tail.append(record(number, length_of(number)))
    tail.close_group()
    lost = tail.entries[-1].sector + 1  # one sector of a payload
    log.write(1, lost, bytes(cl.SECTOR))
    torn = tail.next
    tail.append(record(64, 100))
    tail.close_group()
    log.flip(1, torn, byte=200)  # the next group's entries

    fill(log, 2, (5 << 32) + 1, (44, 70, 71)).seal()  # 44 again: the later one counts
    log.flip(2, log.sectors - 1, byte=100)  # footer

    rotten = fill(log, 3, (5 << 32) + 2, range(80, 84))
    rotten.seal()
    log.flip(3, log.sectors - 2, byte=30)  # footer_entries
    log.flip(3, rotten.entries[2].sector)  # and a payload

    other = cl.Log(cf.identifier(0x71), NODE, segments=6, image=log.image)
    fill(other, 5, (9 << 32) + 1, range(90, 93)).seal()  # of a log that was here before
    return log


MADE = {
    "fresh": (fresh(None), None),
    "fresh_encrypted": (fresh(NODE_KEY), NODE_KEY),
    "worn": (worn(), None),
}


def manifest(name: str) -> dict:
    log, node_key = MADE[name]
    found = cl.Recovery(bytes(log.image), node_key)
    counters = ("segments_sealed", "segments_scanned", "footers_damaged", "tails_torn")
    return {
        "node": NODE.hex(),
        "log": LOG.hex(),
        "node_key": node_key.hex() if node_key else "",
        "segments": log.segments,
        "segment_bytes": log.segment_bytes,
        "incarnation": log.incarnation,
        "counters": {
            counter: getattr(found, counter) for counter in (*counters, "records_damaged")
        },
        "records": [
            {
                "segment": told.segment,
                "generation": told.generation,
                "sector": told.entry.sector,
                "key": told.entry.key.hex(),
                "namespace": told.entry.namespace.hex(),
                "parent": told.entry.parent.hex(),
                "checksum": told.entry.checksum.hex(),
                "tenant": told.entry.tenant,
                "position": told.entry.position,
                "length": told.entry.length,
                "cipher": told.entry.cipher,
                "hints": told.entry.hints,
                "reads": told.payload is not None,
            }
            for told in found.told
        ],
    }


def render(found: dict) -> bytes:
    """A record a line."""
    records = ",\n".join(json.dumps(each) for each in found.pop("records"))
    return f'{json.dumps(found)[:-1]}, "records": [\n{records}\n]}}\n'.encode()


def files() -> dict[str, bytes]:
    made = {}
    for name, (log, _) in MADE.items():
        made[f"{name}.extents"] = extents(bytes(log.image))
        made[f"{name}.json"] = render(manifest(name))
    return made


if __name__ == "__main__":
    LOGS.mkdir(parents=True, exist_ok=True)
    for file_name, content in files().items():
        (LOGS / file_name).write_bytes(content)
