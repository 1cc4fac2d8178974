"""Writes tests/data/vectors/*.json. Run it only when a format changes on purpose.

The vectors come from the Python implementation, so that the C++ one is checked
against something that it did not make.
"""

import hashlib
import json
import pathlib

import cairn_format as cf
import cairn_log as cl

VECTORS = pathlib.Path(__file__).parent.parent / "data" / "vectors"

LLAMA = {
    "model": "meta-llama/Llama-3.1-8B",
    "model_digest": bytes(range(32)).hex(),
    "kv_dtype": "bf16",
    "layout": "L2NHD",
    "layers": 32,
    "kv_heads": 8,
    "head_size": 128,
    "tokens_per_block": 16,
    "hash_scheme": "vllm.sha256_cbor",
    "block_bytes": 2 << 20,
}
FULL = LLAMA | {
    "model": "modèle/été",
    "adapter_digest": bytes(range(32, 64)).hex(),
    "tensor_parallel_rank": 3,
    "tensor_parallel_size": 8,
    "pipeline_rank": 1,
    "pipeline_size": 2,
    "cache_group": 4,
}

ACCEPTED_NAMESPACES = {
    "one rank": LLAMA,
    "one rank, sizes spelled out": LLAMA | {"tensor_parallel_size": 1, "pipeline_size": 1},
    "every field": FULL,
    "smallest block": LLAMA | {"block_bytes": 4096},
    "largest block": LLAMA | {"block_bytes": 64 << 20},
    "longest texts": LLAMA | {"model": "m" * 256, "layout": "l" * 256},
    "text moved between neighbours": LLAMA | {"kv_dtype": "bf16L", "layout": "2NHD"},
}
REFUSED_NAMESPACES = [
    ("model", {"model": ""}),
    ("model", {"model": "m" * 257}),
    ("model", {"model": "two\nlines"}),
    ("model_digest", {"model_digest": ""}),
    ("model_digest", {"model_digest": "00" * 31}),
    ("adapter_digest", {"adapter_digest": "00" * 33}),
    ("kv_dtype", {"kv_dtype": ""}),
    ("layout", {"layout": ""}),
    ("tokens_per_block", {"tokens_per_block": 0}),
    ("tensor_parallel_rank", {"tensor_parallel_rank": 1}),
    ("tensor_parallel_rank", {"tensor_parallel_rank": 8, "tensor_parallel_size": 8}),
    ("pipeline_rank", {"pipeline_rank": 2, "pipeline_size": 2}),
    ("hash_scheme", {"hash_scheme": "\x7f"}),
    ("block_bytes", {"block_bytes": 4095}),
    ("block_bytes", {"block_bytes": (64 << 20) + 1}),
]


def namespaces() -> dict:
    return {
        "accepted": [
            {
                "name": name,
                "fields": fields,
                "canonical": cf.canonical_namespace(fields).hex(),
                "id": cf.namespace_id(fields).hex(),
            }
            for name, fields in ACCEPTED_NAMESPACES.items()
        ],
        "refused": [
            {"error_field": error_field, "fields": LLAMA | change}
            for error_field, change in REFUSED_NAMESPACES
        ],
    }


def block_keys() -> list:
    vectors = []
    for number, hash_bytes in enumerate((1, 8, 16, 20, 32, 54, 55, 63, 64)):
        secret = bytes((number * 7 + i) % 256 for i in range(32))
        namespace = cf.identifier(0x20 + number)
        block_hash = bytes((number + 5 * i) % 256 for i in range(hash_bytes))
        vectors.append(
            {
                "secret": secret.hex(),
                "namespace_id": namespace.hex(),
                "block_hash": block_hash.hex(),
                "key": cf.block_key(secret, namespace, block_hash).hex(),
            }
        )
    return vectors


def credentials() -> list:
    secrets = (bytes(32), bytes(range(32)), b"\xff" * 32)
    return [
        {"secret": secret.hex(), "credential": cf.credential(secret).hex()} for secret in secrets
    ]


def checksums() -> list:
    # 36 bytes of identity stand before the payload: 204 and 205 lie at XXH3's change
    # from short to long inputs (240 bytes), 988 at its first full block of stripes.
    lengths = (1, 100, 204, 205, 987, 988, 989, 4096, 65536, MIB_AND_A_BIT)
    key, namespace = cf.identifier(0x30), cf.identifier(0x20)
    return [
        {
            "key": key.hex(),
            "namespace_id": namespace.hex(),
            "payload_bytes": length,
            "checksum": cf.checksum(key, namespace, cf.vector_payload(length)).hex(),
        }
        for length in lengths
    ]


