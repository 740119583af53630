"""A left-to-right Gaussian hidden Markov model in log space, for several runs at once.

States can only stay or advance by one, at a rate per decade of the axis, so unevenly spaced
readings are no trouble. Emissions are independent normals with one mean and variance per state and
metric, shared by all runs; missing values are marginalised. Sources: Rabiner 1989 (forward-backward
and Baum-Welch; left-to-right models in section IV).

Shapes: R runs, T readings (padded), M metrics, K states, S starts that are fitted side by side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VARIANCE_FLOOR = 0.01
"""Smallest variance of a standardised metric inside a state: plateaus at a ceiling have none."""

MAX_RATE, MIN_RATE = 1e3, 1e-3
NUM_ITERATIONS = 60
TOLERANCE = 1e-4
"""EM stops when no start gains more than this, in nats."""

SMALL = 1e-300


@dataclass(frozen=True, slots=True)
class Sequences:
    """Runs padded to one length: values ``(R, T, M)`` (NaN missing), gaps ``(R, T)`` in decades.

    ``gaps[r, t]`` is the distance from reading t − 1 to t; it is 0 for the first reading and for
    padding, where nothing can change.
    """

    values: Array
    gaps: Array
    lengths: NDArray[np.intp]

    @classmethod
    def of(cls, axis: list[Array], values: list[Array]) -> Sequences:
        """Pad runs; `axis` holds increasing log10 positions ``(T_r,)``, `values` ``(T_r, M)``."""
        lengths = np.array([x.size for x in axis], dtype=np.intp)
        padded = np.full((len(axis), int(lengths.max()), values[0].shape[1]), np.nan)
        gaps = np.zeros(padded.shape[:2])
        for r, (x, v) in enumerate(zip(axis, values, strict=True)):
            padded[r, : x.size] = v
            gaps[r, 1 : x.size] = np.diff(x)
        return cls(padded, gaps, lengths)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Means and variances ``(S, K, M)`` and advance rates per decade ``(S, K − 1)``."""

    means: Array
    variances: Array
    rates: Array

    def pick(self, start: int) -> Parameters:
        """Return the parameters of one start, kept as S = 1."""
        only = slice(start, start + 1)
        return Parameters(self.means[only], self.variances[only], self.rates[only])


@dataclass(frozen=True, slots=True)
class Posterior:
    """What the states were, given the readings.

    Attributes:
        loglik: Log-likelihood of each run, shape ``(S, R)``.
        states: P(state at reading), shape ``(S, R, T, K)``.
        advances: P(state k → k + 1 in the gap before reading t), shape ``(S, R, T, K − 1)``.
    """

    loglik: Array
    states: Array
    advances: Array


def emission(seq: Sequences, par: Parameters) -> Array:
    """Return log densities of all readings under all states, shape ``(S, R, T, K)``."""
    seen = np.isfinite(seq.values)
    x = np.where(seen, seq.values, 0.0)
    out = np.zeros((par.means.shape[0], *x.shape[:2], par.means.shape[1]))
    for m in range(x.shape[2]):
        mean = par.means[:, None, None, :, m]
        var = par.variances[:, None, None, :, m]
        far = (x[None, :, :, m, None] - mean) ** 2 / var
        out -= 0.5 * seen[None, :, :, m, None] * (far + np.log(2.0 * math.pi * var))
    return out


def moves(seq: Sequences, par: Parameters) -> tuple[Array, Array]:
    """Return log P(stay) ``(S, R, T, K)`` and log P(advance) ``(S, R, T, K − 1)`` of each gap."""
    decay = par.rates[:, None, None, :] * seq.gaps[None, :, :, None]
    last = np.zeros((*decay.shape[:3], 1))
    with np.errstate(divide="ignore"):
        advance = np.log(-np.expm1(-decay))
    return np.concatenate([-decay, last], axis=-1), advance


