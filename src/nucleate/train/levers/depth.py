"""Depth growth: the same model with more layers, at first computing the same function."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Literal

import torch

from nucleate.models.transplant import fresh, transplant
from nucleate.train.levers.base import Lever, Setting, count_expected, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Training

_LAYER = re.compile(r"\.layers\.(\d+)\.")
_OUTPUT = re.compile(r"\.(o_proj|down_proj|attention\.dense|dense_4h_to_h)(\.|$)")
"""What writes into the residual stream: the last product of attention and MLP, with its bias."""
_SEED = 9_000_011
"""Keeps fresh layers apart from those of the recipe's model."""


class Depth(Lever):
    """Grow a shallow model until it has the layers of the recipe.

    New layers write nothing into the residual stream (their output projections are zero), so the
    model computes the same function at the moment of growth; the output projections learn first.
    Layers that are copied take over the optimiser's moments with the weights, all but the zeroed
    matrices, which begin without any; so do fresh layers. The recipe's model is the final one: a
    run pulls the lever to fewer layers before its first token, and keeps the lowest of them.

    Attributes:
        init: ``copy`` (weights of another layer, as Gong et al. 2019 and Du et al. 2024,
            arXiv:2405.15319) or ``fresh`` (newly drawn).
        stack: ``interleave`` puts each new layer right above the one that it copies, spread evenly
            over the layers that are trained; ``top`` puts all above the last and copies the
            layers in their order, from the lowest.
    """

    kind: Literal["depth"] = "depth"
    init: Literal["copy", "fresh"] = "copy"
    stack: Literal["interleave", "top"] = "interleave"

    def expected(self, to: Setting) -> str:
        """Take a number of layers."""
        return count_expected(to, "layers")

    def pull(self, training: Training, to: Setting) -> str:
        """Give the model `to` layers.

        Raises:
            RecipeError: They are more than the recipe's model has, or fewer than now and training
                has begun, or no trained layer would be left.
        """
        layers: int = taken(self, to)
        now = training.model.config.num_hidden_layers
        final = training.recipe.model.resolved().layers
        if final is not None and layers > final:
            raise refused(self, "makes more layers than the recipe's model has", to, f"1 … {final}")
        if layers < now and training.tokens:
            raise refused(self, "cannot take layers away once training has begun", to, f"≥ {now}")
        if layers <= training.frozen:
            raise refused(self, "leaves no layer to train", to, f"> {training.frozen}, the frozen")
        if layers != now:
            self._rebuild(training, layers)
        return f"{layers} layers, {max(0, layers - now)} of them new"

    def _rebuild(self, training: Training, layers: int) -> None:
        old = training.model
        now = old.config.num_hidden_layers
        sources = origins(now, layers, self.stack, training.frozen)
        config = copy.deepcopy(old.config)
        config.num_hidden_layers = layers
        new = fresh(type(old), config, training.recipe.seed + _SEED + layers).to(training.device)
        added = {i for i in range(len(sources)) if _is_new(sources, i, now, self.stack)}

        def parent(name: str) -> str | None:
            found = _LAYER.search(name)
            if found is None:
                return name
            layer = int(found[1])
            if layer in added and (self.init == "fresh" or _OUTPUT.search(name)):
                return None
            return name.replace(found[0], f".layers.{sources[layer]}.", 1)

        parents = transplant(new, old, parent)
        _silence(new, added)
        training.replace(new, parents)
        training.recost()


def origins(now: int, layers: int, stack: str, frozen: int = 0) -> list[int]:
    """Return, for each layer after a change of depth, the layer before it that it comes from.

    Args:
        now: Layers before.
        layers: Layers afterwards; with fewer than before, the lowest stay.
        stack: ``interleave`` or ``top``.
        frozen: Lowest layers that nothing is put between.
    """
    if layers <= now:
        return list(range(layers))
    if stack == "top":
        return [*range(now), *(i % now for i in range(layers - now))]
    trained = now - frozen
    spread = [frozen + i * trained // (layers - frozen) for i in range(layers - frozen)]
    return [*range(frozen), *spread]


def _is_new(sources: list[int], layer: int, now: int, stack: str) -> bool:
    """Say whether a layer was not there before: the first of each origin was."""
    if stack == "top":
        return layer >= now
    return layer > 0 and sources[layer] == sources[layer - 1]


@torch.no_grad()
def _silence(model: Any, added: set[int]) -> None:
    """Zero what some layers write into the residual stream."""
    for name, parameter in model.named_parameters():
        found = _LAYER.search(name)
        if found and int(found[1]) in added and _OUTPUT.search(name):
            parameter.zero_()
