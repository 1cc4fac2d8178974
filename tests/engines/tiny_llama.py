"""A Llama of 4 layers with seeded weights, for real engines without a GPU.

The projections' gains are well above a trained model's, so that greedy tokens depend on every token
of the prompt: a wrong KV block changes them. Engines' own dummy weights are too flat for that.
"""

import json
import sys
from pathlib import Path

LAYERS = 4
HEADS = 4
KV_HEADS = 2
HEAD_SIZE = 64
HIDDEN = 256
INTERMEDIATE = 512
VOCABULARY = 512
POSITIONS_MAX = 16384

# Of each weight of a layer: rows, columns, gain. A unit normal is divided by the root of columns.
PROJECTIONS = {
    "self_attn.q_proj": (HEADS * HEAD_SIZE, HIDDEN, 2.0),
    "self_attn.k_proj": (KV_HEADS * HEAD_SIZE, HIDDEN, 2.0),
    "self_attn.v_proj": (KV_HEADS * HEAD_SIZE, HIDDEN, 3.0),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD_SIZE, 3.0),
    "mlp.gate_proj": (INTERMEDIATE, HIDDEN, 1.0),
    "mlp.up_proj": (INTERMEDIATE, HIDDEN, 1.0),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE, 1.0),
}


def config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_SIZE,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": POSITIONS_MAX,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "attention_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def weights(seed: int) -> dict[str, object]:
    import torch

    generator = torch.Generator().manual_seed(seed)

    def normal(rows: int, columns: int, gain: float) -> torch.Tensor:
        return torch.randn(rows, columns, generator=generator) * (gain / columns**0.5)

    tensors = {
        "model.embed_tokens.weight": normal(VOCABULARY, HIDDEN, HIDDEN**0.5),
        "lm_head.weight": normal(VOCABULARY, HIDDEN, 3.0),
        "model.norm.weight": torch.ones(HIDDEN),
    }
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for name, shape in PROJECTIONS.items():
            tensors[f"{prefix}{name}.weight"] = normal(*shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{prefix}{norm}.weight"] = torch.ones(HIDDEN)
    return tensors


def write(folder: Path, seed: int = 0, **more: object) -> None:
    """more: of its config."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config(), **more}, indent=1))
    save_file(weights(seed), folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