def posterior(seq: Sequences, par: Parameters) -> Posterior:
    """Run the forward-backward algorithm in log space."""
    log_e = emission(seq, par)
    stay, advance = moves(seq, par)
    num_t, num_k = log_e.shape[2:]
    forward, backward = np.full(log_e.shape, -np.inf), np.zeros(log_e.shape)
    forward[:, :, 0, 0] = log_e[:, :, 0, 0]
    for t in range(1, num_t):
        before = forward[:, :, t - 1]
        now = before + stay[:, :, t]
        now[..., 1:] = np.logaddexp(now[..., 1:], before[..., :-1] + advance[:, :, t])
        forward[:, :, t] = now + log_e[:, :, t]
    for t in range(num_t - 2, -1, -1):
        after = backward[:, :, t + 1] + log_e[:, :, t + 1]
        now = after + stay[:, :, t + 1]
        now[..., :-1] = np.logaddexp(now[..., :-1], after[..., 1:] + advance[:, :, t + 1])
        backward[:, :, t] = now
    loglik = np.logaddexp.reduce(forward[:, :, -1], axis=-1)
    states = np.exp(forward + backward - loglik[..., None, None])
    crossing = np.zeros((*log_e.shape[:3], num_k - 1))
    crossing[:, :, 1:] = np.exp(
        forward[:, :, :-1, :-1]
        + advance[:, :, 1:]
        + (log_e + backward)[:, :, 1:, 1:]
        - loglik[..., None, None]
    )
    return Posterior(loglik, states, crossing)


def fit(seq: Sequences, num_states: int, starts: Array) -> tuple[Parameters, float]:
    """Fit by expectation-maximisation from several starts; return the best and its likelihood.

    Args:
        seq: Standardised runs.
        num_states: K, at least 1.
        starts: First guesses of where states change, as shares of a run's readings, shape
            ``(S, K − 1)``, increasing along the last axis.
    """
    weight = _first_guess(seq, num_states, starts)
    rates = np.full(starts.shape, 1.0)
    par = Parameters(*_emissions(seq, weight), rates)
    last = np.full(starts.shape[0], -np.inf)
    for _ in range(NUM_ITERATIONS):
        post = posterior(seq, par)
        total = post.loglik.sum(axis=1)
        if np.all(total - last < TOLERANCE):
            break
        last = total
        par = Parameters(*_emissions(seq, post.states), _rates(seq, post))
    total = posterior(seq, par).loglik.sum(axis=1)
    best = int(np.argmax(total))
    return par.pick(best), float(total[best])


def _first_guess(seq: Sequences, num_states: int, starts: Array) -> Array:
    """Return hard assignments of readings to states, shape ``(S, R, T, K)``."""
    share = np.arange(seq.gaps.shape[1])[None, :] / seq.lengths[:, None]
    state = np.sum(share[None, :, :, None] >= starts[:, None, None, :], axis=-1)
    return np.asarray(state[..., None] == np.arange(num_states), dtype=np.float64)


def _emissions(seq: Sequences, weight: Array) -> tuple[Array, Array]:
    """Return weighted means and variances, shape ``(S, K, M)`` each."""
    seen = np.isfinite(seq.values)
    x = np.where(seen, seq.values, 0.0)
    total = np.einsum("srtk,rtm->skm", weight, seen.astype(np.float64)) + 1e-9
    mean = np.einsum("srtk,rtm->skm", weight, x) / total
    square = np.einsum("srtk,rtm->skm", weight, x**2) / total
    return mean, np.maximum(square - mean**2, VARIANCE_FLOOR)


def _rates(seq: Sequences, post: Posterior) -> Array:
    """Return the advance rates that maximise the expected log-likelihood, by bisection.

    The derivative Σ advance · Δu / (exp(qΔu) − 1) − Σ stay · Δu falls in q.
    """
    gap = seq.gaps[None, :, 1:, None]
    crossing = post.advances[:, :, 1:]
    staying = np.maximum(post.states[:, :, :-1, :-1] - crossing, 0.0)
    down = np.sum(staying * gap, axis=(1, 2))
    low, high = np.full(down.shape, math.log(MIN_RATE)), np.full(down.shape, math.log(MAX_RATE))
    for _ in range(30):
        middle = 0.5 * (low + high)
        growth = np.expm1(np.minimum(np.exp(middle)[:, None, None, :] * gap, 500.0))
        up = np.sum(crossing * gap / np.maximum(growth, SMALL), axis=(1, 2))
        rising = up > down
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.exp(0.5 * (low + high))
