"""FLOPs of one token, by part, from the architecture alone.

Convention: a multiply-add is 2 FLOPs; only matrix products are counted. Attention scores are
counted over the full square of the context, without halving for the causal mask, as
`torch.utils.flop_counter` and the PaLM paper (Chowdhery et al. 2022, appendix B,
arXiv:2204.02311) count them. Looking up an embedding costs nothing. The backward pass is twice the
forward pass; what a fused attention kernel computes a second time is not counted.
"""

from __future__ import annotations

from transformers import PretrainedConfig

from nucleate.core import CheckpointError

_MLP_MATRICES = {"llama": 3, "mixtral": 3, "gpt_neox": 2}


def flops_per_token(config: PretrainedConfig, context: int) -> dict[str, float]:
    """Return the forward FLOPs of one token in a sequence of `context` tokens, by part.

    Parts: ``embedding``, ``attention_projections``, ``attention_scores``, ``mlp`` (only the
    experts that a token passes through), ``router`` (0 without experts), ``head``.

    Args:
        config: Config of a llama, GPT-NeoX or mixtral model.
        context: Length of the sequences, in tokens.

    Raises:
        CheckpointError: The architecture is another one.
    """
    if config.model_type not in _MLP_MATRICES:
        raise CheckpointError(
            "FLOPs of this architecture are not known",
            got=config.model_type,
            expected=", ".join(sorted(_MLP_MATRICES)),
        )
    width, layers, heads = config.hidden_size, config.num_hidden_layers, config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or width // heads
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    experts = getattr(config, "num_local_experts", 0)
    active = config.num_experts_per_tok if experts else 1
    mlp_weights = _MLP_MATRICES[config.model_type] * width * config.intermediate_size
    return {
        "embedding": 0.0,
        "attention_projections": 2.0 * layers * width * head_width * (2 * heads + 2 * kv_heads),
        "attention_scores": 4.0 * layers * heads * head_width * context,
        "mlp": 2.0 * layers * active * mlp_weights,
        "router": 2.0 * layers * width * experts,
        "head": 2.0 * width * config.vocab_size,
    }


def training_flops_per_token(config: PretrainedConfig, context: int) -> dict[str, float]:
    """Return forward plus backward FLOPs of one token, by part: three times the forward pass."""
    return {part: 3 * flops for part, flops in flops_per_token(config, context).items()}
