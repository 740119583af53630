"""A third generator of learning curves with known truth, written without sight of the others.

It judges a detector once, after everything else is settled: neither the detector nor the other two
generators were read while it was written, and none of its constants was chosen with a detector.

What counts as smooth is measured, not assumed (`elsewhere_trends.is_smooth`): 10–90 % of every
rise or fall takes .7 decades or more, 10–90 % of every change of slope .45 or more, and the second
derivative stays below (ln 10)² ranges per decade², that of a value proportional to the step.
Against that stand steps of .02 to .35 decades, kinks of less than .15 and spikes that are gone
within .35. A decaying learning rate may bend a curve as fast as its schedule does: no transition.

Noise has a median deviation of .25 to 10 % of the range of its curve, log-uniform; accuracies are
counted over items. Amplitudes are log-uniform, redrawn until the change is clear.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from benchmarks.detect import elsewhere_events as events
from benchmarks.detect import elsewhere_noise as noise
from benchmarks.detect.curves import CLEAR, Curve
from benchmarks.detect.elsewhere_trends import SHARES, TRENDS, draw_trend, log_uniform
from benchmarks.detect.grids import Grid
from benchmarks.detect.noise import signal_to_noise
from benchmarks.detect.parts import DoesNotFitError, Truth, draw_place

__all__ = ["SORTS", "TRENDS", "draw"]

Rng = np.random.Generator

SORTS = ("smooth", "schedule", "step", "kink", "spike")

SAME_TREND = 10
"""Changes tried on one trend under one noise before both are drawn anew."""


@dataclass(frozen=True)
class _Base:
    """A trend and what its noise will be."""

    family: str
    mean: np.ndarray
    kind: str
    size: float
    rho: float = 0.0
    spread: float = 1.0

    @property
    def counted(self) -> bool:
        return self.kind == "binomial"


@dataclass(frozen=True)
class _Event:
    """What happens on a trend: its values, in the unit of the trend."""

    form: str
    values: np.ndarray
    truth: Truth | None = None
    lr: np.ndarray | None = None


@dataclass(frozen=True)
class _Noise:
    """Deviation of each reading, shape ``(n,)``, its median in ranges, the items counted."""

    deviation: np.ndarray
    typical: float
    items: int = 0


def draw(rng: Rng, what: str, grid: Grid, *, least_snr: float = CLEAR, tries: int = 400) -> Curve:
    """Draw a curve of one sort on a grid.

    Args:
        rng: Source of all randomness.
        what: One of `SORTS`.
        grid: Where readings are taken.
        least_snr: Signal-to-noise that a step, kink or spike has at least.
        tries: Changes tried; trend and noise are drawn anew after every ten.

    Raises:
        ValueError: There is no such sort.
        DoesNotFitError: No change out of `tries` fits the grid and is clear.
    """
    if what not in SORTS:
        raise ValueError(f"sort {what!r}: expected one of {', '.join(SORTS)}")
    for turn in range(tries):
        if turn % SAME_TREND == 0:
            base = _draw_base(rng, grid)
        try:
            event = _draw_event(rng, what, grid, base)
        except DoesNotFitError:
            continue
        mean, event = _together(base, event)
        sizes = _noise(rng, grid, base, mean, _span(grid, what, mean, event))
        clear = event.truth is None or _snr(grid, event, sizes) >= least_snr
        if clear and sizes.typical <= noise.SIZES[1]:
            return _read(rng, what, grid, base, event, mean, sizes)
    raise DoesNotFitError(f"no {what} out of {tries} has a signal-to-noise of {least_snr:g}")


def _draw_base(rng: Rng, grid: Grid) -> _Base:
    x = grid.x
    family, trend = draw_trend(rng, float(x[grid.there][0]), float(x[grid.there][-1]))
    mean, size = trend(x), log_uniform(rng, *noise.SIZES)
    if family not in SHARES:
        unit = float(rng.choice((1.0, 1.0, 100.0, 1.0 / np.log(2.0))))
        return _Base(family, unit * mean, str(rng.choice(noise.KINDS)), size)
    if rng.random() < 0.15:
        mean = 1.0 - mean
    if rng.random() < 0.35:
        return _Base(family, mean, str(rng.choice(noise.KINDS)), size)
    if rng.random() < 0.5:
        return _Base(family, mean, "binomial", size)
    rho = rng.uniform(0.0, 0.5)
    return _Base(family, mean, "binomial", size, float(rho), float(rng.uniform(0.6, 1.3)))


def _draw_event(rng: Rng, what: str, grid: Grid, base: _Base) -> _Event:
    x, scale = grid.x, float(np.ptp(base.mean[grid.there]))
    onward = 1.0 if base.mean[-1] >= base.mean[0] else -1.0
    if what == "smooth":
        return _Event("", np.zeros(x.size))
    if what == "schedule":
        form, rate, gain = events.draw_schedule(rng, grid.steps)
        return _Event(form, onward * scale * log_uniform(rng, 0.03, 0.5) * gain, None, rate)
    if what == "step":
        width = log_uniform(rng, *events.STEP_WIDTHS)
        at = draw_place(rng, grid, width)
        form, shape = events.draw_step(rng, x, at, width)
        size = onward * _sign(rng, 0.75) * scale * log_uniform(rng, 0.03, 1.5)
    elif what == "kink":
        width = log_uniform(rng, *events.KINK_WIDTHS)
        at = draw_place(rng, grid, width)
        form, shape = events.draw_kink(rng, x, at, width)
        size = _sign(rng, 0.5) * scale * log_uniform(rng, 0.1, 4.0)
    else:
        width = log_uniform(rng, *events.SPIKE_WIDTHS)
        at = draw_place(rng, grid, width) - 0.5 * width
        form = str(rng.choice(events.SPIKES))
        shape = events.spike(x, form, at, width)
        size = -onward * _sign(rng, 0.7) * scale * log_uniform(rng, 0.1, 3.0)
    return _Event(form, size * shape, Truth(what, float(10.0**at), width, size))


def _sign(rng: Rng, share: float) -> float:
    return 1.0 if rng.random() < share else -1.0


def _together(base: _Base, event: _Event) -> tuple[np.ndarray, _Event]:
    """Add event and trend; squeeze what will be counted between 0 and 1."""
    mean = base.mean + event.values
    low, high = float(mean.min()), float(mean.max())
    if not base.counted or (low >= 0.0 and high <= 1.0):
        return mean, event
    factor = 0.96 / (high - low)
    truth = event.truth and replace(event.truth, amplitude=factor * event.truth.amplitude)
    squeezed = replace(event, values=factor * event.values, truth=truth)
    return 0.02 + factor * (mean - low), squeezed


def _span(grid: Grid, what: str, mean: np.ndarray, event: _Event) -> float:
    """Range of the readings without noise; a spike does not count towards it."""
    return float(np.ptp((mean - event.values if what == "spike" else mean)[grid.there]))


def _noise(rng: Rng, grid: Grid, base: _Base, mean: np.ndarray, span: float) -> _Noise:
    if base.counted:
        items = noise.num_items(mean[grid.there], base.size * span / base.spread)
        deviation = base.spread * np.sqrt(mean * (1.0 - mean) / items)
        deviation = np.hypot(deviation, 1.0 / (items * np.sqrt(12.0)))
    else:
        items = 0
        deviation = base.size * span * noise.profile(rng, base.kind, grid.x, mean)
    return _Noise(deviation, float(np.median(deviation[grid.there])) / span, items)


def _snr(grid: Grid, event: _Event, sizes: _Noise) -> float:
    return signal_to_noise(grid, event.values, sizes.deviation)


def _read(
    rng: Rng, what: str, grid: Grid, base: _Base, event: _Event, mean: np.ndarray, sizes: _Noise
) -> Curve:
    """Take the readings of a curve: its mean with noise, NaN where none is."""
    values, rho, stderr = mean, base.rho, None
    if base.counted:
        values = noise.counted(rng, mean, sizes.items, base.rho, base.spread)
        if rng.random() < 0.5:
            stderr = np.sqrt(values * (1.0 - values) / sizes.items)
    else:
        draws, rho = noise.unit(rng, base.kind, mean.size)
        values = _with_noise(mean, draws, sizes.deviation, rounded=base.kind == "rounded")
    changes = (event.truth,) if event.truth and what != "spike" else ()
    return Curve(
        what=what,
        steps=grid.steps,
        values=np.where(grid.there, values, np.nan),
        stderr=stderr,
        lr=event.lr,
        changes=changes,
        disturbances=(event.truth,) if event.truth and what == "spike" else (),
        snr=_snr(grid, event, sizes) if changes else float("nan"),
        family=base.family,
        noise=sizes.typical,
        rho=rho,
        deviation=None if base.counted else sizes.deviation,
        labels={"noise": base.kind, "shape": event.form, "grid": grid.kind},
    )


def _with_noise(
    mean: np.ndarray, draws: np.ndarray, deviation: np.ndarray, *, rounded: bool
) -> np.ndarray:
    """Add noise of the given deviation, part of which is rounding where a logger rounds."""
    if not rounded:
        return mean + deviation * draws
    step = noise.rounding(float(np.median(deviation)))
    fine = mean + np.sqrt(deviation**2 - step**2 / 12.0) * draws
    return np.round(fine / step) * step
