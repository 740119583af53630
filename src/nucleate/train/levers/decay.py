"""The end of a run, started when something has been reached instead of at a fixed place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nucleate.train.levers.base import Lever, Setting, refused, taken

if TYPE_CHECKING:
    from nucleate.train.training import Training


class Decay(Lever):
    """Let the learning rate fall to its final share from now on, and end the run with that.

    The decay of a warm-up–stable–decay schedule (Hu et al. 2024, arXiv:2404.06395; Hägele et al.
    2024, arXiv:2405.18392) does not depend on what came before, so it can begin at any time. It
    falls linearly from the rate at that moment. A run may so end before or after the `tokens` of
    its recipe.
    """

    kind: Literal["decay"] = "decay"

    def expected(self, to: Setting) -> str:
        """Take tokens, or a share of those trained on so far."""
        number = -1.0 if isinstance(to, (bool, str)) else float(to)
        fine = 0 < number < 1 or (number >= 1 and number.is_integer())
        return "" if fine else "tokens, or a share of the tokens so far between 0 and 1"

    def refuse(self, training: Training, to: Setting) -> None:
        """Refuse a share of no tokens at all."""
        if not training.tokens and 0 < taken(self, to) < 1:
            raise refused(
                self, "takes a share of the tokens so far, and there are none", to, "tokens"
            )

    def pull(self, training: Training, to: Setting) -> str:
        """Decay over `to` tokens or, where it is below 1, over that share of the tokens so far.

        Raises:
            RecipeError: The schedule is a cosine, which has one end, set beforehand.
        """
        amount: float = taken(self, to)
        if training.recipe.schedule.kind == "cosine":
            raise refused(
                self, "cannot end a cosine early", "schedule.kind: cosine", "wsd or constant"
            )
        length = int(amount) if amount >= 1 else max(1, round(amount * training.tokens))
        training.clock.start_decay(training.tokens, length)
        end = training.clock.total
        return f"the learning rate falls over {length:,} tokens, and the run ends at {end:,}"
