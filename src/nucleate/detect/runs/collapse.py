"""Is an accuracy one curve of its continuous companion, in every run and at every time?

If accuracy = g(companion) with a single monotone g, then whatever the accuracy does, jumps
included, is what its companion does seen through g, and needs no explanation of its own.
Sources: Schaeffer, Miranda and Koyejo 2023 (metrics as the cause of apparent jumps); Du et al. 2024
(abilities as functions of the loss); Ayer et al. 1955 (isotonic regression).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.runs.isotonic import common, held_out, isotonic

Array = NDArray[np.float64]

ALPHA = 0.05
TOLERANCE = 0.05
"""Scatter beyond noise up to this share of the accuracy's rise is small enough to be one curve."""

MIN_RUNS, MIN_READINGS = 2, 12
MIN_RISE = 5.0
"""Less rise than this many typical standard errors leaves nothing to collapse."""

COLLAPSES = "collapses: the accuracy follows its companion"
DOES_NOT = "does not collapse"
CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Collapse:
    """How well one curve serves all runs.

    Attributes:
        verdict: `COLLAPSES`, `DOES_NOT` or `CANNOT_TELL`.
        statistic: Mean squared residual over binomial variance, predicted without the own run; the
            readings that tell something only. Above 1 even without excess, for g is estimated too.
        expected: The same in simulations in which one curve holds exactly: mean.
        p: Share of those simulations with at least this statistic.
        scatter: Standard deviation of the residuals, in accuracy.
        excess: Scatter beyond what simulations of one curve show, in accuracy.
        excess_upper: 95 % upper bound of scatter beyond binomial noise alone, over runs.
        rise: Range of the common curve, in accuracy.
        by_position: Scatter when accuracy is predicted from position alone (NaN: not given).
        num_readings, num_runs: What the statistic is made of.
        left_out: Readings outside the range of the other runs, which cannot be predicted.
        knots: The common curve: companion and accuracy at its knots.
        note: One sentence.
    """

    verdict: str
    statistic: float
    expected: float
    p: float
    scatter: float
    excess: float
    excess_upper: float
    rise: float
    by_position: float
    num_readings: int
    num_runs: int
    left_out: int
    knots: tuple[tuple[float, ...], tuple[float, ...]]
    note: str


def collapse_test(
    companion: ArrayLike,
    accuracy: ArrayLike,
    run: ArrayLike,
    *,
    n: ArrayLike,
    companion_stderr: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    seed: int = 0,
    num_simulations: int = 400,
) -> Collapse:
    """Test whether accuracy is one monotone function of its companion across runs and time.

    Each run is predicted from the others by isotonic regression; residuals are compared with
    binomial noise by simulation. Runs that were measured on the same items share part of their
    noise, so a statistic below its expectation is no surprise, and one above it is strong evidence.

    A collapse proves something only where runs reach one companion value at different times. Given
    `positions`, accuracy is also predicted from position alone; when that is as good, the verdict
    is `CANNOT_TELL`.

    Args:
        companion: Margin, log perplexity or the like, shape ``(N,)``, all runs one after another.
        accuracy: Accuracies in [0, 1], shape ``(N,)``.
        run: Label of the run of each reading, shape ``(N,)``.
        n: Items behind each accuracy, a number or shape ``(N,)``.
        companion_stderr: Standard errors of the companion, shape ``(N,)`` (taken as independent).
        positions: Tokens or steps, shape ``(N,)``.
        seed: Seed of the simulations.

    Raises:
        ValueError: When shapes differ or accuracies are outside [0, 1].

    >>> import numpy as np
    >>> margin = np.tile(np.linspace(-4, 4, 20), 2) - np.repeat([0.0, 1.0], 20)
    >>> accuracy = 1 / (1 + np.exp(-margin))
    >>> tokens = np.tile(np.geomspace(1e5, 1e7, 20), 2)
    >>> one = collapse_test(margin, accuracy, np.repeat([0, 1], 20), n=500, positions=tokens)
    >>> one.verdict
    'collapses: the accuracy follows its companion'
    """
    data = _Data.of(companion, accuracy, run, n, companion_stderr, positions)
    if refusal := _refusal(data):
        return _refused(data, refusal)
    return _compared(data, num_simulations, np.random.default_rng(seed))


