"""Expert upcycling: a dense llama goes on as a mixtral whose experts are copies of its MLPs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field

from nucleate.models.transplant import fresh, transplant
from nucleate.train.levers.base import Lever, Setting, count_expected, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Training

_SEED = 11_000_027
"""Keeps the routers apart from everything else that the recipe's seed draws."""
_SHARED = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads head_dim "
    "num_key_value_heads hidden_act max_position_embeddings initializer_range rms_norm_eps "
    "rope_parameters pad_token_id bos_token_id eos_token_id tie_word_embeddings attention_dropout"
).split()


class Upcycle(Lever):
    """Make experts of the MLPs (sparse upcycling, Komatsuzaki et al. 2022, arXiv:2212.05055).

    All experts of a layer begin as copies of its MLP and the weights of the chosen ones add up to
    1, so the model computes the same function at that moment, whatever its fresh routers say.
    Everything but MLPs keeps its moments; those of the experts, which `transformers` keeps fused,
    begin without any. Under Muon, fused experts belong to AdamW.

    Attributes:
        active: Experts that each token passes through.
    """

    kind: Literal["upcycle"] = "upcycle"
    active: int = Field(default=2, ge=1)

    def expected(self, to: Setting) -> str:
        """Take a number of experts."""
        return count_expected(to, "experts")

    def pull(self, training: Training, to: Setting) -> str:
        """Give each layer `to` experts; 1 leaves the model dense.

        Raises:
            RecipeError: The model is no dense llama, or has fewer experts than tokens pass through.
        """
        experts: int = taken(self, to)
        if experts == 1:
            return "the model stays dense"
        config = training.model.config
        if config.model_type != "llama":
            raise refused(self, "needs a dense llama", config.model_type, "llama")
        if experts < self.active:
            raise refused(self, "makes too few experts", experts, f"≥ active, {self.active}")
        old = training.model
        new = upcycled(old, experts, self.active, training.recipe.seed + _SEED)
        training.replace(new, transplant(new.to(training.device), old, _parent(old)))
        training.recost()
        return f"{experts} experts a layer, {self.active} of them for each token"


def upcycled(dense: Any, experts: int, active: int, seed: int) -> Any:
    """Return a mixtral of fresh routers whose experts are all copies of the MLP of their layer."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        num_local_experts=experts,
        num_experts_per_tok=active,
        attn_implementation=dense.config._attn_implementation,
        **{name: getattr(dense.config, name) for name in _SHARED},
    )
    sparse = fresh(MixtralForCausalLM, config, seed)
    with torch.no_grad():
        for layer, model in zip(sparse.model.layers, dense.model.layers, strict=True):
            mlp = model.mlp
            layer.mlp.experts.gate_up_proj.copy_(
                torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
            )
            layer.mlp.experts.down_proj.copy_(mlp.down_proj.weight)
    return sparse


def _parent(dense: Any) -> Any:
    names = {name for name, _ in dense.named_parameters()}
    return lambda name: name if name in names else None
