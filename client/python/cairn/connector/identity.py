"""Who shares with whom: the namespaces of an engine's ranks and cache groups."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cairn.connector.layout import BlockLayout
from cairn.connector.refusal import Refusal
from cairn.namespace import DIGEST_BYTES, Namespace

SMALL_FILE_BYTES_MAX = 1 << 20  # read whole for a digest: configuration, not weights
SAMPLE_BYTES = 4096  # of each tensor: training moves all of them
SAFETENSORS_HEADER_BYTES_MAX = 100 << 20  # the format's own bound

__all__ = ["Identity", "Rank", "Refusal", "digest_of_folder"]


@dataclass(frozen=True)
class Rank:
    """Where a worker stands. replicas: so many neighbours hold equal bytes (MLA: all)."""

    tensor: int = 0
    tensor_size: int = 1
    pipeline: int = 0
    pipeline_size: int = 1
    replicas: int = 1

    def __post_init__(self) -> None:
        if self.replicas < 1 or self.tensor_size % self.replicas:
            raise Refusal("replicas", self.replicas, f"give a divisor of {self.tensor_size} ranks")

    @property
    def writes(self) -> bool:
        """Of equal copies one rank's is stored."""
        return self.tensor % self.replicas == 0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What the ranks of one engine have in common. salt: whatever else makes bytes differ."""

    model: str
    model_digest: bytes
    hash_scheme: str
    tokens_per_block: int
    salt: Mapping[str, str]

    def __post_init__(self) -> None:
        if len(self.model_digest) != DIGEST_BYTES:
            raise Refusal("model_digest", self.model_digest.hex(), "give the 32 bytes of a SHA-256")

    def namespace(self, layout: BlockLayout, rank: Rank, group: int = 0) -> Namespace:
        return Namespace(
            model=self.model,
            model_digest=self._digest(),
            kv_dtype=layout.dtype,
            layout=layout.fingerprint,
            layers=layout.layers,
            kv_heads=layout.kv_heads,
            head_size=layout.head_size,
            tokens_per_block=self.tokens_per_block,
            hash_scheme=self.hash_scheme,
            block_bytes=layout.block_bytes,
            tensor_parallel_rank=rank.tensor // rank.replicas,
            tensor_parallel_size=rank.tensor_size // rank.replicas,
            pipeline_rank=rank.pipeline,
            pipeline_size=rank.pipeline_size,
            cache_group=group,
        )

    def _digest(self) -> bytes:
        salt = json.dumps(dict(self.salt), sort_keys=True).encode()
        return hashlib.sha256(self.model_digest + salt).digest()


def digest_of_folder(folder: Path) -> bytes:
    """Of a model's or adapter's files: configuration whole, and a sample of every tensor.

    Reads some megabytes, whatever the model's size: a fine-tune changes each tensor that it trains.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if not files:
        raise Refusal("model", str(folder), "the folder has no files; give model_digest instead")
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        for piece in _samples(path):
            total.update(piece)
    return total.digest()


def _samples(path: Path) -> Iterator[bytes]:
    size_bytes = path.stat().st_size
    if size_bytes <= SMALL_FILE_BYTES_MAX:
        yield path.read_bytes()
        return
    with open(path, "rb") as file:
        for at in _sample_places(path, size_bytes):
            file.seek(at)
            yield file.read(SAMPLE_BYTES)


def _sample_places(path: Path, size_bytes: int) -> list[int]:
    if path.suffix == ".safetensors":
        with open(path, "rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            if header_bytes <= min(SAFETENSORS_HEADER_BYTES_MAX, size_bytes - 8):
                return _tensor_places(json.loads(file.read(header_bytes)), 8 + header_bytes)
    return list(range(0, size_bytes, SMALL_FILE_BYTES_MAX))


def _tensor_places(header: dict, data_start: int) -> list[int]:
    tensors = [fields for name, fields in header.items() if name != "__metadata__"]
    return sorted(data_start + fields["data_offsets"][0] for fields in tensors)
