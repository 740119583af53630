"""Lag between two whole curves: the shift in log tokens at which their trends agree best.

Trends are correlated, never slopes: with readings .1 decade apart slopes are mostly noise. Any two
rising curves correlate at some shift, so the lag says when, not whether they are related. It takes
the curves to have one shape; where shapes differ, "lag" is a matter of definition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.runs.alignment import uniform_difference
from nucleate.detect.series import Series, clean

Array = NDArray[np.float64]

MIN_READINGS = 12
SPACING = 0.02
"""Decades between the points at which trends are compared; lags are interpolated between them."""

LENGTHS = (0.2, 0.35, 0.6)
RHOS = (0.0, 0.3, 0.6, 0.8)
RATIOS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Length scale of the trend in decades, autocorrelation of the noise from reading to reading, and
its variance as a share of the trend's: the most likely combination is used."""

MIN_CORRELATION = 0.8
MIN_OVERLAP = 0.5
MIN_SIGNAL = 3.0
"""A trend that spans fewer standard deviations of its noise has not changed."""


@dataclass(frozen=True, slots=True)
class CrossLag:
    """The shift at which two curves agree best.

    Attributes:
        lag, lo, hi: Decades by which the second curve follows the first (negative: it leads), with
            a 95 % interval; NaN when refused.
        correlation: Correlation of the two trends at that shift.
        verdict: ``first leads``, ``second leads``, ``not resolved`` or ``refused``.
        note: One sentence.
    """

    lag: float
    lo: float
    hi: float
    correlation: float
    verdict: str
    note: str


def cross_lag(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    max_lag: float = 1.0,
    num_bootstrap: int = 200,
    seed: int = 0,
) -> CrossLag:
    """Find the lag of maximal correlation between the smooth trends of two curves.

    The interval comes from a parametric bootstrap: both trends plus AR(1) noise like their own. It
    is never narrower than the readings around the two changes allow, and it reaches to the lag
    between the points where each curve is halfway, which differs where the shapes do.

    Args:
        first, second: Positions (tokens or steps) and values of each curve, each shape ``(n,)``.
        max_lag: Largest shift tried, in decades, either way.
        num_bootstrap: Simulated pairs of curves.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: When positions and values differ in shape, or `max_lag` is not positive.

    >>> import numpy as np
    >>> u = np.linspace(4, 7, 40)
    >>> rise = lambda centre: 1 / (1 + np.exp(-6 * (u - centre)))
    >>> round(cross_lag((10**u, rise(5.2)), (10**u, rise(5.5))).lag, 1)
    0.3
    """
    if not max_lag > 0:
        raise ValueError(f"max_lag must be positive, got {max_lag}")
    a, b = clean(*first), clean(*second)
    if min(a.x.size, b.x.size) < MIN_READINGS:
        return _refused(f"a lag of whole curves needs {MIN_READINGS} readings of each")
    lo, hi = max(a.x[0], b.x[0]), min(a.x[-1], b.x[-1])
    if hi - lo < 2 * SPACING * MIN_READINGS:
        return _refused("the two curves share too little of the axis")
    grid = np.arange(lo, hi, SPACING)
    max_lag = min(max_lag, (1.0 - MIN_OVERLAP) * (hi - lo))
    one, two = _Trend.fit(a, grid), _Trend.fit(b, grid)
    if min(one.signal, two.signal) < MIN_SIGNAL:
        return _refused("a curve without a clear change has no lag")
    num = int(max_lag / SPACING)
    lag, correlation = _best_lag(one.on_grid[:, None], two.on_grid[:, None], num)
    if abs(lag[0]) >= (num - 1) * SPACING:
        return _refused("the best shift lies at the edge of those that were tried")
    if abs(correlation[0]) < MIN_CORRELATION:
        return _refused(f"the curves differ in shape (best correlation {correlation[0]:+.2f})")
    rng = np.random.default_rng(seed)
    drawn, _ = _best_lag(one.simulate(num_bootstrap, rng), two.simulate(num_bootstrap, rng), num)
    # Where shapes differ, "when" has several answers; the halfway points give another one.
    (half_a, gap_a), (half_b, gap_b) = (t.halfway(grid, s.x) for t, s in ((one, a), (two, b)))
    low, high = np.quantile(drawn, [0.025, 0.975])
    reach = uniform_difference(gap_a, gap_b, 0.95) + SPACING
    low = min(float(low), float(lag[0]) - reach, half_b - half_a - reach)
    high = max(float(high), float(lag[0]) + reach, half_b - half_a + reach)
    return _said(float(lag[0]), low, high, float(correlation[0]))


