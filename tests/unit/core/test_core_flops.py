"""Sizes and FLOPs read off a config: against published models, and against transformers' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from nucleate.core import CheckpointError
from nucleate.core.flops import count_parameters, forward_flops, read_architecture

LLAMA_2_7B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
MIXTRAL_8X7B = {
    **LLAMA_2_7B,
    "model_type": "mixtral",
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
PYTHIA_70M = {
    "model_type": "gpt_neox",
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "num_hidden_layers": 6,
    "vocab_size": 50304,
    "tie_word_embeddings": False,
}
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "vocab_size": 50257}
GPT2 |= {"n_ctx": 1024, "n_positions": 1024}
PHI_3_MINI = {
    **LLAMA_2_7B,
    "model_type": "phi3",
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "vocab_size": 32064,
}
OLMOE_1B_7B = {
    "model_type": "olmoe",
    "hidden_size": 2048,
    "intermediate_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "num_hidden_layers": 16,
    "num_experts": 64,
    "num_experts_per_tok": 8,
    "vocab_size": 50304,
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (LLAMA_2_7B, (6_738_415_616, 6_738_415_616)),  # the size of the published weights
        (MIXTRAL_8X7B, (46_702_792_704, 12_879_925_248)),  # "47B", "13B active" (arXiv:2401.04088)
        (PYTHIA_70M, (70_426_624, 70_426_624)),  # table 1 of arXiv:2304.01373
        (GPT2, (124_439_808, 124_439_808)),  # the size of the published weights
        (PHI_3_MINI, (3_821_079_552, 3_821_079_552)),  # likewise: "3.8B" (arXiv:2404.14219)
        (OLMOE_1B_7B, (6_919_161_856, 1_282_017_280)),  # "6.9B", "1.3B" (arXiv:2409.02060)
    ],
    ids=["llama-2-7b", "mixtral-8x7b", "pythia-70m", "gpt2", "phi-3-mini", "olmoe-1b-7b"],
)
def test_parameters_of_published_models(config: dict[str, Any], published: tuple[int, int]) -> None:
    assert count_parameters(read_architecture(config)) == published


SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "vocab_size": 101,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("Llama", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
        ("Llama", {"attention_bias": True}),
        ("Mistral", {"num_key_value_heads": 2, "head_dim": 8}),
        ("Mixtral", {"num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2}),
        ("Qwen2", {"num_key_value_heads": 2}),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 32}),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 32, "attention_bias": True}),
        ("Olmo", {"num_key_value_heads": 2}),
        ("Olmo2", {"num_key_value_heads": 2}),
        ("Olmo2", {"attention_bias": True}),
        ("Olmo3", {"num_key_value_heads": 2}),
        ("Olmoe", {"num_key_value_heads": 2, "num_experts": 4, "num_experts_per_tok": 2}),
        ("Qwen3Moe", {"num_key_value_heads": 2, "head_dim": 32, "num_experts": 4}),
        ("Qwen3Moe", {"mlp_only_layers": [1], "num_experts": 4, "moe_intermediate_size": 24}),
        ("Qwen3Moe", {"decoder_sparse_step": 2, "num_experts": 4, "moe_intermediate_size": 24}),
        ("Qwen2Moe", {"num_experts": 4, "mlp_only_layers": [0], "moe_intermediate_size": 24}),
        ("Qwen3Moe", {"num_experts": 0, "attention_bias": True}),
        ("SmolLM3", {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True}),
        ("Gemma", {"num_key_value_heads": 2, "head_dim": 32}),
        ("Gemma2", {"num_key_value_heads": 2, "head_dim": 32}),
        ("Gemma3Text", {"num_key_value_heads": 2, "head_dim": 32, "attention_bias": True}),
        ("Granite", {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True}),
        ("Granite", {"tie_word_embeddings": True}),
        ("Phi3", {"num_key_value_heads": 2}),
        ("StableLm", {"num_key_value_heads": 2, "use_qkv_bias": True}),
        ("StableLm", {"qk_layernorm": True, "use_parallel_residual": True}),
        ("Starcoder2", {"num_key_value_heads": 2}),
        ("Starcoder2", {"num_key_value_heads": 2, "use_bias": False}),
        ("Apertus", {"num_key_value_heads": 2}),
        ("Llama", {"attention_bias": True, "mlp_bias": True}),
        ("GPT2", {"n_positions": 48}),
        ("GPT2", {"n_inner": 96}),
        ("GPTNeoX", {}),
        ("GPTNeoX", {"attention_bias": False}),
    ],
)
def test_parameters_of_every_family_that_is_read(name: str, own: dict[str, Any]) -> None:
    sizes = SMALL if name != "GPT2" else {k: v for k, v in SMALL.items() if "intermed" not in k}
    config = getattr(transformers, f"{name}Config")(**sizes, **own)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    held = sum(parameter.numel() for parameter in model.parameters())
    assert count_parameters(read_architecture(config.to_dict()))[0] == held


def test_forward_flops_of_llama_2_7b_by_hand() -> None:
    """Twice the weights of the matrices, and 4 · layers · width · context for the scores."""
    parts = forward_flops(read_architecture(LLAMA_2_7B), 4096)
    assert parts == {
        "embedding": 0,
        "attention_projections": 2 * 32 * 4 * 4096**2,
        "attention_scores": 4 * 32 * 4096 * 4096,
        "mlp": 2 * 32 * 3 * 4096 * 11008,
        "router": 0,
        "head": 2 * 4096 * 32000,
    }
    assert sum(parts.values()) == 15_361_638_400


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({**LLAMA_2_7B, "model_type": "bloom"}, "a.json: FLOPs of this architecture are not known"),
        ({**LLAMA_2_7B, "hidden_size": None}, "a.json: is not the config of a model"),
        ({"model_type": "llama"}, "a.json: is not the config of a model"),
        ({}, "FLOPs of this architecture are not known .got 'None'"),
    ],
)
def test_other_configs_are_refused_in_one_line(config: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError, match=says) as refused:
        read_architecture(config, where="a.json")
    assert "…" not in str(refused.value)  # nothing is cut off, the fix least of all
