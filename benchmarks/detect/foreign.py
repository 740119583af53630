"""Curves of a second generator, which shares neither smooth families nor noise with `curves`.

What was tuned on the curves of one generator is judged on another: trends are monotone splines,
sums of saturating growth laws and polynomials in log step; noise has heavy tails, a moving average
or grows with the level; steps are ramps, error functions and overshoots; kinks are corners.

    curve = draw(np.random.default_rng(0), "step", grid)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import erf

from benchmarks.detect.curves import CLEAR, Curve
from benchmarks.detect.grids import Grid
from benchmarks.detect.noise import band, signal_to_noise
from benchmarks.detect.parts import DoesNotFitError, Truth, draw_place

Rng = np.random.Generator
Shape = Callable[[np.ndarray], np.ndarray]

FAR = 0.9
"""Knots of splines are at least this far apart, in decades."""

SORTS = ("smooth", "step", "kink", "spike")


def spline(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A monotone cubic through a few far knots, averaged over .7 decades so that no knot shows."""
    knots, at = [u[0] - 0.5], u[0] - 0.5
    while at < u[-1] + 0.5:
        at += rng.uniform(FAR, 2.0)
        knots.append(at)
    levels = np.cumsum(rng.dirichlet(np.ones(len(knots))))
    through = PchipInterpolator(knots, levels)
    shifts = np.linspace(-0.35, 0.35, 29)
    window = 1.0 + np.cos(np.pi * shifts / 0.36)
    clipped = np.clip(u[:, None] + shifts, knots[0], knots[-1])
    return np.asarray(through(clipped) @ (window / window.sum()))


def gompertz(rng: Rng, u: np.ndarray) -> np.ndarray:
    rate, middle = rng.uniform(0.8, 2.2), rng.uniform(0.1 * u[-1], 1.1 * u[-1])
    return np.exp(-np.exp(-np.clip(rate * (u - middle), -30.0, 30.0)))


def two_gompertz(rng: Rng, u: np.ndarray) -> np.ndarray:
    return gompertz(rng, u) + rng.uniform(-0.6, 1.0) * gompertz(rng, u)


def arctangent(rng: Rng, u: np.ndarray) -> np.ndarray:
    return np.arctan((u - rng.uniform(0.0, u[-1])) / rng.uniform(0.25, 1.0))


def polynomial(rng: Rng, u: np.ndarray) -> np.ndarray:
    z = 2.0 * (u - u[0]) / (u[-1] - u[0]) - 1.0
    sizes = rng.standard_normal(4) / np.array([1.0, 2.0, 4.0, 8.0])
    return np.polynomial.chebyshev.chebval(z, np.r_[0.0, sizes])


def constant(rng: Rng, u: np.ndarray) -> np.ndarray:
    return np.zeros_like(u)


TRENDS: dict[str, Callable[[Rng, np.ndarray], np.ndarray]] = {
    "spline": spline,
    "gompertz": gompertz,
    "two gompertz": two_gompertz,
    "arctangent": arctangent,
    "polynomial": polynomial,
    "constant": constant,
}


def _noise(rng: Rng, level: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """Name, deviation of each reading and a draw of noise for a curve of range 1."""
    num, size = level.size, 10.0 ** rng.uniform(-2.6, -1.0)
    kind = str(rng.choice(("heavy tails", "moving average", "by level", "white")))
    deviation = np.full(num, size)
    unit = rng.standard_normal(num)
    if kind == "heavy tails":
        unit = rng.standard_t(5.0, num) / np.sqrt(5.0 / 3.0)
    if kind == "moving average":
        weight = rng.uniform(0.2, 0.8)
        more = rng.standard_normal(num + 1)
        unit = (more[1:] + weight * more[:-1]) / np.hypot(1.0, weight)
    if kind == "by level":
        deviation = size * (0.4 + 1.2 * (level - level.min()) / max(float(np.ptp(level)), 1e-9))
    return kind, deviation, deviation * unit


def _step(rng: Rng, grid: Grid) -> tuple[Truth, np.ndarray]:
    """A ramp, an error function, or a rise that overshoots a little before it settles."""
    width = float(rng.uniform(0.02, 0.35))
    place = draw_place(rng, grid, width)
    z = (grid.x - place) / width
    kind = rng.choice(("ramp", "error function", "overshoot"))
    ramp = np.clip(0.5 + 0.8 * z, 0.0, 1.0)
    shape = ramp if kind == "ramp" else 0.5 * (1.0 + erf(1.812 * z))
    if kind == "overshoot":
        shape = shape + 0.12 * np.exp(-0.5 * (z - 1.2) ** 2)
    return Truth("step", 10.0**place, width, 1.0), shape


def _kink(rng: Rng, grid: Grid) -> tuple[Truth, np.ndarray]:
    place = draw_place(rng, grid, 0.5)
    return Truth("kink", 10.0**place, 0.0, 1.0), np.maximum(0.0, grid.x - place)


def draw(rng: Rng, what: str, grid: Grid, *, least_snr: float = CLEAR, tries: int = 400) -> Curve:
    """Draw a curve of one of `SORTS`; changes have at least the given signal-to-noise.

    Raises:
        DoesNotFitError: This grid cannot hold such a change.
    """
    for _ in range(tries):
        name = str(rng.choice(list(TRENDS)))
        mean = TRENDS[name](rng, grid.x - grid.x[0])
        extent = float(np.ptp(mean))
        mean = rng.choice((-1.0, 1.0)) * (mean - mean[0]) / (extent if extent > 1e-9 else 1.0)
        truth, shape = None, np.zeros(mean.size)
        if what in ("step", "kink"):
            truth, unit = (_step if what == "step" else _kink)(rng, grid)
            amplitude = float(rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-1.3, 0.2))
            shape = amplitude * unit
        noise, deviation, draw_n = _noise(rng, mean + shape)
        if what == "spike":
            start, long = int(rng.integers(2, mean.size - 4)), int(rng.integers(1, 4))
            size = rng.choice((-1.0, 1.0)) * deviation.max() * rng.uniform(6.0, 40.0)
            shape[start : start + long] += size * rng.uniform(0.5, 1.0, long)
        snr = signal_to_noise(grid, shape, deviation) if truth else float("nan")
        if truth and snr < least_snr:
            continue
        values = np.where(grid.there, mean + shape + draw_n, np.nan)
        labels = {
            "shape": what if what != "smooth" else name,
            "grid": grid.kind,
            "noise": noise,
            "snr": band(snr, (8, 12, 20, 50)) if truth else "-",
        }
        changes = (truth,) if truth else ()
        return Curve(what, grid.steps, values, changes=changes, snr=snr, family=name, labels=labels)
    raise DoesNotFitError(f"no {what} with a signal-to-noise of {least_snr} fits this grid")
