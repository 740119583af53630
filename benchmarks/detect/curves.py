"""Generated curves whose truth is known; parameters are drawn at random, from wide ranges.

rng = np.random.default_rng(0)
grid = draw_grid(rng)
curve = draw(rng, "step", grid, least_snr=CLEAR)
nucleate.detect.assess(curve.steps, curve.values, curve.stderr)
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.detect.grids import Grid, draw_grid, draw_grids
from benchmarks.detect.noise import ar1, band, signal_to_noise, uneven
from benchmarks.detect.parts import (
    DoesNotFitError,
    Truth,
    draw_change,
    draw_restart,
    draw_schedule,
    draw_spikes,
    warm_up,
)
from benchmarks.detect.smooth import FAMILIES, draw_smooth

__all__ = ["CHANGES", "CLEAR", "FAMILIES", "NUISANCES", "Curve", "Grid", "Truth", "draw"]
__all__ += ["draw_grid", "draw_grids", "draw_panel"]

Rng = np.random.Generator

NUISANCES = ("smooth", "warm-up", "wsd", "cosine", "spike", "restart", "cut restart")
"""Curves without a change of the trend."""

CHANGES = ("step", "cliff", "kink", "two steps")

CLEAR = 8.0
"""Signal-to-noise from which a change is clear."""

APART = 0.6
"""Two steps are at least this far apart, in decades."""


@dataclass(frozen=True)
class Curve:
    """One generated curve.

    Attributes:
        what: One of `NUISANCES` or `CHANGES`.
        steps, values: Shape ``(n,)``; missing readings are NaN.
        stderr: Standard errors over items, or None.
        lr: Learning rate relative to its peak, or None when it is constant.
        changes: Sharp changes of the trend, in order of place.
        disturbances: Spikes and restarts.
        snr: Of the least clear change: its norm beyond its own quartic in log step, each reading
            divided by the deviation of its noise (NaN without a change).
        family: Of the smooth trend.
        noise: Median standard deviation, in units of the curve's range.
        rho: Correlation of neighbouring readings' noise.
        labels: Where the curve falls in a breakdown: shape, grid, noise, …
    """

    what: str
    steps: np.ndarray
    values: np.ndarray
    stderr: np.ndarray | None = None
    lr: np.ndarray | None = None
    changes: tuple[Truth, ...] = ()
    disturbances: tuple[Truth, ...] = ()
    snr: float = float("nan")
    family: str = ""
    noise: float = 0.0
    rho: float = 0.0
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class _Draft:
    """A curve in the making, in units of its range; `mean` is what noise is added to."""

    family: str
    mean: np.ndarray
    lr: np.ndarray | None = None
    changes: list[Truth] = field(default_factory=list)
    shapes: list[np.ndarray] = field(default_factory=list)
    disturbances: list[Truth] = field(default_factory=list)
    extra: np.ndarray | float = 0.0


def draw(
    rng: Rng,
    what: str,
    grid: Grid,
    *,
    least_snr: float = 0.0,
    family: str | None = None,
    beside: str | None = None,
    tries: int = 400,
) -> Curve:
    """Draw a curve with at least the given signal-to-noise.

    Args:
        rng: Source of randomness.
        what: One of `NUISANCES` or `CHANGES`.
        grid: Where readings are taken.
        least_snr: Draw again until every change is at least this clear.
        family: Of the smooth trend, a key of `FAMILIES`; any by default.
        beside: Nuisance on a curve with a change; by default one in three has one.
        tries: Draws after which a DoesNotFitError says that this grid cannot hold such a change.
    """
    for _ in range(tries):
        try:
            draft = _draft(rng, what, grid, family, beside)
        except DoesNotFitError:
            continue
        binomial = not grid.dense and not draft.disturbances and rng.random() < 0.25
        curve = (_counted if binomial else _measured)(rng, what, grid, draft)
        if what not in CHANGES or curve.snr >= least_snr:
            return curve
    raise DoesNotFitError(
        f"no {what} with a signal-to-noise of {least_snr} fits this {grid.kind} grid"
    )


def _draft(rng: Rng, what: str, grid: Grid, family: str | None, beside: str | None) -> _Draft:
    u, lr, extra = grid.x - grid.x[0], None, 0.0
    if what not in CHANGES:
        beside = what
    elif beside is None:
        beside = str(rng.choice(("", "", "warm-up", "cosine", "spike", "")))
    if beside == "warm-up":
        lr, time = warm_up(rng, grid)
        u = time - time[0]
    name, mean = draw_smooth(rng, u, family)
    if beside in ("wsd", "cosine"):
        lr, fall = draw_schedule(rng, grid, beside)
        extra = rng.choice((-1.0, 1.0, 1.0)) * 10.0 ** rng.uniform(-1.7, -0.7) * fall
    draft = _Draft(name, mean, lr, extra=extra)
    if what in CHANGES:
        _add_changes(rng, what, grid, draft)
    if beside in ("spike", "restart", "cut restart"):
        size = 10.0 ** rng.uniform(-0.8, 0.2)
        if beside == "spike":
            draft.disturbances, excursion = draw_spikes(rng, grid, size)
        else:
            cut = beside == "cut restart"
            draft.disturbances, excursion = draw_restart(rng, grid, size, cut=cut)
        draft.extra = draft.extra + excursion
    return draft


def _add_changes(rng: Rng, what: str, grid: Grid, draft: _Draft) -> None:
    kind, num = ("step", 2) if what == "two steps" else (what, 1)
    for _ in range(num):
        place, width, shape = draw_change(rng, grid, kind)
        if any(abs(np.log10(other.at) - place) < APART for other in draft.changes):
            raise DoesNotFitError("two changes in one place")
        amplitude = float(rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-1.3, 0.2))
        draft.changes.append(Truth(kind, 10.0**place, width, amplitude))
        draft.shapes.append(amplitude * shape)


def _measured(rng: Rng, what: str, grid: Grid, draft: _Draft) -> Curve:
    """Add autocorrelated noise of uneven strength, then bring the curve to a unit of its own."""
    rho = float(rng.uniform(0.0, 0.6))
    deviation = uneven(rng, grid)
    if draft.disturbances:
        # An excursion that the noise would drown is none.
        least = min(abs(truth.amplitude) for truth in draft.disturbances)
        deviation = deviation * min(1.0, least / (6.0 * deviation.max()))
    mean = draft.mean + sum(draft.shapes) + draft.extra
    values = mean + deviation * ar1(rng, grid.steps.size, rho)
    unit, zero = 10.0 ** rng.uniform(-1.0, 1.0), rng.uniform(0.0, 5.0)
    curve = _curve(what, grid, draft, deviation, rho)
    return replace(
        curve,
        values=np.where(grid.there, zero + unit * values, np.nan),
        changes=tuple(replace(t, amplitude=unit * t.amplitude) for t in curve.changes),
        disturbances=tuple(replace(t, amplitude=unit * t.amplitude) for t in curve.disturbances),
    )


def _counted(rng: Rng, what: str, grid: Grid, draft: _Draft) -> Curve:
    """An accuracy: how many of 100 to 5000 items are right, with its standard error or without."""
    mean = draft.mean + sum(draft.shapes) + draft.extra
    chance = float(rng.choice((0.02, 0.25, 0.5)))
    low, high = chance + rng.uniform(-0.02, 0.05), chance + rng.uniform(0.2, 0.97 - chance)
    unit = (high - low) / max(float(np.ptp(mean)), 0.3)
    rate = np.clip(low + unit * (mean - mean.min()), 0.001, 0.999)
    items = int(np.exp(rng.uniform(np.log(100), np.log(5000))))
    values = rng.binomial(items, rate) / items
    deviation = np.sqrt(rate * (1 - rate) / items)
    curve = _curve(what, grid, draft, deviation / unit, 0.0)
    curve.labels["noise"] = "binomial"
    half = (values * items + 0.5) / (items + 1)
    return replace(
        curve,
        values=np.where(grid.there, values, np.nan),
        stderr=np.sqrt(half * (1 - half) / items) if rng.random() < 0.6 else None,
        changes=tuple(replace(t, amplitude=unit * t.amplitude) for t in curve.changes),
    )


def _curve(what: str, grid: Grid, draft: _Draft, deviation: np.ndarray, rho: float) -> Curve:
    """Everything of a curve but its values; `deviation` in units of the range."""
    ratios = [signal_to_noise(grid, shape, deviation) for shape in draft.shapes]
    order = sorted(range(len(ratios)), key=lambda i: draft.changes[i].at)
    snr = min(ratios, default=float("nan"))
    noise = float(np.median(deviation))
    widest = max((truth.width for truth in draft.changes), default=float("nan"))
    labels = {
        "shape": what if what != "smooth" else draft.family,
        "grid": grid.kind,
        "size": grid.size,
        "noise": band(noise, (0.01, 0.04)),
        "rho": band(rho, (0.2, 0.4)),
        "width": band(widest, (0.1, 0.2)) if draft.changes and what != "kink" else "-",
        "snr": band(snr, (8, 12, 20, 50)) if draft.changes else "-",
        "beside": _beside(draft),
    }
    return Curve(
        what,
        grid.steps,
        grid.steps,
        lr=draft.lr,
        changes=tuple(draft.changes[i] for i in order),
        disturbances=tuple(draft.disturbances),
        snr=snr,
        family=draft.family,
        noise=noise,
        rho=rho,
        labels=labels,
    )


def _beside(draft: _Draft) -> str:
    if draft.disturbances:
        return draft.disturbances[0].kind
    if draft.lr is None:
        return "-"
    return "warm-up" if isinstance(draft.extra, float) else "schedule"


def draw_panel(rng: Rng, grid: Grid, num: int = 20) -> list[Curve]:
    """Draw smooth curves of one run: one grid, and nothing sharp on any of them."""
    return [draw(rng, "smooth", grid) for _ in range(num)]
