"""The training loss over log tokens, every record lightly and a smoothed line over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from nucleate.core import Step
from nucleate.views import svg
from nucleate.views.frame import SIZES, Series, Size, axis_x, axis_y, chart
from nucleate.views.labels import number

Array = NDArray[np.float64]

MAX_DRAWN = 500
"""Records drawn; more are drawn as the range inside as many columns."""

SMOOTH = 0.03
"""Standard deviation of the smoothing kernel, in decades of tokens."""


def loss_chart(steps: Sequence[Step], losses: Sequence[float]) -> Markup:
    """Return the loss curve in all sizes; nothing when fewer than two records are usable."""
    return Markup("").join(loss_at(steps, losses, size) for size in SIZES)


def loss_at(steps: Sequence[Step], losses: Sequence[float], size: Size) -> Markup:
    """Return the loss curve at one size; nothing when fewer than two records are usable."""
    tokens = np.array([step.tokens for step in steps], dtype=np.float64)
    values = np.array(losses, dtype=np.float64)
    rates = np.array([step.lr for step in steps], dtype=np.float64)
    usable = (tokens > 0) & np.isfinite(values)
    tokens, values, rates = tokens[usable], values[usable], rates[usable]
    if tokens.size < 2 or tokens[0] == tokens[-1]:
        return Markup("")
    return _at(tokens, values, rates, size)


def smoothed(tokens: Array, values: Array, at: Array) -> Array:
    """Return the Gaussian-kernel mean of values over log10(tokens), shape of `at`.

    Every position must have a record within four standard deviations of the kernel.
    """
    u = np.log10(tokens)
    out = np.empty(at.size)
    for index, centre in enumerate(np.log10(at)):
        near = slice(*np.searchsorted(u, [centre - 4 * SMOOTH, centre + 4 * SMOOTH]))
        weight = np.exp(-0.5 * ((u[near] - centre) / SMOOTH) ** 2)
        out[index] = float(np.sum(weight * values[near]) / np.sum(weight))
    return out


def _columns(tokens: Array, most: int) -> Array:
    """Return one recorded position for each of `most` columns of log10(tokens) that holds any."""
    edges = np.geomspace(tokens[0], tokens[-1], most + 1)[1:-1]
    column = np.searchsorted(edges, tokens, side="right")
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], tokens.size)
    middles = (starts + ends) // 2
    middles[-1] = tokens.size - 1
    return np.asarray(tokens[middles])


def _at(tokens: Array, values: Array, rates: Array, size: Size) -> Markup:
    with_rate = bool(np.ptp(rates) > 0)
    height = 300.0 + (62.0 if with_rate else 0.0)
    right = size.width - 14.0
    bottom = 266.0
    x = svg.Scale(float(tokens[0]), float(tokens[-1]), size.left, right, log=True)
    at = _columns(tokens, 200 if size.width > 500 else 120)
    curve = smoothed(tokens, values, at)
    low, high = float(values.min()), float(values.max())
    pad = 0.04 * (high - low) or 0.5
    y = svg.Scale(low - pad, high + pad, bottom, 12.0)
    xs, ys = [x(float(t)) for t in at], [y(float(v)) for v in curve]
    parts = [
        axis_x(x, bottom, 12.0, size.num_ticks, labels=not with_rate),
        axis_y(y, size.left, right, y.ticks(6)),
        _raw(tokens, values, x, y),
        svg.path(xs, ys, class_="line lv-loss"),
    ]
    shown = [f"{number(float(v), 3)} nats/token" for v in curve]
    series = [Series("loss, smoothed", "lv-loss", xs, ys, shown, [float(t) for t in at])]
    if with_rate:
        drawn, line = _rate_strip(tokens, rates, at, x, size)
        parts += drawn
        series.append(line)
    return chart(
        parts,
        size.width,
        height,
        series,
        class_=f"chart {size.name}",
        label=f"Training loss over tokens, from {values[0]:.2f} to {curve[-1]:.2f} nats per token",
    )


def _raw(tokens: Array, values: Array, x: svg.Scale, y: svg.Scale) -> Markup:
    """Draw every record, or the range of the records in each column when there are many."""
    if tokens.size <= MAX_DRAWN:
        xs = [x(float(t)) for t in tokens]
        return svg.path(xs, [y(float(v)) for v in values], class_="raw lv-loss")
    edges = np.geomspace(tokens[0], tokens[-1], MAX_DRAWN + 1)[1:-1]
    column = np.searchsorted(edges, tokens, side="right")
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    centres = np.exp(np.add.reduceat(np.log(tokens), starts) / np.diff([*starts, tokens.size]))
    lower, upper = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return svg.band(
        [x(float(t)) for t in centres],
        [y(float(v)) for v in lower],
        [y(float(v)) for v in upper],
        class_="rawband lv-loss",
    )


def _rate_strip(
    tokens: Array, rates: Array, at: Array, x: svg.Scale, size: Size
) -> tuple[list[Markup], Series]:
    """Draw the learning rate beneath: kinks of a schedule must not pass for the model's own."""
    top, bottom = 292.0, 332.0
    y = svg.Scale(0.0, float(rates.max()) * 1.08, bottom, top)
    here = np.interp(np.log10(at), np.log10(tokens), rates)
    xs, ys = [x(float(t)) for t in at], [y(float(r)) for r in here]
    shown = [f"{rate:.2e}" if math.isfinite(rate) else "–" for rate in here]
    parts = [
        axis_x(x, bottom, top, size.num_ticks),
        svg.text(size.left, top - 5, "learning rate", class_="measure"),
        svg.path(xs, ys, class_="line thin lv-loss"),
    ]
    return parts, Series("learning rate", "lv-loss", xs, ys, shown, [float(t) for t in at])
