"""Small multiples: one panel for each metric family, its accuracy above and its margin beneath."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from nucleate.core import Curve, companion
from nucleate.views import svg
from nucleate.views.charts import sharp_changes
from nucleate.views.frame import Series, axis_x, axis_y, chart, token_domain
from nucleate.views.labels import (
    capital,
    level_rank,
    measure_name,
    metric_name,
    number,
    plus_minus,
    stem_of,
)

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis
    from nucleate.views.rows import VerdictRow

WIDTH, LEFT, RIGHT = 340.0, 34.0, 10.0
TALL, SHORT = 128.0, 78.0
"""Heights of the main plot and of the plot of the companion beneath it."""
GAP = 30.0


@dataclass(frozen=True, slots=True)
class Family:
    """What is drawn in one panel.

    Attributes:
        stem: The metrics' common name.
        title: Plain words.
        metrics: The main one first.
    """

    stem: str
    title: str
    level: str
    metrics: tuple[str, ...]


def families(curves: Mapping[str, Curve], order: Sequence[str] = ()) -> list[Family]:
    """Return the panels of a run: accuracies with their margins, other metrics alone.

    Args:
        curves: By metric.
        order: Metrics in the order of the table of verdicts, which the panels follow.
    """
    return families_of({metric: str(curve.level) for metric, curve in curves.items()}, order)


def families_of(levels: Mapping[str, str], order: Sequence[str] = ()) -> list[Family]:
    """Return the panels of metrics of which only the levels are known; see `families`."""
    place = {metric: index for index, metric in reversed(list(enumerate(order)))}
    margins = {companion(metric) for metric in levels}
    mains = [metric for metric in levels if metric not in margins]
    out = []
    for metric in mains:
        other = companion(metric)
        both = (metric, other) if other and other in levels else (metric,)
        title = capital(metric_name(metric))
        out.append(Family(stem_of(metric), title, levels[metric], both))
    return sorted(
        out,
        key=lambda family: (
            level_rank(family.level),
            place.get(family.metrics[0], len(place)),
            family.metrics,
        ),
    )


def panel(analysis: Analysis, family: Family) -> Markup:
    """Draw one family: plots that share the token axis."""
    domain = token_domain(list(analysis.curves.values()))
    if domain is None:
        return Markup("")
    x = svg.Scale(*domain, LEFT, WIDTH - RIGHT, log=True)
    parts: list[Markup] = []
    series: list[Series] = []
    top = 18.0
    for index, metric in enumerate(family.metrics):
        last = index == len(family.metrics) - 1
        bottom = top + (TALL if index == 0 else SHORT)
        drawn, line = _plot(analysis, metric, x, top, bottom, labels=last)
        parts += drawn
        series.append(line)
        top = bottom + GAP
    return chart(
        parts, WIDTH, top + 2, series, class_="chart panel", label=_described(analysis, family)
    )


def _described(analysis: Analysis, family: Family) -> str:
    notes = [
        f"{measure_name(metric)}: {analysis.assessments[metric].verdict}"
        for metric in family.metrics
        if metric in analysis.assessments
    ]
    return f"{family.title} over training {analysis.axis}; {'; '.join(notes)}"


def _plot(
    analysis: Analysis, metric: str, x: svg.Scale, top: float, bottom: float, *, labels: bool
) -> tuple[list[Markup], Series]:
    """Draw one metric: band of 95 % intervals, line, chance, transitions."""
    from nucleate.detect.halfwidth import half_widths

    curve = analysis.curves[metric]
    kept = [
        (step.tokens, value, float(half))
        for step, value, half in zip(curve.steps, curve.values, half_widths(curve), strict=True)
        if step.tokens > 0
    ]
    y = svg.Scale(*_value_domain(curve, kept), bottom, top)
    xs = [x(t) for t, _, _ in kept]
    ys = [y(value) for _, value, _ in kept]
    lower = [y.clip(value - half) for _, value, half in kept]
    upper = [y.clip(value + half) for _, value, half in kept]
    colour = f"lv-{curve.level}"
    parts = [
        axis_x(x, bottom, top, 3, labels=labels),
        axis_y(y, LEFT, WIDTH - RIGHT, y.ticks(3), digits=2),
        *_transitions(analysis, metric, x, top, bottom),
        _chance(curve, y),
        svg.band(xs, lower, upper, class_=f"band {colour}"),
        svg.path(xs, ys, class_=f"line {colour}"),
        svg.text(LEFT, top - 7, _caption(curve), class_="measure"),
    ]
    shown = [
        number(value) + (f" ± {plus_minus(half)}" if half > 0 else "") for _, value, half in kept
    ]
    name = measure_name(metric)
    at = [float(t) for t, _, _ in kept]
    return parts, Series(name, colour, xs, ys, shown, at, analysis.axis)


def _value_domain(curve: Curve, kept: Sequence[tuple[int, float, float]]) -> tuple[float, float]:
    """Return the y domain: 0 to 1 for fractions, else what the values and chance need.

    It spans ten error bars at least, so that noise does not fill the plot and pass for a change.
    """
    finite = [value for _, value, _ in kept if math.isfinite(value)]
    if curve.unit == "fraction" and all(0 <= value <= 1 for value in finite):
        return 0.0, 1.0
    if math.isfinite(curve.chance):
        finite.append(curve.chance)
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    halves = sorted(half for _, _, half in kept if math.isfinite(half))
    missing = (10.0 * halves[len(halves) // 2] if halves else 0.0) - (high - low)
    pad = max(0.06 * (high - low), missing / 2) or max(abs(high) * 0.1, 0.5)
    return (0.0 if 0 <= low < 0.3 * high else low - pad), high + pad


def _chance(curve: Curve, y: svg.Scale) -> Markup:
    if not math.isfinite(curve.chance) or not y.lo <= curve.chance <= y.hi:
        return Markup("")
    at = y(curve.chance)
    return svg.line(LEFT, at, WIDTH - RIGHT, at, class_="chance")


def _caption(curve: Curve) -> str:
    """Say what a plot shows: its measure, its unit, its chance level."""
    parts = [measure_name(curve.metric)]
    if curve.unit and curve.unit != "fraction":
        parts.append(curve.unit)
    if math.isfinite(curve.chance):
        parts.append(f"chance {number(curve.chance) if curve.chance else 0}")
    return ", ".join(parts)


def _transitions(
    analysis: Analysis, metric: str, x: svg.Scale, top: float, bottom: float
) -> list[Markup]:
    out = []
    level = analysis.curves[metric].level
    for found in sharp_changes(analysis, metric):
        left, right = x.clip(found.lo), x.clip(found.hi)
        width = max(right - left, 1.0)
        out.append(svg.rect(left, top, width, bottom - top, class_=f"interval lv-{level}"))
        at = x.clip(found.at)
        out.append(svg.line(at, top, at, bottom, class_=f"marker lv-{level}"))
    return out


def lane(domain: tuple[float, float], row: VerdictRow) -> Markup:
    """Draw where a change happened on a strip: its 10–90 % extent, its interval, its location.

    Args:
        domain: Tokens at the ends of the strip.
        row: The change; a hollow dot marks one that is not sharp.
    """
    x = svg.Scale(*domain, 4.0, 156.0, log=True)
    colour = f"lv-{row.level}"
    parts = [svg.line(4, 9, 156, 9, class_="grid")]
    if math.isfinite(row.at) and row.at > 0:
        if math.isfinite(row.width) and row.width > 0:
            half = 10 ** (row.width / 2)
            left, right = x.clip(row.at / half), x.clip(row.at * half)
            parts.append(svg.rect(left, 5, right - left, 8, class_=f"extent {colour}"))
        if math.isfinite(row.lo) and math.isfinite(row.hi) and row.lo > 0:
            parts.append(svg.line(x.clip(row.lo), 9, x.clip(row.hi), 9, class_=f"whisker {colour}"))
        shape = f"dot {colour}" if row.sharp else f"dot hollow {colour}"
        parts.append(svg.tag("circle", cx=x.clip(row.at), cy=9.0, r=3.5, class_=shape))
    return svg.tag("svg", *parts, viewBox="0 0 160 18", class_="lane", aria_hidden="true")
