"""The ladder: every level's score over tokens, with its transitions as marked bands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from nucleate.core import Curve, Transition
from nucleate.core.units import tokens as in_tokens
from nucleate.views import svg
from nucleate.views.frame import SIZES, Series, Size, axis_x, axis_y, chart, token_domain
from nucleate.views.labels import SHARP, level_name, number

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis

Array = NDArray[np.float64]


TAG_ROW = 17.0
"""Height of one row of tags above the plot."""


def ladder(analysis: Analysis) -> Markup:
    """Return the ladder in all sizes, or nothing when no level has a score."""
    return Markup("").join(ladder_at(analysis, size) for size in SIZES)


def ladder_at(analysis: Analysis, size: Size) -> Markup:
    """Return the ladder at one size."""
    from nucleate.detect import level_score
    from nucleate.detect.score import score_half_width

    curves = {level: analysis.curves[metric] for level, metric in analysis.primary.items()}
    domain = token_domain(list(curves.values()))
    if domain is None:
        return Markup("")
    x = svg.Scale(*domain, size.left, size.width - size.right, log=True)
    tags, num_rows = _tags(analysis, x)
    top = 12.0 + TAG_ROW * num_rows
    y = svg.Scale(0.0, 1.0, size.height - 66.0, top)
    areas, lines, series = [], [], []
    for level, curve in curves.items():
        tokens, scores = _positive(curve, level_score(curve))
        xs = [x(t) for t in tokens]
        ys = [y.clip(s) if math.isfinite(s) else math.nan for s in scores]
        colour = f"lv-{level}"
        _, halves = _positive(curve, score_half_width(curve))
        lower = [y.clip(s - half) for s, half in zip(scores, halves, strict=True)]
        upper = [y.clip(s + half) for s, half in zip(scores, halves, strict=True)]
        areas.append(svg.band(xs, lower, upper, class_=f"band faint {colour}"))
        lines.append(svg.path(xs, ys, class_=f"line {colour}"))
        series.append(
            Series(
                level_name(level),
                colour,
                xs,
                ys,
                [number(s) for s in scores],
                tokens,
                analysis.axis,
            )
        )
    parts = [
        axis_x(x, y.start, top, size.num_ticks),
        axis_y(y, size.left, size.width - size.right, [0, 0.25, 0.5, 0.75, 1], digits=2),
        svg.group(_bands(analysis, x, top, y.start)),
        svg.group(areas),
        svg.group(lines),
        _phase_strip(analysis, x, size.height - 26.0),
        svg.group(_end_labels(series, size, top, y.start)),
        svg.group(tags),
    ]
    return chart(
        parts,
        size.width,
        size.height,
        series,
        class_=f"chart {size.name}",
        label=_described(analysis),
    )


def _described(analysis: Analysis) -> str:
    levels = ", ".join(level_name(level) for level in analysis.primary)
    return (
        f"Score of each level over training {analysis.axis}: {levels}. {' '.join(analysis.story)}"
    )


def sharp_changes(analysis: Analysis, metric: str) -> list[Transition]:
    """Return the transitions of a metric that a smooth trend cannot explain."""
    found = analysis.assessments.get(metric)
    return [c for c in found.transitions if c.verdict in SHARP] if found else []


def level_changes(analysis: Analysis, metric: str) -> list[Transition]:
    """Return the sharp changes of whichever measure stands for a level's metric."""
    from nucleate.detect import standing

    found = standing(metric, analysis.assessments, analysis.curves)
    return sharp_changes(analysis, found.metric) if found else []


def _bands(analysis: Analysis, x: svg.Scale, top: float, bottom: float) -> list[Markup]:
    """Draw the interval of every primary transition as a band with a line at its location."""
    out = []
    for level, metric in analysis.primary.items():
        for found in level_changes(analysis, metric):
            left, right = x.clip(found.lo), x.clip(found.hi)
            out.append(
                svg.rect(
                    left, top, max(right - left, 1.0), bottom - top, class_=f"interval lv-{level}"
                )
            )
            at = x.clip(found.at)
            kind = f"marker {'dashed ' if found.width == 0 else ''}lv-{level}"
            out.append(svg.line(at, top - 3, at, bottom, class_=kind))
    return out


def _tags(analysis: Analysis, x: svg.Scale) -> tuple[list[Markup], int]:
    """Place the names of the transitions above the plot, in as many rows as they need."""
    wanted = sorted(
        (x.clip(found.at), level, found)
        for level, metric in analysis.primary.items()
        for found in level_changes(analysis, metric)
    )
    ends: list[float] = []
    out = []
    for at, level, found in wanted:
        words = f"{level_name(level)} {in_tokens(found.at)}"
        half = 3.9 * len(words)
        centre = min(max(at, x.start + half), x.end - half)
        row = next((i for i, end in enumerate(ends) if end < centre - half - 10), len(ends))
        ends[row : row + 1] = [centre + half]
        height = 12.0 + TAG_ROW * row
        out.append(svg.text(centre, height, words, class_=f"tag lv-{level}", text_anchor="middle"))
    return out, len(ends)


def _phase_strip(analysis: Analysis, x: svg.Scale, top: float) -> Markup:
    """Draw the phases beneath the token axis; a name that does not fit is left to the table."""
    out = []
    for phase in analysis.phases:
        left, right = x.clip(max(phase.begin, x.lo)), x.clip(max(phase.end, x.lo))
        out.append(svg.rect(left + 1, top, right - left - 2, 22, class_="phase-bar"))
        if 7.2 * len(phase.name) < right - left:
            middle = (left + right) / 2
            out.append(
                svg.text(middle, top + 15, phase.name, class_="phase-name", text_anchor="middle")
            )
    return svg.group(out)


def _end_labels(series: list[Series], size: Size, top: float, bottom: float) -> list[Markup]:
    """Write each line's name and last score at its right end, moved apart where they touch."""
    ends = []
    for one in series:
        finite = [index for index, value in enumerate(one.ys) if math.isfinite(value)]
        if finite:
            ends.append((one, finite[-1]))
    places = svg.spread([one.ys[last] for one, last in ends], 16.0, top + 4, bottom - 2)
    edge = size.width - size.right
    out = []
    for (one, last), place in zip(ends, places, strict=True):
        out.append(
            svg.tag("circle", cx=one.xs[last], cy=one.ys[last], r=3.0, class_=f"dot {one.colour}")
        )
        out.append(
            svg.path(
                [one.xs[last] + 4, edge + 7], [one.ys[last], place], class_=f"leader {one.colour}"
            )
        )
        label = svg.tag("tspan", one.name, class_="label-name")
        value = svg.tag("tspan", f" {one.shown[last]}" if size.name != "narrow" else "")
        out.append(
            svg.tag("text", label, value, x=edge + 10, y=place + 4, class_=f"label {one.colour}")
        )
    return out


def _positive(curve: Curve, values: Array) -> tuple[list[float], list[float]]:
    """Return positions and values without those at 0 tokens, which a log axis cannot show."""
    keep = curve.tokens > 0
    return [float(t) for t in curve.tokens[keep]], [float(v) for v in values[keep]]
