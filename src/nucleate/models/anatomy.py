"""Parameters, layers and heads of a model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from nucleate.models.families import FAMILIES, Family


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """How many parameters a model has; shared weights count once.

    Attributes:
        total: All of them.
        embedding: In the token embedding.
        head: In the output head (0 when it shares the embedding's weights).
        active: Total without the experts that one token does not pass through.
    """

    total: int
    embedding: int
    head: int
    active: int

    @property
    def non_embedding(self) -> int:
        """Total without embedding and head: the N of Kaplan et al. (2020), arXiv:2001.08361."""
        return self.total - self.embedding - self.head


def parameter_counts(model: PreTrainedModel) -> ParameterCounts:
    """Count the parameters of a model."""
    total = sum(parameter.numel() for parameter in model.parameters())
    embedding = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    own_head = head is not None and head.weight is not embedding
    return ParameterCounts(
        total=total,
        embedding=embedding.numel(),
        head=head.weight.numel() if own_head else 0,
        active=total - _idle_expert_parameters(model),
    )


def layer_names(config: PretrainedConfig) -> list[str]:
    """Name the layers: ``L0``, ``L1`` …"""
    return [f"L{layer}" for layer in range(config.num_hidden_layers)]


def head_names(config: PretrainedConfig) -> list[str]:
    """Name the attention heads, layer by layer: ``L0H0``, ``L0H1`` … ``L1H0`` …"""
    return [
        f"{layer}H{head}"
        for layer in layer_names(config)
        for head in range(config.num_attention_heads)
    ]


def layer_modules(model: PreTrainedModel) -> dict[str, nn.Module]:
    """Return the decoder layers by name, in order."""
    base, family = model.base_model, FAMILIES.get(model.config.model_type, Family())
    return dict(zip(layer_names(model.config), getattr(base, family.layers), strict=True))


def num_experts(config: PretrainedConfig) -> int:
    """Return how many experts a layer with experts has that a router chooses from; 0 without."""
    names = ("num_local_experts", "num_experts")
    return next((int(value) for name in names if (value := getattr(config, name, None))), 0)


def _idle_expert_parameters(model: PreTrainedModel) -> int:
    experts = num_experts(model.config)
    if not experts:
        return 0
    in_experts: int = sum(
        parameter.numel() for name, parameter in model.named_parameters() if ".experts." in name
    )
    return in_experts // experts * (experts - int(model.config.num_experts_per_tok))
