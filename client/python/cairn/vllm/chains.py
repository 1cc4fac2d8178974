"""The chained hashes of a request's blocks, as vLLM made them.

They carry the tokens, the cache salt and the identity of images. Of a LoRA adapter they carry the
name alone, which two engines may give to different weights: the digest of its files is mixed in.
After a reset of the cache, which vLLM asks for when weights have changed in place, a random number
is: nobody knows any more whose bytes these are.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cairn.connector import Refusal, digest_of_folder

logger = logging.getLogger("cairn")


class Chains:
    """One thread, the scheduler's. Digests of adapters are made on another."""

    def __init__(self) -> None:
        self._digests: dict[str, bytes | None] = {}  # None: not known, or never
        self._mixed: dict[str, list[bytes]] = {}
        self._epoch = b""

    def of(self, request: Any) -> Sequence[bytes] | None:
        """None: not to be shared (yet)."""
        digest: bytes | None = b""
        if request.lora_request is not None:
            digest = self._digest_of(request.lora_request.lora_path)
        if digest is None:
            return None
        digest = self._epoch + digest
        if not digest:
            return request.block_hashes
        mixed = self._mixed.setdefault(request.request_id, [])
        for block_hash in request.block_hashes[len(mixed) :]:
            mixed.append(hashlib.sha256(digest + block_hash).digest())
        return mixed

    def begin_anew(self) -> None:
        """No block that was stored before is found again."""
        self._epoch = os.urandom(16)
        self._mixed.clear()
        self._digests.clear()

    def forget(self, request_id: str) -> None:
        self._mixed.pop(request_id, None)

    def _digest_of(self, path: str) -> bytes | None:
        if path not in self._digests:
            self._digests[path] = None
            threading.Thread(target=self._read, args=(path,), daemon=True).start()
        return self._digests[path]

    def _read(self, path: str) -> None:
        try:
            self._digests[path] = digest_of_folder(Path(path))
        except (OSError, Refusal) as error:
            logger.warning("event=cairn_adapter_not_shared path=%s error=%s", path, error)
