"""A day of history as a coordinator keeps it (proto/FORMAT.md), of a busy cluster."""

import sqlite3
import subprocess
import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from daemons import ROOT

STEP_S = 10
SPAN_S = 24 * 3600
PROTO = ROOT / "proto"

TIERS, SIZES, TRANSPORTS, TENANTS = (0, 1), (1, 3, 5), ("tcp", "rdma"), (0, 1)


def encoded(text: str) -> bytes:
    """A HistoryPoint of its text format."""
    command = ["protoc", f"-I{PROTO}", "--encode=cairn.v1.HistoryPoint", "cairn/v1/history.proto"]
    return subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout


def latencies(field: str, tiers: tuple[int, ...], bucket: int) -> str:
    """Most gets in a bucket, some in the one before."""
    counts = f"{'counts: 0 ' * (bucket - 1)}counts: 100 counts: 900"
    return "\n".join(
        f"{field} {{ tier: {('DRAM_TIER', 'NVME_TIER', 'UNKNOWN_TIER')[tier]} size_class: {size}"
        f' transport: "{transport}" tenant_id: {tenant} {counts} sum_ns: 900000000 }}'
        for tier, size, transport, tenant in product(tiers, SIZES, TRANSPORTS, TENANTS)
    )


def point(bucket: int, hit_percent: int, capacity_bytes: int) -> bytes:
    """All but its time."""
    hits = f"requested_blocks: 1000 hit_blocks: {10 * hit_percent} requested_tokens: 32000"
    hits += f" hit_tokens: {320 * hit_percent} answered: 1000"
    figures = f"used_bytes: {capacity_bytes // 2} capacity_bytes: {capacity_bytes} nodes_ready: 2"
    return encoded(
        f"{latencies('node_latency', TIERS, bucket)} {latencies('client_latency', (2,), bucket)}"
        f" hits {{ tenant_id: 1 hits {{ {hits} }} }} {figures} evicted_blocks: 50"
    )


def varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def at(unix_s: int) -> bytes:
    """HistoryPoint.unix_s, to be put behind the others: fields may come in any order."""
    return b"\x08" + varint(unix_s)


def write_day(database: Path, now_s: int, oldest: bytes, rest: bytes, oldest_s: int) -> None:
    """`oldest` for the first seconds of the day before now, then `rest`."""
    times = range(now_s - SPAN_S + STEP_S, now_s, STEP_S)
    ends = now_s - SPAN_S + oldest_s
    rows = [(0, s, (oldest if s <= ends else rest) + at(s)) for s in times]
    with sqlite3.connect(database) as history:
        history.executemany("INSERT INTO point(step, unix_s, body) VALUES(?, ?, ?)", rows)
    history.close()