def _compared(data: _Data, num_simulations: int, rng: np.random.Generator) -> Collapse:
    """Compare held-out residuals with those of data for which one curve holds exactly."""
    measured = held_out(data.x, data.acc, data.run)
    null_curve = common(data.x, data.acc)
    rise, variance = float(np.ptp(null_curve)), _variance(null_curve, data.n)
    tells = np.isfinite(measured) & _tells(null_curve)
    if tells.sum() < MIN_READINGS:
        return _refused(data, "the runs share too little of the companion's range")
    statistic = float(np.mean(measured[tells] ** 2 / variance[tells]))
    null, spread = _simulate(data, null_curve, variance, tells, num_simulations, rng)
    p = (1 + int(np.sum(null >= statistic))) / (1 + num_simulations)
    scatter = float(np.sqrt(np.mean(measured[tells] ** 2)))
    excess = math.sqrt(max(scatter**2 - float(spread.mean()), 0.0))
    # The bound takes off binomial noise only, never what estimating the curve may have added.
    most = _upper(measured[tells], data.run[tells], rng) - float(np.mean(variance[tells]))
    upper = math.sqrt(max(most, 0.0))
    by_position = math.nan
    if data.position is not None:
        by_position = _scatter(held_out(data.position, data.acc, data.run)[tells])
    x, y = isotonic(data.x, data.acc)
    if data.turned:
        x, y = -x[::-1], y[::-1]
    result = Collapse(
        "", statistic, float(null.mean()), p, scatter, excess, max(upper, excess), rise,
        by_position, int(tells.sum()), np.unique(data.run).size,
        int(np.sum(~np.isfinite(measured))), (tuple(map(float, x)), tuple(map(float, y))), "",
    )  # fmt: skip
    return _judged(result)


