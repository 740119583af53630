"""Token coarsening: several tokens of the data are one position of the model.

Shape legend: B rows, T tokens of a row, P patches of a row, K tokens of a patch, V vocabulary,
D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.nn.functional import log_softmax, nll_loss

from nucleate.train.levers.base import Lever, Setting, count_expected, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Objective, Training


class Coarsen(Lever):
    """Train on patches of K tokens, then on tokens again.

    A patch enters as the mean of its tokens' embeddings; each position predicts all tokens of the
    next patch with one softmax, and the loss is the mean over them (patch-level training, Shao et
    al. 2024, arXiv:2407.12665). A row of the same length in tokens is K times fewer positions.
    The loss of a coarse phase is no next-token loss, and probes of tokens say nothing in it.
    """

    kind: Literal["coarsen"] = "coarsen"

    def expected(self, to: Setting) -> str:
        """Take the tokens of a patch."""
        return count_expected(to, "tokens per position")

    def pull(self, training: Training, to: Setting) -> str:
        """Make patches of `to` tokens; 1 goes back to tokens.

        Raises:
            RecipeError: A row is no whole number of patches, or a single one.
        """
        size: int = taken(self, to)
        context = training.stream.context
        if context % size or context == size:
            raise refused(self, "leaves part of a row over", size, f"a divisor of {context}")
        training.coarse = size
        training.objective = patch_objective(size)
        training.recost()
        return f"{size} tokens are one position" if size > 1 else "each token is one position"


def patch_objective(size: int) -> Objective:
    """Return the objective on patches of `size` tokens: the plain one where that is 1."""
    from nucleate.train.training import model_outputs, next_token_loss

    if size == 1:
        return next_token_loss

    def objective(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        output, extra = model_outputs(model, inputs_embeds=patch_embeddings(model, ids_BT, size))
        return patch_loss(output.logits, ids_BT, size), extra

    return objective


def patch_embeddings(model: Any, ids_BT: torch.Tensor, size: int) -> torch.Tensor:
    """Return the mean embedding of the tokens of each patch, shape ``(B, P, D)``."""
    embeddings_BTD = model.get_input_embeddings()(ids_BT)
    mean_BPD: torch.Tensor = embeddings_BTD.unflatten(1, (-1, size)).mean(2)
    return mean_BPD


def patch_loss(logits_BPV: torch.Tensor, ids_BT: torch.Tensor, size: int) -> torch.Tensor:
    """Return the mean negative log-probability of all tokens of the next patch, in nats."""
    log_probabilities = log_softmax(logits_BPV[:, :-1].flatten(0, 1).float(), -1)
    targets = ids_BT.reshape(len(ids_BT), -1, size)[:, 1:].flatten(0, 1)
    losses = [nll_loss(log_probabilities, targets[:, k]) for k in range(size)]
    return torch.stack(losses).sum() / size
