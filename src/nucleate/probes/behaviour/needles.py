"""Needles at depth × length × complexity, and the length up to which they are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.narrative.needles import DEPTHS, LEVELS, NeedleItem
from nucleate.probes.behaviour.choice import ChoiceItems
from nucleate.probes.readings import choice_readings
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

THRESHOLD = 0.856
"""Accuracy that counts as finding the needle: RULER's, what Llama-2-7B scores at 4K there (Hsieh et
al. 2024). Its tasks are generated answers; these are choices among four, so lengths differ."""


class NeedleItems(ChoiceItems):
    """Needles tokenised once.

    Args:
        items: See `corpora.narrative.needles`.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens.

    Raises:
        DataError: There are no items.
    """

    def __init__(self, items: Sequence[NeedleItem], tokenizer: Any, *, context: int = 2048) -> None:
        if not items:
            raise DataError("no items", where="NeedleItems")
        self.items = tuple(items)
        super().__init__(
            [item.choice for item in items],
            tokenizer,
            name="needle",
            level=Level.LONG_CONTEXT,
            context=context,
            normalise=False,
        )

    def places(self, **wanted: Any) -> list[int]:
        """Return the places of items with some level, length or depth."""
        return [
            place
            for place, item in enumerate(self.items)
            if all(
                (item.choice.condition if name == "level" else getattr(item, name)) == value
                for name, value in wanted.items()
            )
        ]


def _cost(items: NeedleItems) -> int:
    return items.cost


@probe(name="needle", level=Level.LONG_CONTEXT, unit="nats", cost=_cost)
def needle(view: ModelView, items: NeedleItems) -> Iterable[Reading]:
    """Every level, every level × length, and every length × depth over all levels.

    ``needle.LEVEL.effective_length`` is the largest length (in tokens) at which, and at all shorter
    ones, accuracy reaches `THRESHOLD`; 0 where none does.
    """
    options = items.options(view)
    lengths = sorted({item.length for item in items.items})

    def readings(stem: str, places: Sequence[int]) -> list[Reading]:
        own = [options[place] for place in places]
        return list(choice_readings(stem, own, level=Level.LONG_CONTEXT))

    for level in LEVELS:
        yield from readings(f"needle.{level}", items.places(level=level))
        reached, going = 0.0, True
        for length in lengths:
            found = readings(f"needle.{level}.t{length}", items.places(level=level, length=length))
            yield from found
            going = going and bool(found) and found[0].value >= THRESHOLD
            reached = float(length) if going else reached
        yield Reading(
            metric=f"needle.{level}.effective_length",
            value=reached if np.isfinite(np.concatenate(options)).all() else float("nan"),
            n=len(items.items),
            unit="tokens",
            level=Level.LONG_CONTEXT,
        )
    for length in lengths:
        for depth in DEPTHS:
            places = items.places(length=length, depth=depth)
            yield from readings(f"needle.t{length}.depth{round(100 * depth)}", places)
