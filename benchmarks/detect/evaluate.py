"""Show the same curves to every detector, one grid at a time, and note what each of them claims."""

from __future__ import annotations

import inspect
import math
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.detect.curves import (
    CHANGES,
    CLEAR,
    NUISANCES,
    Curve,
    Grid,
    draw,
    draw_grid,
    draw_panel,
)
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.peers import PEERS, SLOW, Found
from nucleate.core import Curve as Measured
from nucleate.core import Level, Step
from nucleate.detect import MAX_WIDTH, assess, assess_curves
from nucleate.detect.assess import NUM_BOOTSTRAP
from nucleate.detect.cache import GridCache

OURS, TOLD = "nucleate", "nucleate, told the learning rate"

REACH = 0.2
"""A claim within this many decades of a change has found it."""

PANEL = 20
"""Smooth metrics in one panel."""

TAKES_LR = "lr" in inspect.signature(assess).parameters


@dataclass(frozen=True)
class Row:
    """What one detector said of one curve.

    Attributes:
        claims: Number of changes claimed.
        hits: For every true change: None if it was not found, else whether the interval covers it,
            the width of that interval and the error of the location, in decades.
        gaps: For every true change: the distance, in decades, of the two readings around it; no
            interval that holds both can be shorter.
        panel: Number of the panel that the curve belongs to (-1: none).
    """

    detector: str
    what: str
    labels: dict[str, str]
    claims: int
    hits: tuple[tuple[bool, float, float] | None, ...]
    seconds: float
    gaps: tuple[float, ...] = ()
    panel: int = -1


@dataclass(frozen=True)
class Task:
    """What is drawn on one grid: `each` curves of every sort, `smooth` smooth ones, some panels."""

    seed: int
    index: int
    kind: str
    each: int
    smooth: int
    panels: int
    peers: tuple[str, ...]


def evaluate(task: Task) -> list[Row]:
    """Draw the curves of one grid and assess them with every detector."""
    rng = np.random.default_rng([task.seed, task.index])
    grid = draw_grid(rng, task.kind)
    cache = GridCache(MAX_WIDTH, 0, NUM_BOOTSTRAP)
    rows: list[Row] = []
    for what in (*NUISANCES, *CHANGES):
        for turn in range(task.smooth if what == "smooth" else task.each):
            try:
                curve = draw(rng, what, grid, least_snr=CLEAR)
            except DoesNotFitError:
                break
            rows += _assess(curve, cache, task, turn)
    for number in range(task.panels):
        rows += _assess_panel(draw_panel(rng, grid, PANEL), grid, task, number)
    return rows


def _assess(curve: Curve, cache: GridCache, task: Task, turn: int) -> list[Row]:
    rows = [_row(OURS, curve, *_timed(_ours, curve, cache))]
    if TAKES_LR and curve.lr is not None:
        rows.append(_row(TOLD, curve, *_timed(_told, curve, cache)))
    for name in task.peers:
        if (turn + task.index) % SLOW.get(name, 1) == 0:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rows.append(_row(name, curve, *_timed(PEERS[name], curve.steps, curve.values)))
    return rows


def _assess_panel(panel: list[Curve], grid: Grid, task: Task, number: int) -> list[Row]:
    """Assess one run of smooth metrics; peers, which know no families, see one panel per grid."""
    tag = task.index * 1000 + number
    named = {f"m{i}.{_measure(curve)}": curve for i, curve in enumerate(panel)}
    started = time.perf_counter()
    found = assess_curves({name: measured(name, curve) for name, curve in named.items()})
    seconds = (time.perf_counter() - started) / len(panel)
    rows = []
    for name, curve in named.items():
        changes = [(t.at, t.lo, t.hi) for t in found[name].transitions]
        rows.append(replace(_row(OURS, curve, changes, seconds), panel=tag))
    for peer in task.peers if number == 0 else ():
        if peer not in SLOW:
            for curve in panel:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    row = _row(peer, curve, *_timed(PEERS[peer], curve.steps, curve.values))
                rows.append(replace(row, panel=tag))
    return rows


def _ours(curve: Curve, cache: GridCache) -> Found:
    found = assess(curve.steps, curve.values, curve.stderr, cache=cache)
    return [(t.at, t.lo, t.hi) for t in found.transitions]


def _told(curve: Curve, cache: GridCache) -> Found:
    found = assess(curve.steps, curve.values, curve.stderr, cache=cache, lr=curve.lr)
    return [(t.at, t.lo, t.hi) for t in found.transitions]


def _timed(detector, *arguments) -> tuple[Found, float]:
    started = time.perf_counter()
    found = detector(*arguments)
    return found, time.perf_counter() - started


def _row(name: str, curve: Curve, found: Found, seconds: float) -> Row:
    hits = match([change.at for change in curve.changes], found)
    gaps = tuple(_gap(curve, change.at) for change in curve.changes)
    return Row(name, curve.what, curve.labels, len(found), tuple(hits), seconds, gaps)


def _gap(curve: Curve, at: float) -> float:
    """Return the distance, in decades, of the two readings around a step."""
    steps = curve.steps[np.isfinite(curve.values)]
    after = int(np.clip(np.searchsorted(steps, at), 1, steps.size - 1))
    return float(np.log10(steps[after] / steps[after - 1]))


def match(truths: list[float], found: Found) -> list[tuple[bool, float, float] | None]:
    """Give every true change the nearest claim within `REACH` that no other change has.

    >>> match([100.0, 1e4], [(110.0, 90.0, 130.0)])[1] is None
    True
    """
    pairs = sorted(
        (abs(math.log10(claim[0] / truth)), i, j)
        for i, truth in enumerate(truths)
        for j, claim in enumerate(found)
    )
    hits: list[tuple[bool, float, float] | None] = [None] * len(truths)
    taken = set()
    for error, i, j in pairs:
        if error <= REACH and hits[i] is None and j not in taken:
            _, low, high = found[j]
            hits[i] = (low <= truths[i] <= high, math.log10(high / low), error)
            taken.add(j)
    return hits


def _measure(curve: Curve) -> str:
    return "accuracy" if curve.labels["noise"] == "binomial" else "score"


def measured(name: str, curve: Curve) -> Measured:
    """The curve as the project's own words, on the axis of its grid."""
    there = np.isfinite(curve.values)
    positions = curve.steps[there]
    errors = np.full(positions.size, np.nan) if curve.stderr is None else curve.stderr[there]
    return Measured(
        metric=name,
        level=Level.SYNTAX,
        unit="",
        chance=math.nan,
        steps=tuple(Step(step=i, tokens=i) for i in range(positions.size)),
        values=tuple(curve.values[there].tolist()),
        se=tuple(errors.tolist()),
        axis="step",
        positions=tuple(positions.tolist()),
    )
