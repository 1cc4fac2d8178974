"""The NVMe tier's log, written from proto/FORMAT.md alone: a writer and a recovery.

Shares no code with the C++ implementation.
"""

import struct
from dataclasses import dataclass, field

import cairn_format as cf
import xxhash
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECTOR = 4096
MIB = 1 << 20
ENTRY_BYTES = 96
GROUP_ENTRIES_MAX = 42
GROUP_BYTES_WANTED = MIB  # where our writer closes a group; a reader takes any
TAG_BYTES = 16

SUPERBLOCK = struct.Struct("<8sHHHHQ16s16s16sQQQII16s")
GROUP = struct.Struct("<4sHH16sQIIII16s")
FOOTER = struct.Struct("<4sHH16sQIIII16s16s")
ENTRY = struct.Struct("<16s16s16s16sIIIIHHIQ")


def canonical_sum(data: bytes) -> bytes:
    return xxhash.xxh3_128_digest(data)


def sealed(head: bytes, rest: bytes = b"") -> bytes:
    """A sector whose head ends in its checksum."""
    sector = (head[:-16] + bytes(16) + rest).ljust(SECTOR, b"\0")
    return head[:-16] + canonical_sum(sector) + sector[len(head) :]


def believed(sector: bytes, layout: struct.Struct) -> bool:
    blank = sector[: layout.size - 16] + bytes(16) + sector[layout.size :]
    return canonical_sum(blank) == sector[layout.size - 16 : layout.size]


@dataclass
class Record:
    key: bytes
    namespace: bytes
    parent: bytes
    tenant: int
    position: int
    payload: bytes
    hints: int = 0


