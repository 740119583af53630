"""Values that cannot be right: outside their range, constant, coarse, or with impossible errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, is_share, listed, of_run

Array = NDArray[np.float64]

MIN_READINGS = 8
COARSE_LEVELS, COARSE_READINGS = 3, 20
"""A metric with at most so many values over at least so many readings is coarse."""

MAX_SE = 0.5
"""No share of two or more items has a larger standard error."""

SURE_BOUND = re.compile(r"ppl|perplexity")
"""Metrics that cannot fall below 1."""


def impossible_values(panel: Panel, skip: Collection[str] = ()) -> list[Flag]:
    """Return at most one flag each for impossible values, constants, coarse values, bad errors.

    Args:
        panel: One run.
        skip: Metrics that need no further word.
    """
    checks: tuple[tuple[str, Callable[[str, str, Array, Array], str]], ...] = (
        ("impossible values", _outside),
        ("constant metric", _constant),
        ("coarse metric", _coarse),
        ("implausible errors", _errors),
    )
    flags = []
    for kind, check in checks:
        said = {
            name: why
            for name, unit, row, se in zip(
                panel.metrics, panel.units, panel.values, panel.se, strict=True
            )
            if name not in skip
            and (why := check(name, unit, row[np.isfinite(row)], se[np.isfinite(row)]))
        }
        if said:
            first = next(iter(said.values()))
            more = f"; the same kind in {listed(list(said)[1:])}" if len(said) > 1 else ""
            text = f"{next(iter(said))}{of_run(panel.run)} {first}{more}"
            flags.append(Flag(kind, text, (panel.run,), tuple(said)))
    return flags


def _outside(name: str, unit: str, values: Array, se: Array) -> str:
    """Say how far a share leaves 0..1, or a perplexity falls below 1."""
    if is_share(name, unit, values):
        out = (values < -1e-9) | (values > 1 + 1e-9)
        return (
            f"leaves 0 to 1 in {out.sum()} readings (up to {_far(values):.3g})" if out.any() else ""
        )
    if SURE_BOUND.search(name.lower()) and not re.search(r"log|ln", name.lower()):
        out = values < 1 - 1e-6
        return (
            f"falls below 1 in {out.sum()} readings, which no perplexity can" if out.any() else ""
        )
    return ""


def _far(values: Array) -> float:
    return float(values[np.abs(values - 0.5).argmax()])


def _constant(name: str, unit: str, values: Array, se: Array) -> str:
    """Say that a metric never moves."""
    if values.size < MIN_READINGS or np.ptp(values) > 0:
        return ""
    return f"is exactly {values[0]:.4g} in all {values.size} readings"


def _coarse(name: str, unit: str, values: Array, se: Array) -> str:
    """Say that a metric takes very few values."""
    levels = np.unique(values).size
    if values.size < COARSE_READINGS or not 1 < levels <= COARSE_LEVELS:
        return ""
    return f"takes only {levels} values in {values.size} readings"


def _errors(name: str, unit: str, values: Array, se: Array) -> str:
    """Say what is wrong with standard errors."""
    known = np.isfinite(se)
    if not known.any():
        return ""
    if (se[known] < 0).any():
        return "has negative standard errors"
    if not is_share(name, unit, values):
        return ""
    if (se[known] > MAX_SE + 1e-9).any():
        return f"has a standard error of {se[known].max():.3g}, more than any share can have"
    inside = known & (values > 0.02) & (values < 0.98)
    none = int((se[inside] == 0).sum())
    if inside.sum() >= MIN_READINGS and 0 < none < inside.sum():
        return f"has a standard error of 0 in {none} readings strictly between 0 and 1"
    return ""
