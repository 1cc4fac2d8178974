"""The golden logs are what FORMAT.md says; the C++ tests read and write the same files."""

import json

import cairn_format as cf
import cairn_log as cl
import make_logs
import pytest
from format_test import LAYOUTS, cut

SECTORS = {b"CAIR": "superblock", b"GRUP": "group", b"FOOT": "footer"}


def image(name: str) -> bytes:
    return make_logs.image_of((make_logs.LOGS / f"{name}.extents").read_bytes())


def expected(name: str) -> dict:
    return json.loads((make_logs.LOGS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", make_logs.files())
def test_golden_files_are_what_the_python_implementation_makes(name):
    assert (make_logs.LOGS / name).read_bytes() == make_logs.files()[name]


@pytest.mark.parametrize("name", make_logs.MADE)
def test_extents_give_the_whole_image(name):
    assert image(name) == bytes(make_logs.MADE[name][0].image)


@pytest.mark.parametrize("name", make_logs.MADE)
def test_sectors_of_metadata_have_the_documented_fields(name):
    log, seen = image(name), set()
    for at in range(0, len(log), cl.SECTOR):
        sector = log[at : at + cl.SECTOR]
        kind = SECTORS.get(sector[:4])
        if kind is None:
            continue
        seen.add(kind)
        fields = cut(kind, sector)
        assert fields["version"] == 1
        assert fields["reserved"] == 0
        if kind == "group":
            assert 1 <= fields["count"] <= LAYOUTS["group"][0] // LAYOUTS["entry"][0]
            assert fields["sector"] * cl.SECTOR == (at - cl.MIB) % cl.MIB
    assert seen == {"superblock", "group", "footer"}


def test_layouts_are_those_of_the_python_implementation():
    assert LAYOUTS["entry"][0] == cl.ENTRY.size == cl.ENTRY_BYTES
    heads = {"superblock": cl.SUPERBLOCK, "group": cl.GROUP, "footer": cl.FOOTER}
    for name, layout in heads.items():
        size, fields = LAYOUTS[name]
        assert size == cl.SECTOR
        assert sum(width for _, width in fields[:-1]) == layout.size


def test_a_fresh_log_tells_every_record_and_reads_it():
    for name in ("fresh", "fresh_encrypted"):
        records = expected(name)["records"]
        assert [record["position"] for record in records] == list(range(50))
        assert all(record["reads"] for record in records)


def test_a_worn_log_tells_what_is_left_of_it():
    found = expected("worn")
    told = {segment: [] for segment in range(6)}
    for record in found["records"]:
        told[record["segment"]].append((record["position"], record["reads"]))
    assert told[0] == [(number, number != 20) for number in range(45)]
    assert told[1] == [(number, True) for number in (60, 61, 62, 63)]
    assert told[2] == [(number, True) for number in (44, 70, 71)]
    assert told[3] == [(number, True) for number in (80, 81, 83)]
    assert told[4] == told[5] == []
    assert [record["segment"] for record in found["records"] if record["position"] == 44] == [0, 2]
    assert found["counters"] == {
        "segments_sealed": 1,
        "segments_scanned": 3,
        "footers_damaged": 2,
        "tails_torn": 1,
        "records_damaged": 2,
    }


def test_no_encrypted_record_opens_under_another_key_place_name_or_tenant():
    made, node_key = make_logs.MADE["fresh_encrypted"]
    assert not any(told.payload for told in cl.Recovery(image("fresh_encrypted"), bytes(32)).told)
    told = cl.Recovery(image("fresh_encrypted"), node_key).told[13]
    entry, cipher = told.entry, made.cipher
    stored = made.read(0, entry.sector, entry.sectors())[: entry.stored_bytes()]
    assert cipher.decrypt(entry, told.generation, stored) == told.payload
    moved = [
        (entry, told.generation + 1),
        (cl.Entry(**(entry.__dict__ | {"sector": entry.sector + 1})), told.generation),
        (cl.Entry(**(entry.__dict__ | {"key": bytes(16)})), told.generation),
        (cl.Entry(**(entry.__dict__ | {"namespace": bytes(16)})), told.generation),
        (cl.Entry(**(entry.__dict__ | {"tenant": entry.tenant + 1})), told.generation),
    ]
    for other, generation in moved:
        with pytest.raises(cl.InvalidTag):
            cipher.decrypt(other, generation, stored)


def test_the_checksum_of_a_record_is_the_blocks():
    for record in expected("fresh")["records"]:
        key, namespace = bytes.fromhex(record["key"]), bytes.fromhex(record["namespace"])
        payload = make_logs.payload(key, record["length"])
        assert cf.checksum(key, namespace, payload).hex() == record["checksum"]
