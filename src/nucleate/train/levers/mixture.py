"""Data by level: a share of the rows tells stories with other weights than the corpus does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nucleate.core import RecipeError
from nucleate.corpora.storyworld import Mixture
from nucleate.train.levers.base import Lever, Setting, give_rows, share_expected

if TYPE_CHECKING:
    from nucleate.train.training import Training

_SEED = 7_000_003
"""Keeps these stories apart from those of the corpus, whatever the recipe's seed."""


class StoryMixture(Lever):
    """Give a share of the rows to stories of the same world, told with another mixture.

    Attributes:
        name: Tells the rows of several such levers apart.
        mixture: Weights of the kinds of sentence, and how long stories are.
    """

    kind: Literal["mixture"] = "mixture"
    name: str = "dense"
    mixture: Mixture

    @property
    def stream(self) -> str:
        """One for each name."""
        return self.name

    def expected(self, to: Setting) -> str:
        """Take a share of the rows."""
        return share_expected(to)

    def pull(self, training: Training, to: Setting) -> str:
        """Give these stories the share `to` of the rows.

        Raises:
            RecipeError: The corpus is no story world, or other levers leave less than that.
        """
        retold = training.workload.retold
        if retold is None:
            raise RecipeError(
                "only stories of the built-in world can be told with another mixture",
                where="levers",
                got=training.recipe.corpus.kind,
                fix="take the lever out, or use another one",
            )
        give_rows(self, training, retold(self.mixture, training.recipe.seed + _SEED), to)
        return f"{to:.0%} of the rows are stories of the mixture {self.name}"