@dataclass
class Entry:
    key: bytes
    namespace: bytes
    checksum: bytes
    parent: bytes
    tenant: int
    length: int
    position: int
    sector: int
    cipher: int
    hints: int

    def pack(self) -> bytes:
        return ENTRY.pack(*self.__dict__.values(), 0, 0)

    @classmethod
    def unpack(cls, data: bytes) -> "Entry | None":
        """None: it breaks a rule."""
        *values, reserved, reserved_too = ENTRY.unpack(data)
        entry = cls(*values)
        begins_run = cf.run_start(entry.position) == entry.position
        good = (
            1 <= entry.length <= 64 * MIB
            and entry.position < 1 << 24
            and (entry.parent == bytes(16)) == begins_run
            and entry.tenant != 0
            and entry.cipher <= 1
            and reserved == reserved_too == 0
        )
        return entry if good else None

    def stored_bytes(self) -> int:
        return self.length + (TAG_BYTES if self.cipher else 0)

    def sectors(self) -> int:
        return -(-self.stored_bytes() // SECTOR)


class Cipher:
    """AES-256-GCM under a key of the tenant and the log."""

    def __init__(self, node_key: bytes, log: bytes):
        self.node_key, self.log = node_key, log

    def record_key(self, tenant: int) -> AESGCM:
        info = b"cairn.v1.record" + struct.pack("<I", tenant)
        return AESGCM(HKDF(SHA256(), 32, self.log, info).derive(self.node_key))

    @staticmethod
    def bound(entry: Entry, generation: int) -> tuple[bytes, bytes]:
        nonce = struct.pack("<QI", generation, entry.sector)
        return nonce, struct.pack(
            "<16s16sII", entry.key, entry.namespace, entry.tenant, entry.length
        )

    def encrypt(self, entry: Entry, generation: int, payload: bytes) -> bytes:
        nonce, associated = self.bound(entry, generation)
        return self.record_key(entry.tenant).encrypt(nonce, payload, associated)

    def decrypt(self, entry: Entry, generation: int, stored: bytes) -> bytes:
        nonce, associated = self.bound(entry, generation)
        return self.record_key(entry.tenant).decrypt(nonce, stored, associated)


def footer_sectors(entries: int) -> int:
    return 1 + -(-entries * ENTRY_BYTES // SECTOR)


class SegmentWriter:
    """One segment, as a process without pauses writes it."""

    def __init__(self, log: "Log", segment: int, generation: int):
        self.log, self.segment, self.generation = log, segment, generation
        self.entries: list[Entry] = []
        self.group: list[Entry] = []
        self.group_sector = self.next = 0

    def append(self, record: Record) -> Entry:
        if not self.group:
            self.group_sector, self.next = self.next, self.next + 1
        checksum = cf.checksum(record.key, record.namespace, record.payload)
        entry = Entry(
            *(record.key, record.namespace, checksum, record.parent, record.tenant),
            *(len(record.payload), record.position, self.next),
            *(1 if self.log.cipher else 0, record.hints),
        )
        stored = record.payload
        if self.log.cipher:
            stored = self.log.cipher.encrypt(entry, self.generation, stored)
        self.log.write(self.segment, self.next, stored.ljust(entry.sectors() * SECTOR, b"\0"))
        self.next += entry.sectors()
        self.group.append(entry)
        self.entries.append(entry)
        full = (self.next - self.group_sector) * SECTOR >= GROUP_BYTES_WANTED
        if full or len(self.group) == GROUP_ENTRIES_MAX:
            self.close_group()
        return entry

    def close_group(self) -> None:
        if not self.group:
            return
        head = GROUP.pack(
            *(b"GRUP", 1, len(self.group), self.log.id, self.generation, self.segment),
            *(self.group_sector, self.next - self.group_sector, 0, bytes(16)),
        )
        entries = b"".join(entry.pack() for entry in self.group)
        self.log.write(self.segment, self.group_sector, sealed(head, entries))
        self.group = []

    def seal(self) -> None:
        self.close_group()
        entries = b"".join(entry.pack() for entry in self.entries)
        first = self.log.sectors - footer_sectors(len(self.entries))
        assert first >= self.next
        head = FOOTER.pack(
            *(b"FOOT", 1, 0, self.log.id, self.generation, self.segment, len(self.entries)),
            *(first, 0, canonical_sum(entries), bytes(16)),
        )
        padded = entries.ljust((self.log.sectors - 1 - first) * SECTOR, b"\0")
        self.log.write(self.segment, first, padded + sealed(head))


@dataclass
class Log:
    """A device with one log on it."""

    id: bytes
    node: bytes
    segments: int
    segment_bytes: int = MIB
    node_key: bytes | None = None
    cluster: bytes = bytes(16)
    incarnation: int = 1
    image: bytearray = field(default_factory=bytearray)

    def __post_init__(self):
        self.image = self.image or bytearray(MIB + self.segments * self.segment_bytes)
        self.cipher = Cipher(self.node_key, self.id) if self.node_key else None
        self.sectors = self.segment_bytes // SECTOR

    def offset(self, segment: int, sector: int) -> int:
        return MIB + segment * self.segment_bytes + sector * SECTOR

    def write(self, segment: int, sector: int, data: bytes) -> None:
        at = self.offset(segment, sector)
        self.image[at : at + len(data)] = data

    def read(self, segment: int, sector: int, sectors: int = 1) -> bytes:
        at = self.offset(segment, sector)
        return bytes(self.image[at : at + sectors * SECTOR])

    def flip(self, segment: int, sector: int, byte: int = 0) -> None:
        self.image[self.offset(segment, sector) + byte] ^= 1

    def write_superblock(self, sequence: int) -> None:
        head = SUPERBLOCK.pack(
            *(b"CAIRNLOG", 1, 0, 1, 0, sequence, self.cluster, self.node, self.id),
            *(self.incarnation, 0, self.segment_bytes, self.segments, 0, bytes(16)),
        )
        at = sequence % 2 * SECTOR
        self.image[at : at + SECTOR] = sealed(head)


@dataclass
class Told:
    """A record that recovery tells."""

    segment: int
    generation: int
    entry: Entry
    payload: bytes | None  # None: it does not read


@dataclass
class Recovery:
    """What a log holds. Only the log's image is looked at, and the key of the node."""

    image: bytes
    node_key: bytes | None = None
    told: list[Told] = field(default_factory=list)
    segments_sealed: int = 0
    segments_scanned: int = 0
    footers_damaged: int = 0
    tails_torn: int = 0
    records_damaged: int = 0

    def __post_init__(self):
        superblock = self.newest_superblock()
        self.log = Log(
            id=superblock[8],
            node=superblock[7],
            segments=superblock[12],
            segment_bytes=superblock[11],
            node_key=self.node_key,
            image=bytearray(self.image),
        )
        looks = [(self.look(segment), segment) for segment in range(self.log.segments)]
        for (generation, footer), segment in sorted(looks, key=lambda look: look[0][0]):
            if generation and not (footer and self.tell_footer(segment, generation, footer)):
                self.scan(segment, generation)

    def newest_superblock(self) -> tuple:
        copies = [self.image[at : at + SECTOR] for at in (0, SECTOR)]
        good = [
            SUPERBLOCK.unpack(copy[: SUPERBLOCK.size])
            for copy in copies
            if copy[:8] == b"CAIRNLOG" and believed(copy, SUPERBLOCK)
        ]
        newest = max(good, key=lambda superblock: superblock[5])
        assert newest[1] == 1
        return newest

    def look(self, segment: int) -> tuple[int, tuple | None]:
        """The segment's generation, and its footer if that counts."""
        group = self.group_at(segment, 0)
        first = group[4] if group else 0
        sector = self.log.read(segment, self.log.sectors - 1)
        footer = FOOTER.unpack(sector[: FOOTER.size])
        ours = (footer[0], footer[1], footer[3], footer[5]) == (b"FOOT", 1, self.log.id, segment)
        if ours and not believed(sector, FOOTER):
            self.footers_damaged += 1
        if ours and believed(sector, FOOTER) and footer[4] >= first:
            return footer[4], footer
        return first, None

    def tell_footer(self, segment: int, generation: int, footer: tuple) -> bool:
        count, first = footer[6], footer[7]
        assert first + footer_sectors(count) == self.log.sectors
        data = self.log.read(segment, first, self.log.sectors - first)[: count * ENTRY_BYTES]
        entries = [
            Entry.unpack(data[at : at + ENTRY_BYTES]) for at in range(0, len(data), ENTRY_BYTES)
        ]
        if canonical_sum(data) != footer[9] or None in entries:
            self.footers_damaged += 1
            return False
        for entry in entries:
            payload = self.open(segment, generation, entry)
            self.told.append(Told(segment, generation, entry, payload))
        self.segments_sealed += 1
        return True

    def group_at(self, segment: int, sector: int, generation: int = 0) -> tuple | None:
        data = self.log.read(segment, sector)
        head = GROUP.unpack(data[: GROUP.size])
        magic, version, _, log, found, in_segment, at, *_ = head
        if (magic, version, log, in_segment, at) != (b"GRUP", 1, self.log.id, segment, sector):
            return None
        if generation and found != generation:
            return None
        if not believed(data, GROUP):
            self.tails_torn += bool(generation)
            return None
        return head

    def scan(self, segment: int, generation: int) -> None:
        sector = 0
        while sector < self.log.sectors and (head := self.group_at(segment, sector, generation)):
            data = self.log.read(segment, sector)[GROUP.size :]
            for at in range(0, head[2] * ENTRY_BYTES, ENTRY_BYTES):
                entry = Entry.unpack(data[at : at + ENTRY_BYTES])
                payload = self.open(segment, generation, entry)
                if payload is None:
                    self.records_damaged += 1
                else:
                    self.told.append(Told(segment, generation, entry, payload))
            sector += head[7]
        self.segments_scanned += 1

    def open(self, segment: int, generation: int, entry: Entry) -> bytes | None:
        stored = self.log.read(segment, entry.sector, entry.sectors())[: entry.stored_bytes()]
        if entry.cipher:
            if not self.log.cipher:
                return None
            try:
                stored = self.log.cipher.decrypt(entry, generation, stored)
            except InvalidTag:
                return None
        good = cf.checksum(entry.key, entry.namespace, stored) == entry.checksum
        return stored if good else None
