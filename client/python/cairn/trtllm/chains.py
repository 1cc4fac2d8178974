"""Chained hashes of a request's blocks, made here: the engine's own are not there in all versions.

root  = SHA-256(scheme | presence and length of the salt, salt | digest of the LoRA adapter)
block = SHA-256(hash of the block before | its tokens, u32 little endian)
"""

import hashlib
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SCHEME = "trtllm.cairn.sha256.1"
# What makes a prompt's KV more than a function of its tokens: such requests are not shared.
BEYOND_TOKENS = (
    "multimodal_hashes",
    "multimodal_embedding",
    "prompt_embedding_table",
    "mrope_rotary_cos_sin",
    "encoder_input_tokens",
    "encoder_input_features",
    "cross_attention_mask",
)
if array("I").itemsize != 4:
    raise ImportError("tokens are hashed as 32-bit words")


class Chain:
    """Of one request; grows with its tokens."""

    def __init__(self, block_tokens: int, root: bytes) -> None:
        self.hashes: list[bytes] = []
        self._block_bytes = 4 * block_tokens
        self._last = root

    def extend(self, tokens: Sequence[int]) -> None:
        """All tokens so far; what was hashed before is not looked at again."""
        first = len(self.hashes) * self._block_bytes // 4
        words = memoryview(array("I", tokens[first:]).tobytes())
        for at in range(0, len(words) - self._block_bytes + 1, self._block_bytes):
            block = hashlib.sha256(self._last)
            block.update(words[at : at + self._block_bytes])
            self._last = block.digest()
            self.hashes.append(self._last)


class Roots:
    """lora_digests: by the engine's number of an adapter."""

    def __init__(self, lora_digests: Mapping[int, bytes]) -> None:
        self._lora_digests = lora_digests

    def of(self, request: Any) -> bytes | None:
        """None: not to be shared."""
        if any(getattr(request, name, None) is not None for name in BEYOND_TOKENS):
            return None
        lora = getattr(request, "lora_task_id", None)
        digest = b"" if lora is None else self._lora_digests.get(int(lora))
        if digest is None:
            return None
        return root_of(salts_of(request), digest)


def salts_of(request: Any) -> Iterable[str | None]:
    """Versions know a salt as text, as a number, or not at all."""
    for name in ("cache_salt", "cache_salt_id"):
        salt = getattr(request, name, None)
        yield None if salt is None else str(salt)


def root_of(salts: Iterable[str | None], lora_digest: bytes) -> bytes:
    root = hashlib.sha256(SCHEME.encode())
    for salt in salts:
        words = b"" if salt is None else salt.encode()
        root.update(struct.pack("<?Q", salt is not None, len(words)) + words)
    root.update(lora_digest)
    return root.digest()
