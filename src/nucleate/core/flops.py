"""Parameters and FLOPs of a transformer from the numbers of its config alone, without loading it.

Convention: a multiply-add is 2 FLOPs; only matrix products are counted. Attention scores are
counted over the full square of the context, without halving for the causal mask, as
`torch.utils.flop_counter` and the PaLM paper (Chowdhery et al. 2022, appendix B,
arXiv:2204.02311) count them. Looking up an embedding costs nothing. The backward pass is twice the
forward pass. What is computed a second time is not counted: neither what activation checkpointing
repeats, nor the scores that a fused attention kernel makes again in its backward pass (one product
more than the four counted here, by which a profiler's count of such a kernel is higher). Layers
that attend within a window only are counted over the full square too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nucleate.core.errors import CheckpointError
from nucleate.core.families import FAMILIES, Bias, Family


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
        context: Longest sequence; 0 when the config does not say.
        dense_layers, dense_width: Layers whose MLP has no experts beside others that do, and the
            hidden width of theirs.
        shared_width: Hidden width of an expert that every token passes through beside others.
        vectors: Parameters of the norms and biases of one layer, of an MLP like most layers'.
        others: Parameters of the last norm, and of positions that are learned.
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
    context: int = 0
    dense_layers: int = 0
    dense_width: int = 0
    shared_width: int = 0
    vectors: int = 0
    others: int = 0

    @property
    def mlp_weights(self) -> int:
        """Weights of one MLP or expert, biases left out."""
        return FAMILIES[self.family].matrices * self.width * self.mlp_width

    @property
    def dense_weights(self) -> int:
        """Weights of all MLPs that every token passes through beside experts."""
        widths = self.dense_layers * self.dense_width + self.routed_layers * self.shared_width
        return FAMILIES[self.family].matrices * self.width * widths

    @property
    def routed_layers(self) -> int:
        """Layers of experts; all layers where there are none."""
        return self.layers - self.dense_layers

    @property
    def router_weights(self) -> int:
        """Weights of one router, and of what weighs an expert that is shared."""
        return self.width * (self.experts + (1 if self.shared_width else 0))

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
    name = str(config.get("model_type"))
    if name not in FAMILIES:
        raise CheckpointError(
            "FLOPs of this architecture are not known",
            where=where,
            got=name,
            fix="nucleate cost --params needs none; docs/cost.md lists those known",
        )
    try:
        found = _read(name, _Said(config, FAMILIES[name]))
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


class _Said:
    """What a config says, under the names that Llama's has, with the defaults of its family."""

    def __init__(self, config: Mapping[str, Any], family: Family) -> None:
        self.config, self.family = config, family

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        value = self.config.get(self.family.keys.get(key, key))
        return self.family.defaults.get(key) if value is None else value

    def size(self, key: str) -> int:
        """Return a size that must be there."""
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return int(value)

    def holds(self, bias: Bias) -> bool:
        """Return whether there are biases."""
        key, default = bias
        return bool(self.config.get(key, default))


def _read(name: str, said: _Said) -> Architecture:
    family = said.family
    width, heads = said.size("hidden_size"), said.size("num_attention_heads")
    layers, mlp_width = said.size("num_hidden_layers"), said.get("intermediate_size")
    experts = dense_layers = dense_width = shared_width = 0
    if family.expert_width:
        named = said.get("num_experts")
        experts = int(said.get("num_local_experts") or 0) if named is None else int(named)
    if experts:
        dense_layers, dense_width = _without_experts(said, layers), int(mlp_width or 0)
        mlp_width = said.size(family.expert_width)
        shared_width = said.size(family.shared_width) if family.shared_width else 0
    if mlp_width is None and name == "gpt2":
        mlp_width = 4 * width
    found = Architecture(
        family=name,
        layers=layers,
        width=width,
        vocab=said.size("vocab_size"),
        heads=heads,
        kv_heads=int(said.get("num_key_value_heads") or heads),
        head_width=int(said.get("head_dim") or width // heads),
        mlp_width=int(mlp_width),
        experts=experts,
        active=said.size("num_experts_per_tok") if experts else 1,
        tied=bool(said.get("tie_word_embeddings") or False),
        context=int(said.get("max_position_embeddings") or 0),
        dense_layers=dense_layers,
        dense_width=dense_width if dense_layers else 0,
        shared_width=shared_width,
    )
    positions = found.context * width if family.positions else 0
    return replace(
        found, vectors=_vectors(found, said), others=family.norm_vectors * width + positions
    )


def _without_experts(said: _Said, layers: int) -> int:
    """Return in how many layers all tokens pass through one MLP, where others have experts."""
    named = set(said.get("mlp_only_layers") or ())
    every = int(said.get("decoder_sparse_step") or 1)
    return sum(layer in named or (layer + 1) % every != 0 for layer in range(layers))


def _vectors(a: Architecture, said: _Said) -> int:
    """Return the parameters of the norms and biases of one layer."""
    family = said.family
    queries, keys = a.heads * a.head_width, a.kv_heads * a.head_width
    norms = 1 if family.one_norm_if and said.get(family.one_norm_if) else family.norms
    found = norms * family.norm_vectors * a.width + family.extra
    if not family.qk_norm_if or said.get(family.qk_norm_if):
        found += {"": 0, "shared": 2 * a.head_width, "all": queries + keys}[family.qk_norm]
    if said.holds(family.qkv_bias):
        found += queries + 2 * keys
    if said.holds(family.out_bias):
        found += a.width
    if said.holds(family.mlp_bias):
        found += (family.matrices - 1) * a.mlp_width + a.width
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
        "mlp": 2.0 * (a.routed_layers * a.active * a.mlp_weights + a.dense_weights),
        "router": 2.0 * a.routed_layers * a.router_weights,
        "head": 2.0 * a.width * a.vocab,
    }


def count_parameters(architecture: Architecture) -> tuple[int, int]:
    """Return how many parameters there are, and how many of them one token passes through.

    Weights that embedding and head share count once.
    """
    a = architecture
    embeddings = a.width * a.vocab * (1 if a.tied else 2)
    everywhere = a.layers * (a.attention_weights + a.vectors) + a.dense_weights
    mlps = max(a.experts, 1) * a.mlp_weights
    total = embeddings + everywhere + a.routed_layers * (a.router_weights + mlps) + a.others
    return total, total - a.routed_layers * (mlps - a.active * a.mlp_weights)
