"""Sequence length: shorter rows and more of them, at the same number of tokens in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nucleate.train.levers.base import Lever, Setting, count_expected, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Training


class Sequence(Lever):
    """Cut the same tokens into rows of another length (Li et al. 2022, arXiv:2108.06084).

    Batches keep their number of tokens, so learning rate and schedule keep their meaning. What a
    short row saves is the attention scores, and nothing else.
    """

    kind: Literal["sequence"] = "sequence"

    def expected(self, to: Setting) -> str:
        """Take the tokens of a row."""
        return count_expected(to, "tokens of a row", 2)

    def pull(self, training: Training, to: Setting) -> str:
        """Make rows of `to` tokens.

        Raises:
            RecipeError: The batch is no whole number of such rows, or the model is not made for
                rows of that length, or a row is no whole number of patches.
        """
        length: int = taken(self, to)
        stream = training.stream
        batch = stream.rows * stream.context
        if batch % length:
            raise refused(self, "leaves part of a batch over", length, f"a divisor of {batch}")
        longest = training.model.config.max_position_embeddings
        if length > longest:
            raise refused(self, "makes rows too long for the model", length, f"≤ {longest}")
        if length % training.coarse or length == training.coarse > 1:
            patches = f"several patches of {training.coarse}"
            raise refused(self, "leaves part of a row over", length, patches)
        stream.reshape(batch // length, length)
        training.recost()
        return f"batches of {stream.rows} × {length} tokens"
