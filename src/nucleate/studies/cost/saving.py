"""A saving tried on: only with its interval, and never without saying that it is no result here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nucleate.core import UserError
from nucleate.studies.cost.figures import Figure

WARNING = (
    "A saving measured on a small run is not a result at this scale. This is what would follow "
    "if it carried over, which nothing here shows."
)
SAVED = ("flops", "device_hours", "wall_hours", "energy", "carbon", "money")
"""Figures that shrink with the FLOPs; 6ND does not, it counts tokens."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A share of the FLOPs that is not needed.

    Attributes:
        point: The estimate; .3 is 30 % less.
        lo, hi: Its interval; below 0 it costs more.
    """

    point: float
    lo: float
    hi: float


def read_saving(point: float | None, interval: str) -> Saving | None:
    """Read a saving and its interval as they are typed.

    Args:
        point: Such as .3; None for no saving.
        interval: Such as ``.2,.4``.

    Raises:
        UserError: One without the other, or numbers that no saving has.
    """
    if point is None and not interval:
        return None
    if point is None or not interval:
        raise UserError(
            "a saving is only shown with its interval",
            where="--saving",
            fix="pass both, such as --saving 0.3 --saving-interval 0.2,0.4",
        )
    try:
        lo, hi = (float(word) for word in interval.split(","))
    except ValueError:
        raise UserError(
            "is not an interval", where="--saving-interval", got=interval, expected="0.2,0.4"
        ) from None
    if not (all(map(math.isfinite, (lo, point, hi))) and lo <= point <= hi < 1):
        raise UserError(
            "the interval must hold the saving and end below 1",
            where="--saving-interval",
            got=f"{point:g} in {lo:g} to {hi:g}",
            fix="savings are shares: 30 % is 0.3",
        )
    return Saving(point, lo, hi)


def data(saving: Saving, outputs: Sequence[Figure]) -> dict[str, Any]:
    """Return what the saving would do to each figure, as JSON types."""
    shares = {"point": saving.point, "lo": saving.lo, "hi": saving.hi}
    rows = [
        {
            "key": figure.key,
            "name": figure.name,
            "unit": figure.unit,
            "without": figure.value,
            **{name: figure.value * (1 - share) for name, share in shares.items()},
            "mark": str(figure.mark),
        }
        for figure in outputs
        if figure.key in SAVED
    ]
    return {**shares, "mark": "assumed", "rows": rows, "warning": WARNING}