MIB_AND_A_BIT = (1 << 20) + 3
NOW = 1_800_000_000
CLAIMS = {
    "tenant": 7,
    "rights": 3,
    "not_before_unix_s": NOW - 10,
    "expiry_unix_s": NOW + 600,
    "client": cf.identifier(0x10).hex(),
    "inflight_bytes_max": 64 << 20,
}


def tokens() -> dict:
    seed = bytes(range(32))
    refused = {
        "bad signature": cf.token_claims(CLAIMS) + bytes(64),
        "bad signature (of another key)": cf.sign_token(bytes(32), cf.token_claims(CLAIMS)),
        "unknown version": cf.sign_token(seed, cf.token_claims(CLAIMS, version=2)),
        "malformed (reserved)": cf.sign_token(seed, cf.token_claims(CLAIMS, reserved=1)),
        "malformed (magic)": cf.sign_token(seed, b"XTOK" + cf.token_claims(CLAIMS)[4:]),
        "malformed (tenant 0)": cf.sign_token(seed, cf.token_claims(CLAIMS | {"tenant": 0})),
        "malformed (negative time)": cf.sign_token(
            seed, cf.token_claims(CLAIMS | {"not_before_unix_s": -(2**63)})
        ),
        "not yet valid": cf.sign_token(
            seed, cf.token_claims(CLAIMS | {"not_before_unix_s": NOW + 61})
        ),
        "expired": cf.sign_token(
            seed,
            cf.token_claims(CLAIMS | {"not_before_unix_s": NOW - 660, "expiry_unix_s": NOW - 60}),
        ),
    }
    return {
        "seed": seed.hex(),
        "public_key": cf.public_key(seed).hex(),
        "now_unix_s": NOW,
        "accepted": {
            "claims": CLAIMS,
            "token": cf.sign_token(seed, cf.token_claims(CLAIMS)).hex(),
        },
        "refused": [{"why": why, "token": token.hex()} for why, token in refused.items()],
    }


def runs() -> list:
    positions = (*range(0, 70), 95, 96, 4095, 4096, (1 << 24) - 1)
    return [{"position": p, "run_start": cf.run_start(p)} for p in positions]


def records() -> list:
    """Encrypted records of the log; the payload is that of the checksum vectors."""
    vectors = []
    for number, length in enumerate((1, 15, 16, 17, 4080, 4096, 100_000)):
        node_key, log = bytes(range(number, number + 32)), cf.identifier(0x70 + number)
        entry = cl.Entry(
            *(cf.identifier(0x30), cf.identifier(0x20), bytes(16), bytes(16)),
            *(7 + number, length, 0, 5 + number, 1, 0),
        )
        generation = (9 << 32) + number
        payload = cf.vector_payload(length)
        stored = cl.Cipher(node_key, log).encrypt(entry, generation, payload)
        vectors.append(
            {
                "node_key": node_key.hex(),
                "log": log.hex(),
                "key": entry.key.hex(),
                "namespace_id": entry.namespace.hex(),
                "tenant": entry.tenant,
                "generation": generation,
                "sector": entry.sector,
                "payload_bytes": length,
                "stored_sha256": hashlib.sha256(stored).hexdigest(),
                "stored_end": stored[-32:].hex(),
            }
        )
    return vectors


def messages() -> dict:
    return {name: value.hex() for name, value in cf.sample_messages().items()}


def inventory() -> dict:
    changes = [
        {"key": cf.identifier(0x30).hex(), "tenant": 7, "reactor": 2, "change": 1},
        {"key": cf.identifier(0x40).hex(), "tenant": 8, "reactor": 65535, "change": 2},
        {"key": cf.identifier(0x50).hex(), "tenant": 9, "reactor": 0, "change": 3},
    ]
    return {"changes": changes, "bytes": cf.inventory(changes).hex()}


FILES = {
    "namespaces": namespaces,
    "block_keys": block_keys,
    "credentials": credentials,
    "checksums": checksums,
    "tokens": tokens,
    "runs": runs,
    "messages": messages,
    "inventory": inventory,
    "records": records,
}


def render(name: str) -> str:
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file_name in FILES:
        (VECTORS / f"{file_name}.json").write_text(render(file_name), encoding="utf-8")
