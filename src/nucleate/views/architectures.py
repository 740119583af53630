"""How architectures are called in a sentence: as their authors spell them, article and all."""

from __future__ import annotations

NAMES = {
    "apertus": "Apertus",
    "gemma": "Gemma",
    "gemma2": "Gemma 2",
    "gemma3_text": "Gemma 3",
    "gpt2": "GPT-2",
    "gpt_neox": "GPT-NeoX",
    "granite": "Granite",
    "llama": "Llama",
    "mistral": "Mistral",
    "mixtral": "Mixtral",
    "olmo": "OLMo",
    "olmo2": "OLMo 2",
    "olmo3": "Olmo 3",
    "olmoe": "OLMoE",
    "phi3": "Phi-3",
    "qwen2": "Qwen2",
    "qwen2_moe": "Qwen2-MoE",
    "qwen3": "Qwen3",
    "qwen3_moe": "Qwen3-MoE",
    "smollm3": "SmolLM3",
    "stablelm": "StableLM",
    "starcoder2": "StarCoder2",
}
"""By `model_type`; all of them are read as words or begin with a G."""


def a_model(model_type: str) -> str:
    """Return an architecture as a noun with its article.

    >>> a_model("olmo2"), a_model("gpt2"), a_model("mpt"), a_model("")
    ('an OLMo 2 model', 'a GPT-2 model', 'a model of type mpt', 'a model')
    """
    name = NAMES.get(model_type)
    if name is None:  # who knows how it is read: an MPT, a UMT5
        return f"a model of type {model_type}" if model_type else "a model"
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name} model"
