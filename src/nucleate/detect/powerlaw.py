"""A second opinion on sharpness: two shifted power laws with or without a narrow logistic.

Least squares with a robust loss and a Bayesian information criterion. It assumes more about smooth
learning than the Gaussian-process null does, so it can see a step between sparse checkpoints, and
it is wrong where smooth learning is not a sum of two power laws: a cross-check, never a verdict.
Source: the sharpness test of the project's science notes, section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.atoms import sigmoid
from nucleate.detect.excursions import boxes
from nucleate.detect.series import clean

Array = NDArray[np.float64]

EXPONENTS = (0.15, 0.3, 0.5, 0.8, 1.2, 2.0)
NUM_SHIFTS = 9
NUM_REWEIGHTS = 4
HUBER = 2.5
"""Residuals beyond this many robust standard deviations count linearly."""

WIDTHS = (0.1, 0.2, 0.35, 0.48)
"""10–90 % widths of the steps, in decades."""

SPIKE_LENGTHS = (1, 2, 3)
MAX_SPIKES = 2
SPIKE_GAIN = 20.0
SET_ASIDE = 1e-6
"""Weight of readings inside a spike."""

STEP_PARAMETERS = 3
MIN_READINGS = 12


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Comparison of a smooth with a stepped description of one curve.

    Attributes:
        delta_bic: BIC of the smooth description minus BIC of the stepped one.
        at: Location of the step, on the axis that was given.
        amplitude: Height of the step, in the unit of the values.
        width: Its 10–90 % width in decades.
    """

    delta_bic: float
    at: float
    amplitude: float
    width: float


def sharpness(steps: ArrayLike, values: ArrayLike) -> Sharpness:
    """Return how much better a step on top of two power laws describes a curve.

    Args:
        steps: Positions, shape ``(n,)``; those ≤ 0 are dropped.
        values: Measured values, shape ``(n,)``.

    Raises:
        ValueError: With fewer than 12 usable readings: ten parameters.
    """
    series = clean(steps, values)
    x, y = series.x, series.y
    if x.size < MIN_READINGS:
        raise ValueError(f"at least {MIN_READINGS} usable readings are needed, got {x.size}")
    laws = _laws(x)
    where = np.linspace(x[2], x[-3], 4 * x.size)
    centre, width = np.repeat(where, len(WIDTHS)), np.tile(WIDTHS, where.size)
    atoms_dn = sigmoid(x, centre, width)
    weight = _without_spikes(laws, atoms_dn, x, y)
    for _ in range(NUM_REWEIGHTS):
        # Both descriptions use the weights of the richer one, so that neither pays for a spike.
        fit = _fit(laws, atoms_dn, y, weight)
        spread = 1.4826 * float(np.median(np.abs(fit.residual))) + 1e-12
        huber = np.minimum(1.0, HUBER * spread / np.maximum(np.abs(fit.residual), 1e-300))
        weight = np.where(weight > SET_ASIDE, np.maximum(huber, 2.0 * SET_ASIDE), SET_ASIDE)
    fit = _fit(laws, atoms_dn, y, weight)
    gain = x.size * np.log(fit.rss_smooth / fit.rss_step) - STEP_PARAMETERS * np.log(x.size)
    return Sharpness(
        float(gain),
        float(10.0 ** centre[fit.atom]),
        fit.amplitude * series.scale,
        float(width[fit.atom]),
    )


def _without_spikes(laws: Array, steps_dn: Array, x: Array, y: Array) -> Array:
    """Return weights that set aside short spikes, which beat every step."""
    box_dn, covers = boxes(x.size, SPIKE_LENGTHS)
    weight = np.ones(x.size)
    for _ in range(MAX_SPIKES):
        fit = _fit(laws, np.concatenate([steps_dn, box_dn]), y, weight)
        gain = x.size * np.log(fit.rss_smooth / fit.rss_step)
        if fit.atom < steps_dn.shape[0] or gain < SPIKE_GAIN:
            break
        weight[covers[fit.atom - steps_dn.shape[0]]] = SET_ASIDE
    return weight


@dataclass(frozen=True, slots=True)
class _StepFit:
    rss_smooth: float
    rss_step: float
    atom: int
    amplitude: float
    residual: Array


def _laws(x: Array) -> Array:
    """Return bases of a constant and two shifted power laws, shape ``(k, n, 3)``."""
    shifts = np.linspace(x[0] - 0.5, x[-1], NUM_SHIFTS)
    single = [(1.0 + 10.0 ** (x - shift)) ** -power for shift in shifts for power in EXPONENTS]
    stacked = np.array([[np.ones_like(x), a, b] for a, b in combinations(single, 2)])
    return np.ascontiguousarray(stacked.transpose(0, 2, 1))


def _fit(laws_kn3: Array, atoms_dn: Array, y: Array, weight: Array) -> _StepFit:
    """Return the best weighted fits without and with one of the steps."""
    root = np.sqrt(weight)
    q_kn3 = np.linalg.qr(laws_kn3 * root[None, :, None])[0]
    target = y * root
    steps_dn = atoms_dn * root
    residual_kn = target - np.einsum("knj,kj->kn", q_kn3, np.einsum("knj,n->kj", q_kn3, target))
    rss_k = np.sum(residual_kn**2, axis=1)
    overlap_kd3 = np.matmul(steps_dn, q_kn3)
    norm_kd = np.sum(steps_dn**2, axis=1) - np.sum(overlap_kd3**2, axis=2)
    score_kd = residual_kn @ steps_dn.T
    gain_kd = np.where(norm_kd > 1e-6, score_kd**2 / np.maximum(norm_kd, 1e-6), 0.0)
    law, atom = np.unravel_index(np.argmin(rss_k[:, None] - gain_kd), gain_kd.shape)
    amplitude = float(score_kd[law, atom] / max(norm_kd[law, atom], 1e-6))
    left = steps_dn[atom] - q_kn3[law] @ overlap_kd3[law, atom]
    residual = (residual_kn[law] - amplitude * left) / np.maximum(root, 1e-12)
    floor = 1e-12 * float(target @ target) + 1e-300
    return _StepFit(
        max(float(rss_k.min()), floor),
        max(float(rss_k[law] - gain_kd[law, atom]), floor),
        int(atom),
        amplitude,
        residual,
    )
