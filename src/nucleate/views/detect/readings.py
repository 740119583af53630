"""The readings of one curve, drawn: points with their errors, or mean and range of many."""

from __future__ import annotations

import json
import math

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from nucleate.core import Curve
from nucleate.core.units import tokens
from nucleate.views import svg
from nucleate.views.detect.numbers import figure, unit

Array = NDArray[np.float64]

MOST_DOTS = 120
"""Readings drawn one by one; more are drawn as the range inside as many columns."""

LARGEST = 1e300
"""Readings beyond this are drawn nowhere: differences of them are not finite."""


def readings(curve: Curve) -> tuple[Array, Array, Array]:
    """Return positions, values and 1.96 standard errors of what a log axis can show."""
    at = curve.tokens
    values = np.array(curve.values, dtype=np.float64)
    errors = 1.96 * np.array(curve.se or (math.nan,) * at.size, dtype=np.float64)
    usable = np.isfinite(at) & (at > 0) & (np.abs(values) < LARGEST)
    order = np.argsort(at[usable], kind="stable")
    return at[usable][order], values[usable][order], errors[usable][order]


def values_drawn(values: Array, errors: Array, chance: float) -> tuple[float, float]:
    """Return the y domain: what readings, error bars and chance need.

    It spans ten error bars at least, so that noise does not fill the plot and pass for a change.
    """
    if not values.size:
        return 0.0, 1.0
    known = np.where(np.isfinite(errors), errors, 0.0)
    low, high = float((values - known).min()), float((values + known).max())
    if math.isfinite(chance) and abs(chance - low) < 2 * (high - low):
        low, high = min(low, chance), max(high, chance)
    missing = 10.0 * float(np.median(known)) - (high - low)
    pad = max(0.06 * (high - low), missing / 2) or max(abs(high) * 0.1, 0.5)
    return low - pad, high + pad


def line(curve: Curve, x: svg.Scale, y: svg.Scale) -> tuple[list[float], list[float]]:
    """Return the pixels of a curve that stands behind another; NaN outside of the plot."""
    at, values, _ = readings(curve)
    at, values = _thinned(at, values)
    ys = [y(float(v)) if y.lo <= v <= y.hi else math.nan for v in values]
    return [x(float(t)) for t in at], ys


def _thinned(at: Array, values: Array) -> tuple[Array, Array]:
    """Return means inside columns of the log axis where there are many readings."""
    if at.size <= MOST_DOTS:
        return at, values
    starts = _columns(at)
    sizes = np.diff([*starts, at.size])
    centres = np.exp(np.add.reduceat(np.log(at), starts) / sizes)
    return centres, np.add.reduceat(values, starts) / sizes


def _columns(at: Array) -> NDArray[np.intp]:
    """Return where each filled column of the log axis begins."""
    edges = np.geomspace(at[0], at[-1], MOST_DOTS + 1)[1:-1]
    return np.flatnonzero(np.diff(np.searchsorted(edges, at, side="right"), prepend=-1))


def drawn(at: Array, values: Array, errors: Array, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    """Draw readings one by one with error bars, or their range and mean where there are many."""
    middle_at, middle = _thinned(at, values)
    xs, ys = [x(float(t)) for t in middle_at], [y(float(v)) for v in middle]
    if at.size > MOST_DOTS:
        starts = _columns(at)
        top = [y(float(v)) for v in np.maximum.reduceat(values, starts)]
        bottom = [y(float(v)) for v in np.minimum.reduceat(values, starts)]
        return [
            svg.band(xs, bottom, top, class_="rawband lv-reading"),
            svg.path(xs, ys, class_="line lv-reading"),
        ]
    bars = [
        svg.line(px, y.clip(float(v - e)), px, y.clip(float(v + e)), class_="bar-error")
        for px, v, e in zip(xs, values, errors, strict=True)
        if math.isfinite(e)
    ]
    radius = 2.6 if at.size <= 60 else 1.8
    dots = [
        svg.tag("circle", cx=px, cy=py, r=radius, class_="reading")
        for px, py in zip(xs, ys, strict=True)
    ]
    return [svg.path(xs, ys, class_="joined"), svg.group(bars), svg.group(dots)]


def read_out(
    at: Array, values: Array, errors: Array, x: svg.Scale, y: svg.Scale, axis: str
) -> str | None:
    """Return what the page's script says at each reading; nothing depends on it."""
    if not at.size:
        return None
    if at.size > MOST_DOTS:
        at, values = _thinned(at, values)
        errors = np.full(at.size, math.nan)
    points = []
    for t, value, error in zip(at.tolist(), values.tolist(), errors.tolist(), strict=True):
        shown = figure(value) + (f" ± {figure(error)}" if math.isfinite(error) else "")
        here = [[0, round(y(value), 1), shown]]
        points.append([round(x(t), 1), f"{tokens(t)} {unit(axis)}", here])
    names = [["reading", "lv-reading"]]
    return json.dumps({"n": names, "p": points}, ensure_ascii=False, separators=(",", ":"))
