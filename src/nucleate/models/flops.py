"""FLOPs of one token, by part, from the architecture alone; `core.flops` has what is counted."""

from __future__ import annotations

from transformers import PretrainedConfig

from nucleate.core.flops import forward_flops, read_architecture


def flops_per_token(config: PretrainedConfig, context: int) -> dict[str, float]:
    """Return the forward FLOPs of one token in a sequence of `context` tokens, by part.

    Parts: ``embedding``, ``attention_projections``, ``attention_scores``, ``mlp`` (only the
    experts that a token passes through), ``router`` (0 without experts), ``head``.

    Args:
        config: Config of a model of a known family (`core.families`).
        context: Length of the sequences, in tokens.

    Raises:
        CheckpointError: The architecture is another one.
    """
    return forward_flops(read_architecture(config.to_dict()), context)


def training_flops_per_token(config: PretrainedConfig, context: int) -> dict[str, float]:
    """Return forward plus backward FLOPs of one token, by part: three times the forward pass."""
    return {part: 3 * flops for part, flops in flops_per_token(config, context).items()}
