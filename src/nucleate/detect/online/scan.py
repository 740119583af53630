"""Look for a lasting step in one window of readings.

The trend is a parabola in log position; noise is AR(1) of unknown level. Short excursions are put
back on the level around them before anything is tested. Evidence alone raises no alarm: the step
must also explain the window better than every rival that is no lasting step (`shapes`), or a
kinked, cubic or recovering trend would pass for one (the dead zone of tolerated bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.online.despike import despike
from nucleate.detect.online.evidence import (
    Fit,
    columns,
    fit,
    log_e_values,
    log_fits,
    log_shiryaev_roberts,
    projections,
    whiten,
)
from nucleate.detect.online.shapes import RAMPS, Shapes, early_steps, step_columns

Floats = NDArray[np.float64]

KAPPA = 4.0
"""Prior sd of a step's size, in sds of the noise's innovations."""

MARGIN = 2.5
"""Nats by which a step must fit better than any broad rival."""

MIN_SIZE = 1.5
"""Smallest step that raises an alarm, in marginal sds of the noise."""

NEAR = 12
"""Readings on either side in which the onset is looked for again before it is reported."""

OUTLIER = 4.0
"""Robust sds from the running median at which a reading is an outlier."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What one window says.

    Attributes:
        log_evidence: Log of the Shiryaev–Roberts sum over onsets at least a hold ago.
        log_suspicion: The same over onsets from two readings ago, of the readings as they came.
        onset: Index of the first reading of the step that fits best.
        delta: Its size in units of the metric.
        size: Its size in marginal sds of the noise.
        left_N: What trend and step leave over, in an arbitrary unit.
        lasting: Whether it raises an alarm.
    """

    log_evidence: float
    log_suspicion: float
    onset: int
    delta: float
    size: float
    left_N: Floats
    lasting: bool


def scan(
    log_positions_N: Floats,
    values_N: Floats,
    errors_N: Floats,
    hold: int,
    correlation: float,
    shape: Shapes,
    log_limit: float,
) -> Scan | None:
    """Test one window.

    Args:
        log_positions_N: log10 of the positions, increasing.
        values_N: Readings.
        errors_N: Standard errors; ignored unless all are finite.
        hold: Readings that a step must have lasted; excursions shorter than this are removed.
        correlation: AR(1) correlation of the noise.
        shape: Candidate steps and rivals for windows of this length.
        log_limit: Log evidence from which an alarm is considered.

    Returns:
        What the window says; None where all its values are the same.
    """
    x = log_positions_N - log_positions_N[0]
    x = 2.0 * x / x[-1] - 1.0
    trend = np.stack((np.ones_like(x), x, x * x), axis=1)
    unit, values, resolution = _scaled(values_N)
    if not values.any():
        return None
    errors = np.minimum(errors_N / unit, 1e100)
    known = float(np.mean(errors**2)) if np.all(np.isfinite(errors)) else 0.0
    basis, triangle = np.linalg.qr(whiten(trend, correlation))
    back = trend @ np.linalg.inv(triangle)
    work = _Work(basis, back, correlation, resolution**2, known)
    raw = work.fit(values)
    clean, fitted = _cleaned(work, values, raw, hold)

    norm, product = projections(fitted, shape.steps_NS)
    log_e = log_e_values(fitted, norm, product, KAPPA).reshape(-1, shape.ramps)
    gains = log_fits(fitted, norm, product)
    best = int(np.argmax(gains))
    delta = float(product[best] / norm[best])
    step = delta * shape.plain_NS[:, best]
    smooth = work.smooth(clean - step)
    share = math.exp(-2.0 * float(gains[best]) / fitted.freedom)
    size = abs(delta) / work.noise(fitted, share)
    evidence = log_shiryaev_roberts(log_e, shape.every)
    onset = int(shape.onsets[best // shape.ramps])
    lasting = evidence >= log_limit and size >= MIN_SIZE
    lasting = lasting and _stays((clean - smooth) / delta, hold)
    lasting = lasting and _beats(fitted, float(gains[best]), shape)
    if lasting and clean is not values:
        begin = max(onset - 3 * hold // 2, 0)
        mixed = np.concatenate((clean[:begin], values[begin:]))
        lasting = _not_recovering(work.fit(mixed), shape)
    if lasting:
        onset, delta, size = _refined(work, fitted, onset, shape.ramps)
        lasting = values.size - onset >= hold - shape.every
    left = clean - smooth - step
    return Scan(evidence, _suspicion(raw, correlation), onset, delta * unit, size, left, lasting)


@dataclass(frozen=True, slots=True)
class _Work:
    """The trend of a window (whitened basis, and the same functions as they are) and its noise."""

    basis_NP: Floats
    plain_NP: Floats
    correlation: float
    floor: float
    known: float

    def fit(self, values_N: Floats) -> Fit:
        return fit(self.basis_NP, whiten(values_N, self.correlation), self.floor, self.known)

    def smooth(self, values_N: Floats) -> Floats:
        smooth: Floats = self.plain_NP @ (self.basis_NP.T @ whiten(values_N, self.correlation))
        return smooth

    def noise(self, fitted: Fit, share: float = 1.0) -> float:
        """Marginal sd of the noise when `share` of the residual energy is noise."""
        return math.sqrt(fitted.energy * share / fitted.freedom / (1.0 - self.correlation**2))


def _suspicion(raw: Fit, correlation: float) -> float:
    early = early_steps(raw.residual_N.size, correlation)
    if early is None:
        return -math.inf
    return log_shiryaev_roberts(log_e_values(raw, *projections(raw, early), KAPPA)[:, None])


def _refined(work: _Work, fitted: Fit, onset: int, ramps: int) -> tuple[int, float, float]:
    """Return onset, delta and size of the step that fits best near the one found on the grid."""
    n = fitted.residual_N.size
    near = np.arange(max(onset - NEAR, 2), min(onset + NEAR + 1, n - 1))
    finer = columns(step_columns(n, near, RAMPS[:ramps]), work.correlation)
    norm, product = projections(fitted, finer)
    gains = log_fits(fitted, norm, product)
    best = int(np.argmax(gains))
    delta = float(product[best] / norm[best])
    share = math.exp(-2.0 * float(gains[best]) / fitted.freedom)
    return int(near[best // ramps]), delta, abs(delta) / work.noise(fitted, share)


def _scaled(values_N: Floats) -> tuple[float, Floats, float]:
    """Return a unit, the values less the last one in that unit (at most 1), and their rounding."""
    peak = float(np.max(np.abs(values_N))) or 1.0
    away = values_N / peak - values_N[-1] / peak
    reach = float(np.max(np.abs(away))) or 1.0
    return peak * reach, away / reach, 16.0 * float(np.finfo(float).eps) / reach


def _cleaned(work: _Work, values: Floats, fitted: Fit, hold: int) -> tuple[Floats, Fit]:
    """Return the values without excursions shorter than `hold`, and their fit."""
    clean = values
    for _ in range(2):
        smooth = work.smooth(clean)
        if np.max(np.abs(values - smooth)) <= 3.5 * work.noise(fitted):
            break
        level = despike(values - smooth, hold - 1, OUTLIER)
        if level is None:
            break
        clean = smooth + level
        fitted = work.fit(clean)
    return clean, fitted


def _stays(share_N: Floats, hold: int) -> bool:
    """Whether the last readings still stand on the new level (1) rather than the old (0)."""
    return bool(np.median(share_N[-max(2, hold // 2) :]) >= 0.5)


def _beats(fitted: Fit, gain: float, shape: Shapes) -> bool:
    broad = log_fits(fitted, *projections(fitted, shape.broad_NK)).max()
    bumps = log_fits(fitted, *projections(fitted, shape.bumps_NB)).max()
    return bool(gain >= broad + MARGIN and gain >= bumps)


def _not_recovering(fitted: Fit, shape: Shapes) -> bool:
    """Whether a step explains the uncleaned end of the window better than a recovering bump."""
    steps = log_fits(fitted, *projections(fitted, shape.steps_NS)).max()
    bumps = log_fits(fitted, *projections(fitted, shape.bumps_NB)).max()
    return bool(steps >= bumps)
