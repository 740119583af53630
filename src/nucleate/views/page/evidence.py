"""How surely a level has changed, as its readings come in: the online detector, replayed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from nucleate.core import Curve, Level
from nucleate.core.units import tokens as in_tokens
from nucleate.detect.online.detector import ARL, SHORT_ARL, Alarm, OnlineDetector
from nucleate.views import svg
from nucleate.views.frame import token_domain
from nucleate.views.labels import level_name, probability, span
from nucleate.views.page.judging import Certainty

DENSE = 400
"""Readings from which on a stream counts as dense and false alarms must be rarer."""

SUSPECTED = 100.0
"""Evidence for a change of any age that is worth a word; see `OnlineDetector.suspicion`."""

WIDTH, HEIGHT = 300.0, 46.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What the stream of one level says.

    Attributes:
        level, metric: What is watched.
        says: The present state in a few words.
        state: ``found``, ``suspected`` or ``quiet``.
        found: The last alarm, with how long after its onset it came.
        course: How the verdict grew surer, in sentences, oldest first.
        drawing: Evidence over tokens, with the line that a finding has to cross.
    """

    level: str
    metric: str
    says: str
    state: str
    found: str
    course: tuple[str, ...]
    drawing: Markup


def watched(
    primary: Mapping[Level, str],
    curves: Mapping[str, Curve],
    courses: Mapping[str, Sequence[Certainty]],
    axis: str = "tokens",
) -> list[Watched]:
    """Replay the stream of every level and say what it shows by now.

    Args:
        primary: The metric that stands for each level.
        curves: By metric.
        courses: How the verdict of each metric came to be.
        axis: What positions count.
    """
    domain = token_domain([curves[metric] for metric in primary.values() if metric in curves])
    return [
        _watch(level, curves[metric], courses.get(metric, ()), domain, axis)
        for level, metric in primary.items()
        if metric in curves
    ]


def _watch(
    level: Level,
    curve: Curve,
    course: Sequence[Certainty],
    domain: tuple[float, float] | None,
    axis: str,
) -> Watched:
    arl = ARL if len(curve.steps) >= DENSE else SHORT_ARL
    detector = OnlineDetector(arl=arl)
    alarms: list[Alarm] = []
    trail: list[tuple[float, float]] = []
    for at, value, error in _stream(curve):
        alarm = detector.update(at, value, error)
        if alarm:
            alarms.append(alarm)
        evidence = alarm.evidence if alarm else max(detector.evidence, detector.suspicion)
        trail.append((at, evidence))
    state, says = _state(detector, alarms, trail, arl, axis)
    return Watched(
        level=str(level),
        metric=curve.metric,
        says=says,
        state=state,
        found=_told(alarms[-1], axis) if alarms else "",
        course=tuple(_sentence(point, axis) for point in course),
        drawing=_drawn(level, trail, alarms, arl, domain),
    )


def _stream(curve: Curve) -> Iterator[tuple[float, float, float]]:
    """Yield position, value and standard error; a dense stream as means over equal stretches."""
    tokens = curve.tokens
    usable = np.flatnonzero((tokens > 0) & np.isfinite(curve.values))
    values, errors = np.array(curve.values)[usable], np.array(curve.se)[usable]
    tokens = tokens[usable]
    if tokens.size <= DENSE:
        yield from zip(tokens.tolist(), values.tolist(), errors.tolist(), strict=True)
        return
    edges = np.geomspace(tokens[0], tokens[-1], DENSE + 1)[1:-1]
    bucket = np.searchsorted(edges, tokens, side="right")
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    counts = np.diff([*starts, tokens.size])
    for at, value in zip(
        (np.add.reduceat(tokens, starts) / counts).tolist(),
        (np.add.reduceat(values, starts) / counts).tolist(),
        strict=True,
    ):
        yield at, value, math.nan


def _state(
    detector: OnlineDetector,
    alarms: Sequence[Alarm],
    trail: Sequence[tuple[float, float]],
    arl: float,
    axis: str,
) -> tuple[str, str]:
    if detector.suspicion > SUSPECTED and (not alarms or trail[-1][0] > alarms[-1].position):
        times = detector.suspicion / arl
        share = "as much as" if times >= 1 else f"{times:.0%} of what"
        return "suspected", f"may be stepping now: {share} a finding needs"
    if alarms:
        way = "up" if alarms[-1].direction > 0 else "down"
        return "found", f"stepped {way} at {in_tokens(alarms[-1].onset)} {axis}"
    return "quiet", "no lasting step in the stream"


def _told(alarm: Alarm, axis: str) -> str:
    return (
        f"the stream alone said so at {in_tokens(alarm.position)} {axis}, "
        f"{math.log10(alarm.position / alarm.onset):.2f} decades after the step began"
    )


def _sentence(point: Certainty, axis: str) -> str:
    words = f"at {in_tokens(point.tokens)} {axis}: {point.verdict}"
    if math.isfinite(point.at) and math.isfinite(point.q):
        words += f" at {in_tokens(point.at)} ({span(point.lo, point.hi)}), q {probability(point.q)}"
    return words


def _drawn(
    level: Level,
    trail: Sequence[tuple[float, float]],
    alarms: Sequence[Alarm],
    arl: float,
    domain: tuple[float, float] | None,
) -> Markup:
    """Draw evidence on a log scale, with the threshold of a finding as a dotted line."""
    if domain is None or len(trail) < 2:
        return Markup("")
    x = svg.Scale(*domain, 2.0, WIDTH - 2.0, log=True)
    top = max(arl * 10.0, *(evidence for _, evidence in trail))
    y = svg.Scale(1.0, top, HEIGHT - 8.0, 4.0, log=True)
    xs = [x.clip(at) for at, _ in trail]
    ys = [y.clip(max(evidence, 1.0)) for _, evidence in trail]
    colour = f"lv-{level}"
    base = [y.start] * len(xs)
    parts = [
        svg.line(2, y.start, WIDTH - 2, y.start, class_="axis"),
        svg.band(xs, base, ys, class_=f"band {colour}"),
        svg.path(xs, ys, class_=f"line thin {colour}"),
        svg.line(2, y(arl), WIDTH - 2, y(arl), class_="chance"),
    ]
    for alarm in alarms:
        at = x.clip(alarm.position)
        parts.append(
            svg.line(x.clip(alarm.onset), y.start + 4, at, y.start + 4, class_=f"whisker {colour}")
        )
        parts.append(
            svg.tag("circle", cx=at, cy=y.clip(alarm.evidence), r=3.5, class_=f"dot {colour}")
        )
    peak = max(evidence for _, evidence in trail)
    label = (
        f"Evidence for a step of {level_name(level)}: highest {peak:.3g}, "
        f"a finding needs {arl:.3g}; {len(alarms)} found"
    )
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="chart evidence",
        role="img",
        aria_label=label,
    )
