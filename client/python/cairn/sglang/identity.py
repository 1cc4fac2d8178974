"""Who may share pages with whom: the namespace of one host pool on one rank."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cairn.connector.identity import Identity, Rank, digest_of_folder
from cairn.connector.refusal import Refusal
from cairn.namespace import Namespace
from cairn.sglang.pages import PageLayout

# Chained over a page's tokens, seeded by LoRA adapter and cache salt.
HASH_SCHEME = "sglang.sha256.v1"
ANCHOR = "kv"
# Beside the anchor of a model whose ranks all hold the same latent KV, these are equal, too.
REPLICATED = ("indexer", "deepseek_v4_")


@dataclass(frozen=True)
class Model:
    """name: what SGLang serves it as. folder: its files, where they are on this machine."""

    name: str
    digest: bytes

    @staticmethod
    def find(name: str | None, folder: Path | None, given_digest: str) -> "Model":
        """given_digest: 64 hexadecimal digits, or empty for that of the model's files."""
        if given_digest:
            digest = _parse_digest(given_digest)
            return Model(_without_path(name, digest), digest)
        if folder is None and name and Path(name).is_dir():
            folder = Path(name)
        if folder is None:
            remedy = (
                "its files are not on this machine; give the SHA-256 of what tells its revision"
            )
            raise Refusal("model_digest", name, remedy)
        digest = digest_of_folder(folder)
        return Model(_without_path(name, digest), digest)


def namespace_of(
    config: Any, model: Model, pool_name: str, layout: PageLayout, salt: Mapping[str, str]
) -> Namespace:
    """config: SGLang's HiCacheStorageConfig. Data-parallel replicas share; all other ranks do not,
    but for those of MLA, whose pools are equal."""
    identity = Identity(
        model=model.name,
        model_digest=model.digest,
        hash_scheme=HASH_SCHEME,
        tokens_per_block=layout.tokens,
        salt={
            "pool": pool_name,
            "context_rank": f"{config.attn_cp_rank}/{config.attn_cp_size}",
            **salt,
        },
    )
    is_replicated = config.is_mla_model and (
        pool_name == ANCHOR or pool_name.startswith(REPLICATED)
    )
    rank = Rank(
        tensor=config.tp_rank,
        tensor_size=config.tp_size,
        pipeline=config.pp_rank,
        pipeline_size=config.pp_size,
        replicas=config.tp_size if is_replicated else 1,
    )
    return identity.namespace(layout, rank, group=0 if pool_name == ANCHOR else 1)


def _without_path(name: str | None, digest: bytes) -> str:
    """A path tells a machine's folders, and differs between machines that may share."""
    if not name or os.path.isabs(name) or name.startswith((".", "~")) or Path(name).exists():
        return f"model-{digest.hex()[:16]}"
    return name


def _parse_digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise Refusal("model_digest", text, "give the 64 hexadecimal digits of a SHA-256")
    return digest
