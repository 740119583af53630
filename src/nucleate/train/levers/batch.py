"""Batch size: how many rows one optimiser step takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nucleate.train.levers.base import Lever, Setting, count_expected, taken

if TYPE_CHECKING:
    from nucleate.train.training import Training

_POWERS = {"constant": 0.0, "sqrt": 0.5, "linear": 1.0}


class Batch(Lever):
    """Take more or fewer rows per optimiser step (McCandlish et al. 2018, arXiv:1812.06162).

    Attributes:
        lr: How every peak learning rate follows the tokens of a batch, relative to the recipe's
            batch: not at all, by their square root (Malladi et al. 2022, arXiv:2205.10287, for
            Adam), or in proportion (Goyal et al. 2017, arXiv:1706.02677, for SGD).
    """

    kind: Literal["batch"] = "batch"
    lr: Literal["constant", "sqrt", "linear"] = "constant"

    def expected(self, to: Setting) -> str:
        """Take a number of rows."""
        return count_expected(to, "rows")

    def pull(self, training: Training, to: Setting) -> str:
        """Take `to` rows per step, of the length that rows have now."""
        rows: int = taken(self, to)
        stream, recipe = training.stream, training.recipe
        stream.reshape(rows, stream.context)
        ratio = rows * stream.context / (recipe.rows * recipe.context)
        training.rate = ratio ** _POWERS[self.lr]
        return f"batches of {rows} × {stream.context} tokens, peak rates × {training.rate:.3g}"
