"""One curve as a small drawing: its readings with their errors, and where it changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from nucleate.core import Curve, Transition, Verdict
from nucleate.views import svg
from nucleate.views.detect.changes import Change
from nucleate.views.detect.numbers import place, tick, unit
from nucleate.views.detect.readings import drawn, line, read_out, readings, values_drawn
from nucleate.views.frame import axis_x

WIDTH, HEIGHT = 340.0, 196.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 10.0, 26.0, 172.0

MOST_OTHERS = 12
"""Other runs of the same metric drawn behind a curve."""

LETTER = 6.4
"""Width of a letter of the mark above a change, in pixels."""


def panel(rows: Sequence[Change], others: Sequence[Curve], domain: tuple[float, float]) -> Markup:
    """Draw one curve with its changes, and the same metric of other runs faintly behind it.

    Args:
        rows: The changes of the curve, at least one row.
        others: The same metric in other runs.
        domain: Ends of the axis, shared by all panels.
    """
    curve = rows[0].curve
    x = svg.Scale(*domain, LEFT, WIDTH - RIGHT, log=True)
    at, values, errors = readings(curve)
    y = svg.Scale(*values_drawn(values, errors, curve.chance), BOTTOM, TOP)
    behind = [svg.path(*line(other, x, y), class_="other") for other in others[:MOST_OTHERS]]
    parts = [
        axis_x(x, BOTTOM, TOP, 4),
        _axis_y(y),
        *(mark for row in rows for mark in _change(row, x)),
        _chance(curve, y),
        svg.group(behind),
        *drawn(at, values, errors, x, y),
        *_disturbances(rows[0].found.disturbances, x),
        *_tags(rows, x),
    ]
    read = read_out(at, values, errors, x, y, curve.axis)
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="chart panel lv-reading",
        role="img",
        aria_label=_described(rows),
        tabindex=0 if read else None,
        data_read=read,
    )


def _described(rows: Sequence[Change]) -> str:
    first = rows[0]
    where = place(first.row.at, first.row.lo, first.row.hi)
    at = "" if where == "–" else f" at {where} {unit(first.curve.axis)}"
    return f"{first.name} over {unit(first.curve.axis)}: {first.says}{at}"


def _axis_y(y: svg.Scale) -> Markup:
    parts = []
    for value in y.ticks(4):
        parts.append(svg.line(LEFT, y(value), WIDTH - RIGHT, y(value), class_="grid"))
        shown = tick(value)
        parts.append(svg.text(LEFT - 7, y(value) + 4, shown, class_="tick", text_anchor="end"))
    return svg.group(parts)


def _change(row: Change, x: svg.Scale) -> list[Markup]:
    """Draw the interval of a sharp change, or the onset and the extent of a broad one."""
    found, colour = row.row, f"lv-{row.row.level}"
    if not (math.isfinite(found.at) and found.at > 0):
        return []
    out = []
    if row.verdict is Verdict.BROAD_RISE:
        lo, hi = row.onset_interval
        if math.isfinite(lo) and math.isfinite(hi):
            left, right = x.clip(lo), x.clip(hi)
            out.append(_band(left, right, f"interval onset {colour}"))
        return [*out, _marker(x.clip(found.at), f"marker dashed {colour}")]
    if math.isfinite(found.width) and found.width > 0:
        half = 10 ** (found.width / 2)
        left, right = x.clip(found.at / half), x.clip(found.at * half)
        out.append(_band(left, right, f"interval wide {colour}"))
    if math.isfinite(found.lo) and math.isfinite(found.hi) and found.lo > 0:
        out.append(_band(x.clip(found.lo), x.clip(found.hi), f"interval {colour}"))
    return [*out, _marker(x.clip(found.at), f"marker {colour}")]


def _band(left: float, right: float, class_: str) -> Markup:
    return svg.rect(left, TOP, max(right - left, 1.5), BOTTOM - TOP, class_=class_)


def _marker(at: float, class_: str) -> Markup:
    return svg.line(at, TOP - 4, at, BOTTOM, class_=class_)


def _tags(rows: Sequence[Change], x: svg.Scale) -> list[Markup]:
    """Write where the changes are above the plot, the strongest first, while there is room."""
    taken: list[tuple[float, float]] = []
    out = []
    for found in (row.row for row in rows):
        if not (math.isfinite(found.at) and found.at > 0):
            continue
        words = place(found.at, found.lo, found.hi)
        half = LETTER * len(words) / 2
        centre = min(max(x.clip(found.at), LEFT + half), WIDTH - RIGHT - half)
        if any(abs(centre - other) < half + width + LETTER for other, width in taken):
            continue
        taken.append((centre, half))
        colour = f"tag lv-{found.level}"
        out.append(svg.text(centre, TOP - 9, words, class_=colour, text_anchor="middle"))
    return out


def _chance(curve: Curve, y: svg.Scale) -> Markup:
    if not math.isfinite(curve.chance) or not y.lo <= curve.chance <= y.hi:
        return Markup("")
    return svg.line(LEFT, y(curve.chance), WIDTH - RIGHT, y(curve.chance), class_="chance")


def _disturbances(found: Sequence[Transition], x: svg.Scale) -> list[Markup]:
    """Mark spikes and restarts by a small triangle at the bottom."""
    out = []
    for change in found:
        if x.lo <= change.at <= x.hi:
            at = x(change.at)
            out.append(
                svg.path(
                    [at - 4, at + 4, at, at - 4],
                    [BOTTOM, BOTTOM, BOTTOM - 7, BOTTOM],
                    class_="aside",
                )
            )
    return out