@dataclass(frozen=True, slots=True)
class _Trend:
    """A fitted Gaussian-process trend: on its readings, on the comparison grid, and its noise."""

    at_readings: Array
    on_grid: Array
    smoother_gn: Array
    rho: float
    sigma: float

    @classmethod
    def fit(cls, series: Series, grid: Array) -> _Trend:
        """Choose length scale, noise and its autocorrelation by marginal likelihood."""
        x, y, n = series.x, series.y, series.x.size
        gap = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
        best = (-math.inf, LENGTHS[0], RATIOS[0], 0.0, 1.0)
        for length, rho in product(LENGTHS, RHOS):
            kernel, noise = _kernel(x, x, length), rho**gap
            for ratio in RATIOS:
                chol = np.linalg.cholesky(kernel + ratio * noise)
                scale = float(np.mean(np.linalg.solve(chol, y) ** 2)) + 1e-12
                fit = -0.5 * n * math.log(scale) - float(np.sum(np.log(np.diag(chol))))
                best = max(best, (fit, length, ratio, rho, scale))
        _, length, ratio, rho, scale = best
        weights = np.linalg.inv(_kernel(x, x, length) + ratio * rho**gap)
        smoother = _kernel(grid, x, length) @ weights
        at_readings = _kernel(x, x, length) @ weights @ y
        return cls(at_readings, smoother @ y, smoother, rho, math.sqrt(ratio * scale))

    @property
    def signal(self) -> float:
        """Range of the trend in standard deviations of the noise."""
        return float(np.ptp(self.at_readings)) / max(self.sigma, 1e-9)

    def halfway(self, grid: Array, x: Array) -> tuple[float, float]:
        """Return where the trend has first moved by half of its range, and the gap of readings."""
        moved = np.abs(self.on_grid - self.on_grid[0])
        place = float(grid[int(np.argmax(moved >= 0.5 * moved.max()))])
        after = int(np.clip(np.searchsorted(x, place), 1, x.size - 1))
        return place, float(x[after] - x[after - 1])

    def simulate(self, num: int, rng: np.random.Generator) -> Array:
        """Return trends refitted to simulated curves, shape ``(grid, num)``."""
        noise = rng.standard_normal((self.at_readings.size, num))
        for i in range(1, noise.shape[0]):
            noise[i] = self.rho * noise[i - 1] + math.sqrt(1 - self.rho**2) * noise[i]
        return self.smoother_gn @ (self.at_readings[:, None] + self.sigma * noise)


def _kernel(x: Array, z: Array, length: float) -> Array:
    """Return a squared-exponential covariance plus a constant (free mean) and a free slope."""
    far = (x[:, None] - z[None, :]) / length
    centre = float(z.mean())
    return np.asarray(np.exp(-0.5 * far**2) + 4.0 + np.outer(x - centre, z - centre))


def _best_lag(a_gk: Array, b_gk: Array, num: int) -> tuple[Array, Array]:
    """Return, per column, the lag of the largest absolute correlation and that correlation."""
    shifts = np.arange(-num, num + 1)
    table = np.stack([_correlation(*_overlap(a_gk, b_gk, int(s))) for s in shifts])
    size = np.abs(table)
    best = np.argmax(size, axis=0)
    inner = np.clip(best, 1, shifts.size - 2)
    columns = np.arange(size.shape[1])
    left, mid, right = (size[inner + d, columns] for d in (-1, 0, 1))
    bend = left - 2 * mid + right
    # Vertex of the parabola through the three best shifts.
    fine = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    shift = np.where(best == inner, shifts[inner] + np.clip(fine, -1, 1), shifts[best])
    return SPACING * shift, table[best, columns]


def _overlap(a_gk: Array, b_gk: Array, shift: int) -> tuple[Array, Array]:
    """Return the parts that face each other when the second curve is moved back by `shift`."""
    size = a_gk.shape[0] - abs(shift)
    return (a_gk[:size], b_gk[shift:]) if shift >= 0 else (a_gk[-shift:], b_gk[:size])


def _correlation(a_gk: Array, b_gk: Array) -> Array:
    a, b = a_gk - a_gk.mean(axis=0), b_gk - b_gk.mean(axis=0)
    size = np.sqrt(np.sum(a**2, axis=0) * np.sum(b**2, axis=0))
    return np.asarray(np.sum(a * b, axis=0) / np.maximum(size, 1e-12))


def _said(lag: float, lo: float, hi: float, correlation: float) -> CrossLag:
    verdict = "first leads" if lo > 0 else "second leads" if hi < 0 else "not resolved"
    note = f"{verdict}: the second curve follows by {lag:+.2f} decades ({lo:+.2f} to {hi:+.2f})"
    return CrossLag(lag, lo, hi, correlation, verdict, note)


def _refused(why: str) -> CrossLag:
    return CrossLag(math.nan, math.nan, math.nan, math.nan, "refused", why)