@dataclass(frozen=True, slots=True)
class _Data:
    """Checked arrays; the companion is turned so that it rises with accuracy."""

    x: Array
    acc: Array
    run: NDArray[np.intp]
    n: Array
    x_se: Array
    position: Array | None
    turned: bool

    @classmethod
    def of(
        cls,
        companion: ArrayLike,
        accuracy: ArrayLike,
        run: ArrayLike,
        n: ArrayLike,
        companion_stderr: ArrayLike | None,
        positions: ArrayLike | None,
    ) -> _Data:
        x, acc = np.asarray(companion, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
        labels = np.unique(np.asarray(run), return_inverse=True)[1].astype(np.intp)
        count = np.broadcast_to(np.asarray(n, dtype=np.float64), acc.shape)
        se = np.zeros(x.shape) if companion_stderr is None else np.asarray(companion_stderr, float)
        place = np.zeros(x.shape) if positions is None else np.asarray(positions, dtype=np.float64)
        shapes = [a.shape for a in (x, acc, labels, se, place)]
        if x.ndim != 1 or len(set(shapes)) != 1:
            raise ValueError(f"all arrays need one shape (N,), got {shapes}")
        good = np.isfinite(x) & np.isfinite(acc) & np.isfinite(place) & (count >= 1)
        x, acc, labels, count, place = x[good], acc[good], labels[good], count[good], place[good]
        se = np.nan_to_num(se[good])
        if np.any((acc < 0.0) | (acc > 1.0)):
            raise ValueError("accuracies must lie in [0, 1]")
        turned = x.size > 1 and float(np.sum((x - x.mean()) * (acc - acc.mean()))) < 0.0
        where = None if positions is None else place
        return cls(-x if turned else x, acc, labels, count, se, where, turned)


def _refusal(data: _Data) -> str:
    num = np.unique(data.run).size
    if num < MIN_RUNS:
        return "one run is one curve whatever it does: at least two runs are needed"
    if data.acc.size < MIN_READINGS:
        return f"{data.acc.size} readings are too few: at least {MIN_READINGS} are needed"
    typical = float(np.median(np.sqrt(_variance(data.acc, data.n))))
    if float(np.ptp(data.acc)) < MIN_RISE * typical:
        return "the accuracy does not rise by more than its noise"
    return ""


def _variance(p: Array, n: Array) -> Array:
    """Return binomial variances with half a success and half a failure added."""
    middle = (n * p + 0.5) / (n + 1.0)
    return np.asarray(middle * (1.0 - middle) / n)


def _tells(curve: Array) -> NDArray[np.bool_]:
    """Return which readings lie on the rise: where g is flat at an end, any companion would do."""
    lo, hi = float(curve.min()), float(curve.max())
    return np.asarray((curve > lo + 0.02 * (hi - lo)) & (curve < hi - 0.02 * (hi - lo)))


def _simulate(
    data: _Data,
    curve: Array,
    variance: Array,
    tells: NDArray[np.bool_],
    num: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return statistics and mean squared residuals of data for which one curve holds exactly."""
    statistics, squares = np.empty(num), np.empty(num)
    count = np.round(data.n).astype(np.int64)
    for i in range(num):
        acc = rng.binomial(count, curve) / count
        x = data.x + data.x_se * rng.standard_normal(data.x.size)
        residual = held_out(x, acc, data.run)
        use = tells & np.isfinite(residual)
        squares[i] = np.mean(residual[use] ** 2)
        statistics[i] = np.mean(residual[use] ** 2 / variance[use])
    return statistics, squares


def _upper(residual: Array, run: NDArray[np.intp], rng: np.random.Generator) -> float:
    """Return the 95 % upper bound of the mean squared residual, by resampling whole runs."""
    labels = np.unique(run)
    sums = np.array([np.sum(residual[run == label] ** 2) for label in labels])
    sizes = np.array([np.sum(run == label) for label in labels])
    drawn = rng.integers(0, labels.size, (1000, labels.size))
    return float(np.quantile(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), 0.95))


def _scatter(residual: Array) -> float:
    known = residual[np.isfinite(residual)]
    return float(np.sqrt(np.mean(known**2))) if known.size else math.nan


def _judged(result: Collapse) -> Collapse:
    share, upper = result.excess / result.rise, result.excess_upper / result.rise
    figures = f"scatter {result.scatter:.3g} over a rise of {result.rise:.2g}"
    if result.p <= ALPHA and share > TOLERANCE:
        note = f"runs disagree beyond binomial noise: {figures}, p = {result.p:.2g}"
        return replace(result, verdict=DOES_NOT, note=note)
    if result.by_position <= 1.25 * result.scatter:
        note = f"position alone predicts the accuracy as well ({figures}), so nothing is shown"
        return replace(result, verdict=CANNOT_TELL, note=note)
    if upper <= TOLERANCE:
        noise = "within binomial noise" if result.p > ALPHA else f"{share:.1%} of it beyond noise"
        note = f"one curve of the companion serves all runs: {figures}, {noise}"
        if math.isnan(result.by_position):
            note += "; without positions it is not known whether the runs differ in time"
        return replace(result, verdict=COLLAPSES, note=note)
    note = f"too noisy to tell: {figures}, excess up to {upper:.0%} of the rise"
    return replace(result, verdict=CANNOT_TELL, note=note)


def _refused(data: _Data, why: str) -> Collapse:
    none = math.nan
    return Collapse(
        CANNOT_TELL, none, none, none, none, none, none, none, none, 0,
        np.unique(data.run).size, 0, ((), ()), why,
    )  # fmt: skip
