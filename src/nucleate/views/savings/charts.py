"""Drawings of a study of savings: intervals of all arms, the frontier, and paired seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from nucleate.core.units import si
from nucleate.views import svg
from nucleate.views.frame import SIZES, Size
from nucleate.views.labels import number
from nucleate.views.savings.words import colour, number_of, percent, quality_name

ROW = 30.0
_LEAST, _MOST = -0.5, 1.0
"""Savings outside are drawn at the edge."""


def intervals(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Markup:
    """Draw savings with their intervals over each other, in all sizes.

    Args:
        rows: Name, colour class, and what `study.json` says of the saving.
    """
    return Markup("").join(_intervals(rows, size) for size in SIZES if rows)


def _intervals(rows: Sequence[tuple[str, str, Mapping[str, Any]]], size: Size) -> Markup:
    left = 190.0 if size.width > 500 else 108.0
    right = size.width - 24.0
    values = [number_of(r["saving"][key]) for _, _, r in rows for key in ("value", "lo", "hi")]
    finite = [min(max(v, _LEAST), _MOST) for v in values if math.isfinite(v)]
    low, high = min([0.0, *finite]) - 0.03, max([0.3, *finite]) + 0.03
    bottom = 8.0 + ROW * len(rows)
    x = svg.Scale(low, high, left, right)
    parts = []
    for tick in x.ticks(size.num_ticks):
        parts.append(svg.line(x(tick), 4, x(tick), bottom, class_="grid" if tick else "axis"))
        parts.append(
            svg.text(x(tick), bottom + 18, percent(tick, 0), class_="tick", text_anchor="middle")
        )
    for place, (name, shade, found) in enumerate(rows):
        parts += _interval(name, shade, found["saving"], 8.0 + ROW * (place + 0.5), x)
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {size.width:g} {bottom + 26:g}",
        class_=f"chart {size.name}",
        role="img",
        aria_label="; ".join(f"{n}: {percent(r['saving']['value'])}" for n, _, r in rows),
    )


def _interval(
    name: str, shade: str, saving: Mapping[str, Any], y: float, x: svg.Scale
) -> list[Markup]:
    value, lo, hi = (number_of(saving[key]) for key in ("value", "lo", "hi"))
    parts = [svg.text(0, y + 4.5, name, class_=f"label label-name {shade}")]
    if math.isfinite(lo) or math.isfinite(hi):
        ends = [x.clip(bound if math.isfinite(bound) else x.lo) for bound in (lo, hi)]
        parts.append(svg.line(ends[0], y, ends[1], y, class_=f"whisker {shade}"))
    if math.isfinite(value):
        parts.append(svg.tag("circle", cx=x.clip(value), cy=y, r=5.0, class_=f"dot {shade}"))
    return parts


def frontier(workload: Mapping[str, Any], baseline: str, treated: str) -> Markup:
    """Draw quality over FLOPs: every baseline run, the pooled frontier, every run of other arms."""
    return Markup("").join(_frontier(workload, baseline, treated, size) for size in SIZES)


def _frontier(workload: Mapping[str, Any], baseline: str, treated: str, size: Size) -> Markup:
    drawn = workload["frontier"]
    sign = -1.0 if workload["quality"] == "loss" else 1.0
    points = [
        (name, number_of(cost), number_of(quality))
        for name, arm in workload["arms"].items()
        for cost, quality in zip(arm.get("costs", ()), arm.get("qualities", ()), strict=True)
    ]
    points += [
        (baseline, number_of(cost), number_of(quality))
        for row in drawn["qualities"]
        for cost, quality in zip(drawn["costs"], row, strict=True)
    ]
    points = [p for p in points if math.isfinite(p[1]) and math.isfinite(p[2])]
    if len({cost for _, cost, _ in points}) < 2:
        return Markup("")
    costs, levels = [c for _, c, _ in points], [sign * q for _, _, q in points]
    left, right, bottom = size.left + 24, size.width - 14.0, size.height - 48.0
    pad = 0.06 * (max(levels) - min(levels)) or 0.01
    ends = (min(levels) - pad, max(levels) + pad)
    x = svg.Scale(min(costs) / 1.06, max(costs) * 1.06, left, right, log=True)
    y = svg.Scale(*ends, bottom, 14.0)
    parts = [*_axes(x, y, size), _titles(workload["quality"], x, y, size)]
    curve = drawn["curve"]
    xs, ys = [x(cost) for cost, _ in curve], [y(sign * q) for _, q in curve]
    parts.append(svg.path(xs, ys, class_=f"line {colour(baseline, baseline, treated)}"))
    order = sorted(points, key=lambda point: (point[0] == treated, point[0] == baseline))
    for name, cost, quality in order:
        parts.append(_point(name, x(cost), y(sign * quality), baseline, treated))
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {size.width:g} {size.height:g}",
        class_=f"chart {size.name}",
        role="img",
        aria_label=f"{quality_name(workload['quality'])} over FLOPs, {len(points)} runs",
    )


def _point(name: str, x: float, y: float, baseline: str, treated: str) -> Markup:
    shade = colour(name, baseline, treated)
    if name in (baseline, treated):
        return svg.tag(
            "circle", cx=x, cy=y, r=4.5 if name == treated else 3.5, class_=f"dot {shade}"
        )
    return svg.tag("circle", cx=x, cy=y, r=3.0, class_=f"dot hollow {shade}")


def _axes(x: svg.Scale, y: svg.Scale, size: Size) -> list[Markup]:
    parts = [svg.line(x.start, y.start, x.end, y.start, class_="axis")]
    for value in _cost_ticks(x, size.num_ticks):
        parts.append(svg.line(x(value), y.end, x(value), y.start, class_="grid"))
        shown = si(value)
        parts.append(svg.text(x(value), y.start + 19, shown, class_="tick", text_anchor="middle"))
    for value in y.ticks(6):
        parts.append(svg.line(x.start, y(value), x.end, y(value), class_="grid"))
        parts.append(
            svg.text(x.start - 7, y(value) + 4, number(value), class_="tick", text_anchor="end")
        )
    return parts


def _cost_ticks(x: svg.Scale, most: int) -> list[float]:
    """Round values of a log axis; evenly spaced ones where it is short."""
    found = svg.log_ticks(x.lo, x.hi, most)
    return found if len(found) >= 3 else svg.linear_ticks(x.lo, x.hi, most)


def _titles(quality: str, x: svg.Scale, y: svg.Scale, size: Size) -> Markup:
    what = quality_name(quality) + (", nats per token" if quality == "loss" else "")
    return svg.group(
        [
            svg.text(x.start, y.end - 3, what, class_="axis-title"),
            svg.text(
                x.end,
                y.start + 38,
                "FLOPs of the whole run",
                class_="axis-title",
                text_anchor="end",
            ),
        ]
    )


def pairs(workload: Mapping[str, Any], seeds: Sequence[int], baseline: str, treated: str) -> Markup:
    """Draw a line for each seed: what the baseline needs for the same quality, and what T cost."""
    found = workload["arms"].get(treated, {})
    rows = [
        (seed, number_of(cost) / math.exp(number_of(ratio)), number_of(cost))
        for seed, cost, ratio in zip(
            seeds, found.get("costs", ()), found.get("log_ratios", ()), strict=False
        )
        if math.isfinite(number_of(cost)) and math.isfinite(number_of(ratio))
    ]
    if not rows:
        return Markup("")
    names = (f"{baseline} at equal quality", treated)
    return Markup("").join(_pairs(rows, names, size) for size in SIZES[1:])


def _pairs(rows: Sequence[tuple[int, float, float]], names: Sequence[str], size: Size) -> Markup:
    every = [cost for _, before, after in rows for cost in (before, after)]
    low, high = min(every), max(every)
    pad = (high / low) ** 0.08 if high > low else 1.1
    y = svg.Scale(low / pad, high * pad, 300.0, 34.0, log=True)
    left, right = 64.0, min(size.width - 78.0, 440.0)
    parts = []
    for value in _cost_ticks(y, 6):
        parts.append(svg.line(left, y(value), right, y(value), class_="grid"))
        parts.append(svg.text(left - 10, y(value) + 4, si(value), class_="tick", text_anchor="end"))
    for at, name, anchor in ((left, names[0], "start"), (right, names[1], "end")):
        parts.append(svg.line(at, y.end, at, y.start, class_="axis"))
        parts.append(svg.text(at, 18, name, class_="measure", text_anchor=anchor))
    places = svg.spread([y(after) for _, _, after in rows], 13.0, y.end, y.start)
    for (seed, before, after), place in zip(rows, places, strict=True):
        parts.append(svg.line(left, y(before), right, y(after), class_="pairline a1"))
        parts.append(svg.tag("circle", cx=left, cy=y(before), r=4.0, class_="dot a0"))
        parts.append(svg.tag("circle", cx=right, cy=y(after), r=4.0, class_="dot a1"))
        ends = [right + 6, right + 14, right + 20], [y(after), place, place]
        parts.append(svg.path(*ends, class_="leader a6"))
        parts.append(svg.text(right + 24, place + 4, f"seed {seed}", class_="tick"))
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {right + 78:g} 312",
        class_="chart pairs " + ("pairs-wide" if size.width > 500 else "narrow"),
        role="img",
        aria_label=f"FLOPs of {len(rows)} paired seeds",
    )


def floor_lane(floor: Mapping[str, Any]) -> Markup:
    """Draw a gain with its lower bound against the margin that must not be crossed."""
    gain, bound, margin = (number_of(floor[key]) for key in ("gain", "bound", "margin"))
    if not (math.isfinite(gain) and math.isfinite(bound)):
        return Markup("")
    reach = max(abs(gain), abs(bound), margin, 1e-9) * 1.15
    x: Callable[[float], float] = svg.Scale(-reach, reach, 4.0, 146.0)
    shade = "kept" if floor["holds"] else "lost"
    return svg.tag(
        "svg",
        svg.line(x(0.0), 2, x(0.0), 18, class_="axis"),
        svg.line(x(-margin), 2, x(-margin), 18, class_="marker limit"),
        svg.line(x(bound), 10, x(gain), 10, class_=f"whisker {shade}"),
        svg.tag("circle", cx=x(gain), cy=10.0, r=4.0, class_=f"dot {shade}"),
        viewBox="0 0 150 20",
        class_="lane",
        aria_hidden="true",
    )
