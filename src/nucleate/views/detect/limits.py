"""What limits any finding: the spacing of the readings, the scale of the values, averaging."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nucleate.core import Verdict
from nucleate.views.detect.changes import Change, grid, strongest
from nucleate.views.detect.numbers import many
from nucleate.views.labels import number

FINE = 0.1
"""Decades between readings below which their spacing hides nothing that matters here."""

WIDE_SPAN = 3.0
"""Decades of values beyond which the values and their logarithm are different questions."""


def resolution(rows: Sequence[Change], max_width: float) -> str:
    """Say what the spacing of the readings lets anybody know."""
    from nucleate.detect.series import MAX_POINTS

    sharp = [row for row in rows if row.sharp and math.isfinite(row.gap)]
    if sharp:
        dense = any(len(row.curve.values) > MAX_POINTS for row in sharp)
        note = " (averaged where they are dense)" if dense else ""
        where = "around the changes" if len(sharp) > 1 else "around the change"
        apart = f"are {_range([row.gap for row in sharp])} decades apart"
        return f"The readings {where}{note} {apart}: nothing narrower can be shown."
    broad = [row.gap for row in rows if row.verdict is Verdict.BROAD_RISE]
    coarse = [gap for gap in broad if math.isfinite(gap) and gap > FINE]
    if not coarse:
        return ""
    middle = "Half-way through the broad changes the readings are"
    if max(coarse) >= max_width / 2:
        end = "a jump between two of them would look no different"
    else:
        end = "what happened between two of them is not known"
    return f"{middle} {_range(coarse)} decades apart: {end}."


def spanning(curves: Sequence[Change]) -> str:
    """Say where a sharp change is one of values that span several powers of ten."""
    wide = sorted({row.metric for row in curves if row.sharp and _decades(row) > WIDE_SPAN})
    if not wide:
        return ""
    names = wide[0] if len(wide) == 1 else f"{wide[0]} and {many(len(wide) - 1, 'other metric')}"
    return (
        f"Values of {names} span more than {WIDE_SPAN:.0f} powers of ten: the verdict is about "
        "the values as they stand, and their logarithm may well change smoothly."
    )


def _decades(row: Change) -> float:
    """Return how many powers of ten the readings span; 0 where some are not positive."""
    values = [value for value in row.curve.values if math.isfinite(value)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    return math.log10(high / low) if low > 0 else 0.0


def averaged(rows: Sequence[Change]) -> str:
    """Say that dense curves were averaged before they were analysed, where some were."""
    from nucleate.detect.series import MAX_POINTS

    dense = [row for row in strongest(rows) if len(row.curve.values) > MAX_POINTS]
    if not dense:
        return ""
    fewest = min(grid(row.curve).size for row in dense)
    which = "Curves" if len(dense) == len(strongest(rows)) else f"{len(dense)} curves"
    return (
        f"{which} with more than {MAX_POINTS} readings were averaged into at most {MAX_POINTS} "
        f"bins of log10 positions ({fewest} or more were filled)."
    )


def _range(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"
