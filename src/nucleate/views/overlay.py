"""One metric of several runs over each other, each run in its own colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from nucleate.core import Curve
from nucleate.views import svg
from nucleate.views.frame import Series, axis_x, axis_y, chart, token_domain
from nucleate.views.labels import number

WIDTH, HEIGHT, LEFT, RIGHT = 340.0, 190.0, 34.0, 10.0
MOST_COLOURS = 8
"""Colours of runs, named ``m0`` to ``m7`` in the style sheet; then they begin again."""

MOST_DOTS = 30
"""Readings of a curve up to which each has a dot."""


def overlay(
    own: Sequence[tuple[int, Curve]], names: Sequence[str], axis: str, metric: str
) -> Markup:
    """Draw one metric of several runs; nothing where no two positions differ.

    Args:
        own: Number and curve of each run that has the metric.
        names: Names of all runs, by number.
        axis: What positions count.
        metric: For the description.
    """
    domain = token_domain([curve for _, curve in own])
    if domain is None:
        return Markup("")
    x = svg.Scale(*domain, LEFT, WIDTH - RIGHT, log=True)
    values = [v for _, curve in own for v in curve.values if math.isfinite(v)]
    fraction = own[0][1].unit == "fraction"
    low, high = (0.0, 1.0) if fraction else (min(values, default=0.0), max(values, default=1.0))
    pad = 0.0 if fraction else 0.05 * (high - low) or 0.5
    y = svg.Scale(low - pad, high + pad, HEIGHT - 30.0, 14.0)
    parts = [axis_x(x, y.start, y.end, 3), axis_y(y, LEFT, WIDTH - RIGHT, y.ticks(3), digits=2)]
    chance = own[0][1].chance
    if math.isfinite(chance) and y.clip(chance) == y(chance):
        parts.append(svg.line(LEFT, y(chance), WIDTH - RIGHT, y(chance), class_="chance"))
    series = []
    for n, curve in own:
        kept = [
            (float(t), v)
            for t, v in zip(curve.tokens, curve.values, strict=True)
            if t > 0 and math.isfinite(v)
        ]
        colour = f"m{n % MOST_COLOURS}"
        xs, ys = [x(t) for t, _ in kept], [y(v) for _, v in kept]
        parts.append(svg.path(xs, ys, class_=f"line {colour}"))
        if len(kept) <= MOST_DOTS:
            parts += [
                svg.tag("circle", cx=a, cy=b, r=3.25, class_=f"dot {colour}")
                for a, b in zip(xs, ys, strict=True)
            ]
        said = [number(v) for _, v in kept]
        series.append(Series(names[n], colour, xs, ys, said, [t for t, _ in kept], axis))
    return chart(parts, WIDTH, HEIGHT, series, class_="chart panel", label=f"{metric} over {axis}")
