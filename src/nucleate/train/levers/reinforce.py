"""Attention-circuit reinforcement: a loss that pulls the best heads towards induction.

Shape legend: B rows, H heads, T tokens of a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field, model_validator

from nucleate.train.levers.base import Lever, Setting, own_name, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Objective, Training

_SMALLEST = 1e-6
"""Keeps the logarithm of no attention finite."""


class Reinforce(Lever):
    """Add `to` times the mean −log attention of the best heads to where a circuit needs it.

    An induction circuit is a head that attends to the previous token, below a head that attends to
    the token after the previous occurrence of the present one (Olsson et al. 2022,
    arXiv:2209.11895). At every step, the heads that do most of either are pulled to do more of it.
    Pushing the same circuit by data brought more induction and no consistent gain at equal FLOPs
    (Sabry and Belz 2025, arXiv:2509.22947); docs/levers.md has what was seen here. It waits while
    tokens are coarse, and is refused in compiled runs.

    Attributes:
        heads: Heads that are pulled towards each of the two patterns.
        previous: Layers whose heads may attend to the previous token; the lower half when left
            out, and with an empty list none is pulled towards it.
        induction: Layers whose heads may do induction; the upper half when left out, and with an
            empty list none is pulled towards it.
    """

    kind: Literal["reinforce"] = "reinforce"
    heads: int = Field(default=1, ge=1)
    previous: tuple[int, ...] | None = None
    induction: tuple[int, ...] | None = None

    @model_validator(mode="after")
    def _pulls_something(self) -> Reinforce:
        if self.previous == () and self.induction == ():
            raise ValueError("previous and induction are both empty: nothing would be pulled")
        return self

    def expected(self, to: Setting) -> str:
        """Take a weight."""
        fine = isinstance(to, (int, float)) and not isinstance(to, bool) and to >= 0
        return "" if fine else "a weight, 0 or more"

    def pull(self, training: Training, to: Setting) -> str:
        """Give the loss on attention the weight `to`; 0 takes it away.

        Raises:
            RecipeError: The run is compiled, or a layer is named that the model does not have.
        """
        weight: float = taken(self, to)
        if training.recipe.compile and weight:
            raise refused(
                self, "cannot see the attention of a compiled model", "compile: true", "false"
            )
        self.layers(training.model.config.num_hidden_layers)
        name = own_name(self, training)
        training.wrappers.pop(name, None)
        if weight:
            training.wrappers[name] = _Circuit(self, training, weight)
        training.recost()
        return f"−log attention of circuits has the weight {weight:g}"

    def layers(self, total: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the layers for the previous token and for induction, of a model of so many.

        Raises:
            RecipeError: One is named that such a model does not have.
        """
        named = [*(self.previous or ()), *(self.induction or ())]
        if any(not 0 <= layer < total for layer in named):
            raise refused(self, "names a layer that is not there", named, f"0 … {total - 1}")
        previous, induction = tuple(range((total + 1) // 2)), tuple(range(total // 2, total))
        return (
            previous if self.previous is None else self.previous,
            induction if self.induction is None else self.induction,
        )


@dataclass
class _Circuit:
    """The loss on attention, around whatever else is minimised."""

    lever: Reinforce
    training: Training
    weight: float

    def around(self, objective: Objective) -> Objective:
        """Compute the objective with attention in sight, and add to what is minimised beside it."""
        if self.training.coarse > 1:
            return objective

        def both(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
            bare = self.training.model
            previous, induction = self.lever.layers(bare.config.num_hidden_layers)
            with visible_attention(bare, {*previous, *induction}) as seen:
                loss, extra = objective(model, ids_BT)
            heads = self.lever.heads
            for layers, pattern in (
                (previous, previous_token),
                (induction, after_previous_occurrence),
            ):
                if layers:
                    weights = [seen[layer] for layer in layers]
                    extra = extra + self.weight * pattern_loss(weights, *pattern(ids_BT), heads)
            return loss, extra

        return both

    def flops(self) -> float:
        """Elementwise work, forward and backward: attention itself is computed in any case.

        For a token: comparing it with all of its row, and in each layer, head by head, reading one
        weight and writing and adding one row of gradients.
        """
        config, context = self.training.model.config, self.training.stream.context
        previous, induction = self.lever.layers(config.num_hidden_layers)
        if self.training.coarse > 1:
            return 0.0
        heads: int = config.num_attention_heads
        read = (len(previous) + len(induction)) * heads * (2.0 * context + 4)
        return read + (3.0 * context if induction else 0.0)


@contextmanager
def visible_attention(model: Any, layers: set[int]) -> Iterator[dict[int, torch.Tensor]]:
    """Let a model compute attention weights openly, and collect those of some layers.

    Yields:
        By layer, weights of shape ``(B, H, T, T)``; filled by the next forward pass.
    """
    seen: dict[int, torch.Tensor] = {}
    config = model.config
    before = config._attn_implementation
    hooks = []
    for index, layer in enumerate(model.base_model.layers):
        if index in layers:
            attention = getattr(layer, "self_attn", None) or layer.attention
            hooks.append(attention.register_forward_hook(_keeper(seen, index)))
    config._attn_implementation = "eager"
    try:
        yield seen
    finally:
        config._attn_implementation = before
        for hook in hooks:
            hook.remove()


def _keeper(seen: dict[int, torch.Tensor], index: int) -> Any:
    def keep(_: Any, __: Any, output: tuple[Any, torch.Tensor]) -> None:
        seen[index] = output[1]

    return keep


def previous_token(ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which token to attend to, shape ``(B, T)``, and whether there is one."""
    places = torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT)
    return (places - 1).clamp_min(0), places > 0


def after_previous_occurrence(ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which token follows the last earlier occurrence of each token, and whether one does.

    Both have shape ``(B, T)``.
    """
    places = torch.arange(1, ids_BT.shape[1] + 1, device=ids_BT.device)
    same_BTT = (ids_BT[:, :, None] == ids_BT[:, None, :]).tril(-1)
    after_BT = (same_BTT * places).amax(-1)  # the place after occurrence j is j + 1
    return after_BT, after_BT > 0


def pattern_loss(
    weights: list[torch.Tensor], targets_BT: torch.Tensor, there_BT: torch.Tensor, heads: int
) -> torch.Tensor:
    """Return the mean −log attention to the targets, of the heads that attend to them most.

    Args:
        weights: Attention of some layers, each of shape ``(B, H, T, T)``.
        targets_BT: Token to attend to.
        there_BT: Where there is one.
        heads: How many heads, of all layers together.
    """
    if not there_BT.any():
        return weights[0].new_zeros(())
    index_B1T1 = targets_BT[:, None, :, None]
    at_targets = [w.gather(-1, index_B1T1.expand(*w.shape[:3], 1)) for w in weights]
    mass_HN = torch.cat(at_targets, 1).squeeze(-1).transpose(0, 1)[:, there_BT].float()
    best = mass_HN.detach().mean(1).topk(min(heads, len(mass_HN))).indices
    return -(mass_HN[best] + _SMALLEST).log().mean()
