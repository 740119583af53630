"""What every chart stands in: sizes, axes over tokens, and the read-outs of its points.

A chart is drawn at three natural widths; the page shows the one that fits, so that text keeps its
size from phone to wide screen without JavaScript.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from nucleate.core import Curve
from nucleate.core.units import tokens as in_tokens
from nucleate.views import svg
from nucleate.views.labels import number


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


def token_domain(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the smallest and largest positive position, or None when there are not two."""
    tokens = np.concatenate([curve.tokens for curve in curves]) if curves else np.empty(0)
    tokens = tokens[tokens > 0]
    if not tokens.size or tokens.min() == tokens.max():
        return None
    return float(tokens.min()), float(tokens.max())


@dataclass(frozen=True, slots=True)
class Series:
    """One drawn line with what the read-out says of each point; all lists have one length."""

    name: str
    colour: str
    xs: list[float]
    ys: list[float]
    shown: list[str]
    tokens: list[float]
    axis: str = "tokens"


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
        round(x, 1): f"{in_tokens(t)} {one.axis}"
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


MOST_DIGITS = 4
"""Decimals of a value beside an axis at most."""


def axis_y(
    y: svg.Scale, left: float, right: float, ticks: Sequence[float], *, digits: int = 1
) -> Markup:
    """Draw horizontal grid lines with their values on the left.

    Args:
        y: The vertical scale.
        left, right: Where the lines begin and end.
        ticks: Their values.
        digits: Decimals; more where a value would be rounded.
    """
    parts = []
    while digits < MOST_DIGITS and any(abs(round(t, digits) - t) > 1e-9 for t in ticks):
        digits += 1
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
