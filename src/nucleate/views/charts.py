"""The ladder: every level's score over tokens, with its transitions as marked bands.

A chart is drawn at three natural widths; the page shows the one that fits, so that text keeps its
size from phone to wide screen without JavaScript.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from nucleate.core import Curve, Transition
from nucleate.core.units import tokens as in_tokens
from nucleate.views import svg
from nucleate.views.labels import SHARP, level_name, number

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Size:
    """A natural size in pixels with its margins; `name` is the CSS class that shows it."""

    name: str
    width: float
    height: float
    left: float
    right: float
    num_ticks: int


SIZES = (
    Size("wide", 1040, 460, 34, 142, 10),
    Size("medium", 720, 430, 34, 148, 7),
    Size("narrow", 360, 370, 28, 108, 4),
)

TAG_ROW = 17.0
"""Height of one row of tags above the plot."""


def token_domain(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the smallest and largest positive position, or None when there are not two."""
    tokens = np.concatenate([curve.tokens for curve in curves]) if curves else np.empty(0)
    tokens = tokens[tokens > 0]
    if not tokens.size or tokens.min() == tokens.max():
        return None
    return float(tokens.min()), float(tokens.max())


def ladder(analysis: Analysis) -> Markup:
    """Return the ladder in all sizes, or nothing when no level has a score."""
    return Markup("").join(ladder_at(analysis, size) for size in SIZES)


def ladder_at(analysis: Analysis, size: Size) -> Markup:
    """Return the ladder at one size."""
    from nucleate.detect import level_score
    from nucleate.detect.score import score_error

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
        halves = [1.96 * error for error in _positive(curve, score_error(curve))[1]]
        lower = [y.clip(s - half) for s, half in zip(scores, halves, strict=True)]
        upper = [y.clip(s + half) for s, half in zip(scores, halves, strict=True)]
        areas.append(svg.band(xs, lower, upper, class_=f"band faint {colour}"))
        lines.append(svg.path(xs, ys, class_=f"line {colour}"))
        series.append(
            Series(level_name(level), colour, xs, ys, [number(s) for s in scores], tokens)
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
    return f"Score of each level over training tokens: {levels}. {' '.join(analysis.story)}"


def sharp_changes(analysis: Analysis, metric: str) -> list[Transition]:
    """Return the transitions of a metric that a smooth trend cannot explain."""
    found = analysis.assessments.get(metric)
    return [c for c in found.transitions if c.verdict in SHARP] if found else []


def _bands(analysis: Analysis, x: svg.Scale, top: float, bottom: float) -> list[Markup]:
    """Draw the interval of every primary transition as a band with a line at its location."""
    out = []
    for level, metric in analysis.primary.items():
        for found in sharp_changes(analysis, metric):
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
        for found in sharp_changes(analysis, metric)
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


@dataclass(frozen=True, slots=True)
class Series:
    """One drawn line with what the read-out says of each point; all lists have one length."""

    name: str
    colour: str
    xs: list[float]
    ys: list[float]
    shown: list[str]
    tokens: list[float]


def chart(
    parts: Sequence[Markup],
    width: float,
    height: float,
    series: Sequence[Series],
    *,
    class_: str,
    label: str,
) -> Markup:
    """Wrap a drawing; the read-outs travel in a data attribute and work only with JavaScript."""
    read_out = _read_out(series)
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        class_=class_,
        role="img",
        aria_label=label,
        tabindex=0 if read_out else None,
        data_read=read_out,
    )


def _read_out(series: Sequence[Series]) -> str | None:
    """Return where each point stands and what it says, as compact JSON on one shared x."""
    columns: dict[float, list[list[object]]] = {}
    for index, one in enumerate(series):
        for x, y, shown in zip(one.xs, one.ys, one.shown, strict=True):
            if math.isfinite(y):
                columns.setdefault(round(x, 1), []).append([index, round(y, 1), shown])
    heads = {
        round(x, 1): f"{in_tokens(t)} tokens"
        for one in series
        for x, t in zip(one.xs, one.tokens, strict=True)
    }
    if not columns:
        return None
    points = [[x, heads[x], columns[x]] for x in sorted(columns)]
    names = [[one.name, one.colour] for one in series]
    return json.dumps({"n": names, "p": points}, ensure_ascii=False, separators=(",", ":"))


def axis_x(
    x: svg.Scale, bottom: float, top: float, num_ticks: int, *, labels: bool = True
) -> Markup:
    """Draw the token axis: grid lines, minor ticks, labels."""
    parts = [svg.line(x.start, bottom, x.end, bottom, class_="axis")]
    parts += [
        svg.line(x(t), bottom, x(t), bottom + 3, class_="axis") for t in svg.log_minor(x.lo, x.hi)
    ]
    for value in svg.log_ticks(x.lo, x.hi, num_ticks):
        at = x(value)
        parts.append(svg.line(at, top, at, bottom, class_="grid"))
        parts.append(svg.line(at, bottom, at, bottom + 5, class_="axis"))
        if labels:
            parts.append(
                svg.text(at, bottom + 19, in_tokens(value), class_="tick", text_anchor="middle")
            )
    return svg.group(parts)


def axis_y(
    y: svg.Scale, left: float, right: float, ticks: Sequence[float], *, digits: int = 1
) -> Markup:
    """Draw horizontal grid lines with their values on the left."""
    parts = []
    for value in ticks:
        at = y(value)
        parts.append(svg.line(left, at, right, at, class_="grid"))
        shown = _tick(value, digits)
        parts.append(svg.text(left - 7, at + 4, shown, class_="tick", text_anchor="end"))
    return svg.group(parts)


def _tick(value: float, digits: int) -> str:
    if value == int(value):
        return f"{value:.0f}".replace("-", "−")
    return number(value, digits).rstrip("0").replace("-", "−")


def _positive(curve: Curve, values: Array) -> tuple[list[float], list[float]]:
    """Return positions and values without those at 0 tokens, which a log axis cannot show."""
    keep = curve.tokens > 0
    return [float(t) for t in curve.tokens[keep]], [float(v) for v in values[keep]]
