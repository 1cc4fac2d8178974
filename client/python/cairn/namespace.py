"""Everything that decides whether bytes are interchangeable."""

import ctypes
import dataclasses

from cairn._library import NamespaceFields
from cairn.errors import CairnError

DIGEST_BYTES = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Namespace:
    """Two engines share blocks exactly when all fields are equal (proto/cairn/v1/namespace.proto).

    model_digest, adapter_digest: 32 bytes, e.g. SHA-256 of the weights' manifest. layers, kv_heads:
    of this rank. block_bytes: 4 KiB to 64 MiB, all layers of tokens_per_block tokens.
    """

    model: str
    model_digest: bytes
    kv_dtype: str
    layout: str
    layers: int
    kv_heads: int
    head_size: int
    tokens_per_block: int
    hash_scheme: str
    block_bytes: int
    adapter_digest: bytes = b""
    tensor_parallel_rank: int = 0
    tensor_parallel_size: int = 1
    pipeline_rank: int = 0
    pipeline_size: int = 1
    cache_group: int = 0

    def __post_init__(self) -> None:
        if len(self.model_digest) != DIGEST_BYTES:
            raise CairnError("invalid_argument", _digest_text("model_digest", self.model_digest))
        if len(self.adapter_digest) not in (0, DIGEST_BYTES):
            raise CairnError(
                "invalid_argument", _digest_text("adapter_digest", self.adapter_digest)
            )

    def to_c(self) -> NamespaceFields:
        """The C struct; valid while this namespace lives."""
        fields = NamespaceFields(struct_bytes=ctypes.sizeof(NamespaceFields))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and not 0 <= value < 2**32:
                text = f"namespace.{field.name}: {value} is not in 0 to 2^32-1"
                raise CairnError("invalid_argument", text)
            setattr(fields, field.name, _plain(value))
        return fields


def _plain(value: str | bytes | int) -> bytes | int | None:
    if isinstance(value, str):
        return value.encode()
    return None if value == b"" else value


def _digest_text(field: str, digest: bytes) -> str:
    return f"namespace.{field}: {len(digest)} bytes; give the {DIGEST_BYTES} of a SHA-256"
