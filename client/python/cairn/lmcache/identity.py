"""Whose bytes are interchangeable: LMCache's key knows the model's name, and Cairn needs more."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cairn.connector import Options, Refusal, digest_of_folder
from cairn.namespace import DIGEST_BYTES, Namespace

PART_BYTES = 8 << 20  # a larger object is several blocks: other transfers get their turn between
OWN_SETTINGS = ("kv_dtype", "model_path", "layout")


class ObjectKey(Protocol):
    """The fields of LMCache's ObjectKey."""

    chunk_hash: bytes
    model_name: str
    kv_rank: int
    object_group_id: int
    cache_salt: str


def parse_settings(
    params: Mapping[str, Any], lmcache_version: str, environment: Mapping[str, str]
) -> tuple[Options, Namespace]:
    """Of adapter_params. Refusal names the field and the remedy.

    Another version of LMCache may lay an object out otherwise, so it shares nothing.
    """
    own = {name: params.get(name, "") for name in OWN_SETTINGS}
    options = Options.from_mapping(
        {name: value for name, value in params.items() if name not in OWN_SETTINGS}, environment
    )
    if not own["kv_dtype"]:
        remedy = 'give the type of the cached values, as in "bfloat16": LMCache\'s keys lack it'
        raise Refusal("kv_dtype", own["kv_dtype"], remedy)
    namespace = Namespace(
        model="lmcache",  # each object's key has its model's name
        model_digest=_model_digest(options.model_digest, own["model_path"]),
        kv_dtype=own["kv_dtype"],
        layout=f"lmcache.{lmcache_version}.{own['layout']}",
        layers=0,
        kv_heads=0,
        head_size=0,
        tokens_per_block=1,
        hash_scheme="lmcache.chunk.1",
        block_bytes=PART_BYTES,
    )
    return options, namespace


def _model_digest(given: str, model_path: str) -> bytes:
    if model_path and not given:
        return digest_of_folder(Path(model_path))
    try:
        digest = bytes.fromhex(given)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        remedy = "give 64 hexadecimal digits that name the weights' revision, or model_path"
        raise Refusal("model_digest", given, remedy)
    return digest


def part_count(size_bytes: int) -> int:
    return max(1, -(-size_bytes // PART_BYTES))


def part_hashes(key: ObjectKey, parts: int) -> list[bytes]:
    """Of the object's blocks. Each field with its length, so that no two keys look alike."""
    digest = hashlib.sha256(b"cairn.lmcache")
    for field in (
        key.chunk_hash,
        key.model_name.encode(),
        key.kv_rank.to_bytes(8, "little"),
        key.object_group_id.to_bytes(8, "little"),
        key.cache_salt.encode(),
    ):
        digest.update(len(field).to_bytes(4, "little") + field)
    hashes = []
    for part in range(parts):
        of_part = digest.copy()
        of_part.update(part.to_bytes(4, "little"))
        hashes.append(of_part.digest())
    return hashes
