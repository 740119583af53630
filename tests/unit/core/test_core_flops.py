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


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (LLAMA_2_7B, (6_738_415_616, 6_738_415_616)),  # the size of the published weights
        (MIXTRAL_8X7B, (46_702_792_704, 12_879_925_248)),  # "47B", "13B active" (arXiv:2401.04088)
        (PYTHIA_70M, (70_426_624, 70_426_624)),  # table 1 of arXiv:2304.01373
    ],
    ids=["llama-2-7b", "mixtral-8x7b", "pythia-70m"],
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
        ("Olmo2", {"num_key_value_heads": 2}),
        ("GPTNeoX", {}),
        ("GPTNeoX", {"attention_bias": False}),
    ],
)
def test_parameters_of_every_family_that_is_read(name: str, own: dict[str, Any]) -> None:
    config = getattr(transformers, f"{name}Config")(**SMALL, **own)
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
        ({**LLAMA_2_7B, "model_type": "gpt2"}, "a.json: FLOPs of this architecture are not known"),
        ({**LLAMA_2_7B, "hidden_size": None}, "a.json: is not the config of a model"),
        ({"model_type": "llama"}, "a.json: is not the config of a model"),
        ({}, "FLOPs of this architecture are not known .got 'None'"),
    ],
)
def test_other_configs_are_refused_in_one_line(config: dict[str, Any], says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        read_architecture(config, where="a.json")
