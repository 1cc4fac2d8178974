"""What makes the bytes of a vLLM engine's blocks its own."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cairn.connector import Identity, Options, Refusal, digest_of_folder
from cairn.vllm import shims


def identity_of(vllm_config: Any, options: Options, environment: Mapping[str, str]) -> Identity:
    """Refusal: a random hash seed, or a model whose weights cannot be told apart."""
    model, cache = vllm_config.model_config, vllm_config.cache_config
    algorithm = str(cache.prefix_caching_hash_algo)
    seed = shims.hash_seed(algorithm, environment)
    seed_digest = hashlib.sha256(seed.encode()).hexdigest()[:8]
    return Identity(
        model=_name_of(model),
        model_digest=_model_digest(model, options),
        hash_scheme=f"vllm.{algorithm}.{seed_digest}",
        tokens_per_block=cache.block_size,
        salt={
            "dtype": str(model.dtype),
            "quantization": str(model.quantization),
            "cache_dtype": str(cache.cache_dtype),
            "config": _config_digest(model.hf_config),
            "load_format": _load_format(vllm_config),
        },
    )


def _name_of(model: Any) -> str:
    """A hub's name, or the architecture: engines may keep one model in folders of any name."""
    if Path(model.model).is_dir():
        return (getattr(model.hf_config, "architectures", None) or ["model"])[0]
    return str(model.model)


def _model_digest(model: Any, options: Options) -> bytes:
    if options.model_digest:
        try:
            return bytes.fromhex(options.model_digest)
        except ValueError as error:
            remedy = "give 64 hexadecimal digits"
            raise Refusal("model_digest", options.model_digest, remedy) from error
    folder = Path(model.model)
    if folder.is_dir():
        return digest_of_folder(folder)
    commit = getattr(model.hf_config, "_commit_hash", None)
    if commit:
        return hashlib.sha256(f"{model.model}@{commit}".encode()).digest()
    remedy = (
        "neither a folder nor a revision of a hub is known; set model_digest in the extra config"
    )
    raise Refusal("model", model.model, remedy)


def _config_digest(config: Any) -> str:
    """Of the model's configuration as it is used, overrides included."""
    fields = {
        name: value
        for name, value in config.to_dict().items()
        if not name.startswith("_") and name != "transformers_version"
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()


def _load_format(vllm_config: Any) -> str:
    """Random weights are told apart; how real ones are read does not matter."""
    load_format = str(vllm_config.load_config.load_format)
    return "dummy" if load_format == "dummy" else ""
