"""Parameters and FLOPs of a transformer from the numbers of its config alone, without loading it.

Convention: a multiply-add is 2 FLOPs; only matrix products are counted. Attention scores are
counted over the full square of the context, without halving for the causal mask, as
`torch.utils.flop_counter` and the PaLM paper (Chowdhery et al. 2022, appendix B,
arXiv:2204.02311) count them. Looking up an embedding costs nothing. The backward pass is twice the
forward pass. What is computed a second time is not counted: neither what activation checkpointing
repeats, nor the scores that a fused attention kernel makes again in its backward pass (one product
more than the four counted here, by which a profiler's count of such a kernel is higher).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nucleate.core.errors import CheckpointError

_MLP_MATRICES = {
    "llama": 3,
    "mistral": 3,
    "mixtral": 3,
    "qwen2": 3,
    "qwen3": 3,
    "olmo2": 3,
    "gpt_neox": 2,
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The numbers that decide what a decoder costs.

    Attributes:
        family: `model_type` of its config.
        layers, width, vocab: Decoder layers, residual width, rows of the embedding.
        heads, kv_heads, head_width: Query heads, key/value heads, width of one head.
        mlp_width: Hidden width of the MLP, or of one expert.
        experts: Experts per layer, 0 where there are none.
        active: MLPs that one token passes through.
        tied: Whether the head shares the weights of the embedding.
        bias: Whether the attention projections have biases, where the family leaves it open.
        context: Longest sequence; 0 when the config does not say.
    """

    family: str
    layers: int
    width: int
    vocab: int
    heads: int
    kv_heads: int
    head_width: int
    mlp_width: int
    experts: int = 0
    active: int = 1
    tied: bool = False
    bias: bool = False
    context: int = 0

    @property
    def mlp_weights(self) -> int:
        """Weights of one MLP or expert, biases left out."""
        return _MLP_MATRICES[self.family] * self.width * self.mlp_width

    @property
    def attention_weights(self) -> int:
        """Weights of the four projections of one layer, biases left out."""
        return self.width * self.head_width * 2 * (self.heads + self.kv_heads)


def read_architecture(config: Mapping[str, Any], *, where: str = "") -> Architecture:
    """Read an architecture from the content of a ``config.json``.

    Args:
        config: The config as a mapping.
        where: The file it came from, for the error.

    Raises:
        CheckpointError: The architecture is another one, or a number is missing.
    """
    family = str(config.get("model_type"))
    if family not in _MLP_MATRICES:
        raise CheckpointError(
            "FLOPs of this architecture are not known",
            where=where,
            got=family,
            expected=", ".join(sorted(_MLP_MATRICES)),
        )
    try:
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        experts = int(config.get("num_local_experts") or 0)
        found = Architecture(
            family=family,
            layers=int(config["num_hidden_layers"]),
            width=width,
            vocab=int(config["vocab_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_width=int(config.get("head_dim") or width // heads),
            mlp_width=int(config["intermediate_size"]),
            experts=experts,
            active=int(config["num_experts_per_tok"]) if experts else 1,
            tied=bool(config.get("tie_word_embeddings", False)),
            bias=bool(config.get("attention_bias", family == "gpt_neox")),
            context=int(config.get("max_position_embeddings") or 0),
        )
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise CheckpointError(
            "is not the config of a model", where=where, got=str(error), expected="its sizes"
        ) from None
    sizes = (found.layers, found.width, found.vocab, found.heads, found.kv_heads, found.mlp_width)
    if min(*sizes, found.head_width, found.active) < 1 or found.experts < 0:
        raise CheckpointError(
            "is not the config of a model", where=where, got=sizes, expected="sizes of 1 or more"
        )
    return found


def forward_flops(architecture: Architecture, context: int) -> dict[str, float]:
    """Return the forward FLOPs of one token in a sequence of `context` tokens, by part.

    Parts: ``embedding``, ``attention_projections``, ``attention_scores``, ``mlp`` (only the
    experts that a token passes through), ``router`` (0 without experts), ``head``.
    """
    a = architecture
    return {
        "embedding": 0.0,
        "attention_projections": 2.0 * a.layers * a.attention_weights,
        "attention_scores": 4.0 * a.layers * a.heads * a.head_width * context,
        "mlp": 2.0 * a.layers * a.active * a.mlp_weights,
        "router": 2.0 * a.layers * a.width * a.experts,
        "head": 2.0 * a.width * a.vocab,
    }


def count_parameters(architecture: Architecture) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them one token passes through.

    Weights that embedding and head share count once.
    """
    a = architecture
    embeddings = a.width * a.vocab * (1 if a.tied else 2)
    router = a.width * a.experts
    layer = a.attention_weights + router + _vectors(a)
    mlps = max(a.experts, 1) * a.mlp_weights
    total = embeddings + a.layers * (layer + mlps) + _final_norm(a)
    return total, total - a.layers * (mlps - a.active * a.mlp_weights)


def _vectors(a: Architecture) -> int:
    """Return the norms and biases of one layer."""
    queries, keys = a.heads * a.head_width, a.kv_heads * a.head_width
    if a.family == "gpt_neox":  # two LayerNorms of weight and bias; attention and MLP with biases
        biases = 3 * queries + a.width if a.bias else 0
        return 4 * a.width + biases + a.mlp_width + a.width
    norms = 2 * a.width
    if a.family == "qwen2":
        return norms + queries + 2 * keys
    if a.family == "qwen3":
        norms += 2 * a.head_width
    if a.family == "olmo2":
        norms += queries + keys
    return norms + (queries + 2 * keys + a.width if a.bias else 0)


def _final_norm(a: Architecture) -> int:
    return 2 * a.width if a.family == "gpt_neox" else a.width
