"""Ablated heads: attention heads that say only their mean, so that nothing is learned by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field, field_validator

from nucleate.core.heads import label, unlabel
from nucleate.train.levers.base import Lever, Setting, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Objective, Training


class Ablate(Lever):
    """Let heads say only their mean over the batch while the model trains.

    It is a knife, no means of training: does an ability come later when the heads that end up
    carrying it are held out from before it comes (mean-ablation, Wang et al. 2022,
    arXiv:2211.00593, here in the forward pass of every step)? No gradient passes through such a
    head; weight decay still acts on it. Only training is changed: probes see the model with all
    its heads. `nucleate causal` runs the experiment with its control.

    Attributes:
        heads: Which ones, as in ``[L2H1, L2H3]``.
    """

    kind: Literal["ablate"] = "ablate"
    heads: tuple[str, ...] = Field(min_length=1)

    @field_validator("heads")
    @classmethod
    def _are_heads(cls, heads: tuple[str, ...]) -> tuple[str, ...]:
        for head in heads:
            unlabel(head)
        return heads

    def expected(self, to: Setting) -> str:
        """Take on or off."""
        return "" if isinstance(to, bool) else "true or false"

    def refuse(self, training: Training, to: Setting) -> None:
        """Refuse compiled runs, which would not see the change."""
        if training.recipe.compile and to:
            raise refused(self, "cannot reach into a compiled model", "compile: true", "false")

    def pull(self, training: Training, to: Setting) -> str:
        """Hold the heads out of training, or let them take part again.

        Raises:
            RecipeError: The model has no such head.
        """
        out: bool = taken(self, to)
        places = [unlabel(head) for head in self.heads]
        config = training.model.config
        layers, heads = config.num_hidden_layers, config.num_attention_heads
        if any(layer >= layers or head >= heads for layer, head in places):
            last = label(layers - 1, heads - 1)
            raise refused(self, "names a head that is not there", self.heads, f"L0H0 … {last}")
        name = f"{self.kind} {' '.join(self.heads)}"
        training.wrappers.pop(name, None)
        if out:
            training.wrappers[name] = _Averaged(training, places)
        return f"{', '.join(self.heads)} {'say only their mean' if out else 'take part again'}"


class _Averaged:
    """Heads that say only their mean, around whatever is minimised."""

    def __init__(self, training: Training, places: list[tuple[int, int]]) -> None:
        self._training, self._places = training, places

    def around(self, objective: Objective) -> Objective:
        """Compute the objective on the model with its heads averaged."""

        def averaged(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
            from nucleate.models.interventions import averaged_heads

            with averaged_heads(self._training.model, self._places):
                return objective(model, ids_BT)

        return averaged

    def flops(self) -> float:
        """It adds no product; the passes of an averaged head are booked as if it took part."""
        return 0.0
