"""Layer freezing: the lowest layers are not trained any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch

from nucleate.train.levers.base import Lever, Setting, count_expected, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Objective, Training


class Freeze(Lever):
    """Stop training the lowest layers, and the embedding below them.

    No gradient passes below the lowest trained layer, which saves the backward pass there (Brock et
    al. 2017, arXiv:1706.04983; Raghu et al. 2017, arXiv:1706.05806). An embedding of its own is not
    trained either; one that is shared with the head learns as the head alone. The optimiser forgets
    the moments of what is frozen; after a thaw they begin anew.
    """

    kind: Literal["freeze"] = "freeze"

    def expected(self, to: Setting) -> str:
        """Take a number of layers."""
        return count_expected(to, "lowest layers", 0)

    def pull(self, training: Training, to: Setting) -> str:
        """Train all but the `to` lowest layers.

        Raises:
            RecipeError: No layer would be left to train.
        """
        frozen: int = taken(self, to)
        layers = training.model.config.num_hidden_layers
        if frozen >= layers:
            raise refused(self, "leaves no layer to train", frozen, f"0 … {layers - 1}")
        if frozen != training.frozen:
            training.frozen = frozen
            training.wrappers.pop(self.kind, None)
            if frozen:
                training.wrappers[self.kind] = _NoGradientBelow()
            training.renew_optimizers()
            training.recost()
        return f"the lowest {frozen} of {layers} layers are not trained"


class _NoGradientBelow:
    """Keeps gradients from the lookup of an embedding that the head may still train."""

    def around(self, objective: Objective) -> Objective:
        """Compute the objective on a model whose input is a constant."""

        def cut(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
            return objective(_ConstantInput(model), ids_BT)

        return cut

    def flops(self) -> float:
        """It adds no product."""
        return 0.0


class _ConstantInput:
    """A model that looks tokens up without a gradient."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(
        self,
        *,
        input_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        **rest: Any,
    ) -> Any:
        if inputs_embeds is None:
            inputs_embeds = self._model.get_input_embeddings()(input_ids)
        return self._model(inputs_embeds=inputs_embeds.detach(), **rest)
