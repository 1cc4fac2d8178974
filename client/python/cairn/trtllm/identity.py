"""What makes the bytes of a TensorRT-LLM engine's pages its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cairn.connector import Identity, Options, Rank, Refusal, digest_of_folder
from cairn.namespace import Namespace
from cairn.trtllm.chains import SCHEME
from cairn.trtllm.pages import PageGroup


def identity_of(llm_args: Any, options: Options, version: str) -> Identity:
    """The engine's version and attention backend decide how a page is laid out inside."""
    quantization = getattr(llm_args, "quant_config", None)
    return Identity(
        model=str(llm_args.model).rstrip("/").rpartition("/")[2],
        model_digest=_model_digest(llm_args, options),
        hash_scheme=SCHEME,
        tokens_per_block=int(llm_args.kv_cache_config.tokens_per_block),
        salt={
            "version": version,
            "attention": str(getattr(llm_args, "attn_backend", None)),
            "dtype": str(getattr(llm_args, "dtype", None)),
            "cache_dtype": str(getattr(llm_args.kv_cache_config, "dtype", None)),
            "weights": str(getattr(quantization, "quant_algo", None)),
            "cache": str(getattr(quantization, "kv_cache_quant_algo", None)),
        },
    )


def _model_digest(llm_args: Any, options: Options) -> bytes:
    if options.model_digest:
        try:
            return bytes.fromhex(options.model_digest)
        except ValueError:
            remedy = "give 64 hexadecimal digits"
            raise Refusal("CAIRN_MODEL_DIGEST", options.model_digest, remedy) from None
    folder = Path(str(llm_args.model))
    if not folder.is_dir():
        remedy = "no folder, so its weights cannot be told apart; set CAIRN_MODEL_DIGEST"
        raise Refusal("model", str(llm_args.model), remedy)
    return digest_of_folder(folder)


def lora_digests(folders: dict[int, Path]) -> dict[int, bytes]:
    return {number: digest_of_folder(folder) for number, folder in folders.items()}


def tensor_ranks(llm_args: Any) -> int:
    for field in ("pipeline_parallel_size", "context_parallel_size"):
        if getattr(llm_args, field, 1) > 1:
            raise Refusal(field, getattr(llm_args, field), "not with Cairn yet; use 1")
    return int(getattr(llm_args, "tensor_parallel_size", 1))


def rank_of(number: int, ranks: int, groups: Sequence[PageGroup]) -> Rank:
    latent = all(group.latent for group in groups)
    return Rank(tensor=number, tensor_size=ranks, replicas=ranks if latent else 1)


def namespaces_of(identity: Identity, groups: Sequence[PageGroup], rank: Rank) -> list[Namespace]:
    return [identity.namespace(group, rank, number) for number, group in enumerate(groups)]


def all_namespaces(identity: Identity, groups: Sequence[PageGroup], ranks: int) -> list[Namespace]:
    """Of all ranks, which hold pages of the same shape. Those of equal copies are one."""
    every = (
        namespace
        for number in range(ranks)
        for namespace in namespaces_of(identity, groups, rank_of(number, ranks, groups))
    )
    return list(dict.fromkeys(every))
