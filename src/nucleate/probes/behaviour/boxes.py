"""Box world: what is in a box now, by how long ago that changed, and how far the memory reaches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.corpora.narrative.boxes import BoxItem
from nucleate.probes.readings import choice_readings, pair_readings, standard_error
from nucleate.probes.registry import probe
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView

Floats = NDArray[np.float64]

OPERATIONS = (("op0", 0, 0), ("op1", 1, 1), ("op2_3", 2, 3), ("op4_7", 4, 7), ("op8_up", 8, 10**6))
"""Bins of operations since the asked box changed: name, first, last."""

WORDS = (("word0", 0, 0), ("word1_20", 1, 20), ("word21_50", 21, 50), ("word51_up", 51, 10**6))
"""The same distance in words of text."""


class BoxItems:
    """Box-world questions tokenised once.

    Args:
        items: See `corpora.narrative.boxes`.
        tokenizer: Any `transformers` tokenizer.
        context: Longest sequence, in tokens.

    Raises:
        DataError: There are no items.
    """

    def __init__(self, items: Sequence[BoxItem], tokenizer: Any, *, context: int = 2048) -> None:
        if not items:
            raise DataError("no items", where="BoxItems")
        self.items = tuple(items)
        asked = [(item.context, f" {option}") for item in items for option in item.options]
        self.requests = Requests(asked, tokenizer, context=context)
        self._ends = np.cumsum([len(item.options) for item in items])
        self.clusters = -1 - np.arange(len(items))

    def options(self, view: ModelView) -> list[Floats]:
        """Return the log-probabilities (nats) of each item's things, the right one first."""
        return np.split(self.requests.score(view).log_prob, self._ends[:-1])


def _cost(items: BoxItems) -> int:
    return items.requests.cost


@probe(name="boxes", level=Level.NARRATIVE, unit="nats", cost=_cost)
def boxes(view: ModelView, items: BoxItems) -> Iterable[Reading]:
    """By operations and words since the change, against each foil, and the horizon.

    ``boxes.last`` sets the truth against the thing mentioned last, ``boxes.initial`` against what
    the box held at the beginning (each where that is wrong); ``boxes.all`` against every thing.
    """
    options = items.options(view)
    yield from choice_readings("boxes.all", options, level=Level.NARRATIVE)
    for foil in ("last", "initial"):
        places = [getattr(item, foil) for item in items.items]
        pairs = [
            row[0] - row[place] for row, place in zip(options, places, strict=True) if place > 0
        ]
        if pairs:
            yield from pair_readings(f"boxes.{foil}", pairs, level=Level.NARRATIVE)
    for unit, bins in (("operations", OPERATIONS), ("words", WORDS)):
        distance = np.array([getattr(item, unit) for item in items.items])
        for name, first, last in bins:
            inside = np.flatnonzero((distance >= first) & (distance <= last))
            own = [options[place] for place in inside]
            yield from choice_readings(f"boxes.{name}", own, level=Level.NARRATIVE)
        excess = [_excess(row) for row in options]
        yield Reading(
            metric=f"boxes.horizon.{unit}",
            value=horizon(distance, np.array(excess), bins),
            n=len(options),
            unit=unit,
            level=Level.NARRATIVE,
        )


def _excess(row: Floats) -> float:
    """Return the margin of the right option over what knowing nothing gives, in nats."""
    with np.errstate(invalid="ignore"):
        return float(row[0] - np.logaddexp.reduce(row[1:]) + np.log(len(row) - 1))


def horizon(distance: NDArray[Any], margin: Floats, bins: Sequence[tuple[str, int, int]]) -> float:
    """Return d50: the distance at which the mean margin has fallen to half of that at 0.

    Between bins it is interpolated over their mean distances. The last bin's distance is returned
    where it never falls so far: then it is a lower bound.

    Returns:
        NaN where the margin at distance 0 is within 3 standard errors of nothing.
    """
    at, means = [], []
    for _, first, last in bins:
        inside = (distance >= first) & (distance <= last)
        if inside.any():
            at.append(float(distance[inside].mean()))
            means.append(float(margin[inside].mean()))
    first_bin = (distance >= bins[0][1]) & (distance <= bins[0][2])
    if not first_bin.any() or not means[0] > 3 * standard_error(margin[first_bin]):
        return float("nan")
    half = means[0] / 2
    for place in range(1, len(means)):
        if means[place] <= half:
            share = (means[place - 1] - half) / (means[place - 1] - means[place])
            return at[place - 1] + share * (at[place] - at[place - 1])
    return at[-1]
