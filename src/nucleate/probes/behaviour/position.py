"""Loss by position in the context, and the in-context-learning score.

The score is the mean loss late in the context minus the mean loss early in it (Olsson et al. 2022
use tokens 500 and 50 of 512; here the same fractions of the context, each averaged over a window).
More negative is better.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.probes.readings import mean_reading
from nucleate.probes.registry import probe
from nucleate.probes.scorer import make_plan, sequence_query
from nucleate.probes.view import ModelView

SHORTEST = 16
"""Fewest tokens of a row."""


class PositionItems:
    """Held-out rows of one length, each from one document where documents are long enough.

    Args:
        rows: Token ids, shape ``(R, T)`` with T ≥ 16.

    Raises:
        DataError: There is no row, or rows are shorter.
    """

    def __init__(self, rows: NDArray[np.int64]) -> None:
        if rows.ndim != 2 or not len(rows) or rows.shape[1] < SHORTEST:
            raise DataError(
                "rows are too short for loss by position",
                got=rows.shape,
                expected=f"rows of at least {SHORTEST} tokens",
            )
        self.rows = rows
        self.plan = make_plan([sequence_query(row.tolist(), 1) for row in rows])


def _cost(items: PositionItems) -> int:
    return items.plan.forward_tokens


FIRST_OCTAVE = 8
"""Loss by position starts here; earlier positions have next to no context."""


@probe(name="loss", level=Level.LONG_CONTEXT, unit="nats/token", cost=_cost)
def position(view: ModelView, items: PositionItems) -> Iterable[Reading]:
    """Held-out loss, loss by octave of position, and the in-context-learning score."""
    length = items.rows.shape[1]
    loss = -view.answers(items.plan).reshape(len(items.rows), length - 1)
    yield mean_reading(
        "loss.held_out.nll", loss.mean(1), level=Level.COOCCURRENCE, unit="nats/token"
    )
    start = FIRST_OCTAVE
    while start < length - 1:
        stop = min(2 * start, length)
        yield mean_reading(
            f"loss.at{start}_{stop - 1}.nll",
            loss[:, start - 1 : stop - 1].mean(1),
            level=Level.LONG_CONTEXT,
            unit="nats/token",
        )
        start = stop
    early, late = _window(length, 50 / 512), _window(length, 500 / 512)
    yield mean_reading(
        "loss.in_context.score",
        loss[:, late].mean(1) - loss[:, early].mean(1),
        level=Level.LONG_CONTEXT,
        unit="nats/token",
        chance=0.0,
    )


def _window(length: int, fraction: float) -> slice:
    """Positions around a fraction of the context, 1/16 of it wide, as a slice of the losses."""
    centre, half = round(fraction * length), max(1, length // 32)
    stop = min(centre + half, length - 1)
    return slice(max(0, stop - 2 * half), stop)
