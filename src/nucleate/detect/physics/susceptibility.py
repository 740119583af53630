"""Susceptibility: spread between seeds beyond item sampling, and whether it peaks in the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

MIN_SEEDS, MIN_READINGS = 8, 6
"""With fewer seeds a bootstrap over them says nothing; a peak needs readings on both sides."""

LEARNED = 0.1
"""A reading counts as learned once the mean has moved by this share of its range."""

LEVEL = 0.05
"""Size of the one-sided tests."""

HALF_WIDTHS, FLANK = (0.1, 0.2, 0.4), 0.4
"""Half-widths of the peaks looked for, and the least width of a flank, in decades."""


@dataclass(frozen=True, slots=True)
class Susceptibility:
    """χ along training and the verdict on its peak.

    Attributes:
        u: log10 positions, shape ``(n,)``.
        chi: ``K · (variance over seeds − mean sampling variance)``, shape ``(n,)``.
        learned: Which readings may carry the peak, shape ``(n,)``.
        peak: u of the best candidate (NaN when there is none).
        ratio: Seed standard deviation at the peak over that of the larger flank (∞ when the
            flanks hold no more than sampling noise).
        bound: One-sided 95 % lower bound of `ratio` (bootstrap over seeds) for this peak alone.
        p: p-value of the peak with the search over all readings counted in.
        interior_peak: Whether the peak exceeds both flanks after that search (p ≤ .05).
        note: One sentence.
        refused: Why nothing is said, or None.
    """

    u: Array
    chi: Array
    learned: NDArray[np.bool_]
    peak: float = math.nan
    ratio: float = math.nan
    bound: float = math.nan
    p: float = math.nan
    interior_peak: bool = False
    note: str = ""
    refused: str | None = None


def chi(m: Array, sampling: Array, items: int = 1) -> Array:
    """Return ``K · (Var_seeds m − mean sampling variance)`` along the axis before the last.

    >>> m = np.array([[0.0, 0.4], [0.0, 0.6]])
    >>> chi(m, np.zeros_like(m), items=100).round(6).tolist()
    [0.0, 2.0]
    """
    spread = m.var(axis=-2, ddof=1) - sampling.mean(axis=-2)
    return np.asarray(max(items, 1) * spread)


def susceptibility(
    u: ArrayLike,
    m: ArrayLike,
    sampling: ArrayLike | None = None,
    *,
    items: int = 1,
    within: tuple[float, float] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Susceptibility:
    """Return χ(u) over seeds and whether it has an interior peak.

    A peak is a window of one of three widths whose mean χ exceeds that of the stretch on either
    side (0.4 decades or twice its half-width). Readings before learning (the mean within a tenth
    of its range of its start) cannot carry it: their spread is that of the initial weights.

    Args:
        u: log10 of tokens or steps, shape ``(n,)``, increasing.
        m: Order parameter, shape ``(S, n)``.
        sampling: Item-sampling variance of each value, same shape (None: taken as 0).
        items: Items K behind a value; scales χ only.
        within: Look only between these u: the highest reading there against the next reading on
            either side, for a place that was named beforehand.
        resamples, seed: Of the bootstrap over seeds.

    Source: science notes §5.2.

    >>> susceptibility(range(8), np.zeros((5, 8))).refused
    'a susceptibility needs at least 8 seeds with finite values, got 5'
    """
    x, values = np.asarray(u, dtype=np.float64), np.asarray(m, dtype=np.float64)
    noise = np.zeros_like(values) if sampling is None else np.asarray(sampling, dtype=np.float64)
    if values.ndim != 2 or values.shape[1:] != x.shape or noise.shape != values.shape:
        raise ValueError(
            f"m and sampling must be (seeds, len(u)), got {values.shape}, {noise.shape}, {x.shape}"
        )
    whole = np.isfinite(values).all(axis=1) & np.isfinite(noise).all(axis=1)
    values, noise = values[whole], noise[whole]
    none = np.zeros(x.size, dtype=bool)
    if len(values) < MIN_SEEDS:
        why = (
            f"a susceptibility needs at least {MIN_SEEDS} seeds with finite values, "
            f"got {len(values)}"
        )
        return Susceptibility(x, np.full(x.size, math.nan), none, refused=why)
    observed = chi(values, noise, items)
    learned = learned_readings(values.mean(axis=0))
    base = Susceptibility(x, observed, learned)
    if x.size < MIN_READINGS or not learned.any():
        why = f"a peak needs at least {MIN_READINGS} readings and a mean that moves, got {x.size}"
        return replace(base, refused=why)
    windows = _windows(x, learned, within)
    if not windows:
        return replace(base, note="no reading after learning began has readings on both sides")
    return _tested(base, values, noise, windows, items, resamples, seed)


def learned_readings(mean: Array) -> NDArray[np.bool_]:
    """Return which readings lie after the mean first left its start by `LEARNED` of its range."""
    moved = np.abs(mean - mean[0]) >= LEARNED * np.ptp(mean)
    if np.ptp(mean) == 0 or not moved.any():
        return np.zeros(mean.size, dtype=bool)
    return np.asarray(np.arange(mean.size) >= int(moved.argmax()))


def _windows(
    x: Array, learned: NDArray[np.bool_], within: tuple[float, float] | None
) -> list[tuple[Array, Array, Array]]:
    """Return averaging weights ``(peak, left flank, right flank)`` of every candidate."""
    found = []
    if within is not None:
        inside = np.flatnonzero((x >= within[0]) & (x <= within[1]) & learned)
        if not inside.size or inside[0] == 0 or inside[-1] == x.size - 1:
            return []
        eye = np.eye(x.size)
        return [(eye[k], eye[inside[0] - 1], eye[inside[-1] + 1]) for k in inside]
    for half in HALF_WIDTHS:
        reach = half + max(FLANK, 2 * half)
        for k in np.flatnonzero(learned):
            away = x - x[k]
            parts = (
                np.abs(away) <= half,
                (away < -half) & (away >= -reach),
                (away > half) & (away <= reach),
            )
            if min(int(part.sum()) for part in parts) > 0:
                top, left, right = (part / part.sum() for part in parts)
                found.append((top, left, right))
    return found


def _tested(
    base: Susceptibility,
    values: Array,
    noise: Array,
    windows: list[tuple[Array, Array, Array]],
    items: int,
    resamples: int,
    seed: int,
) -> Susceptibility:
    """Bootstrap seeds; compare every candidate with its flanks, all at once."""
    top, left, right = (np.stack(column, axis=1) for column in zip(*windows, strict=True))
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(values), (resamples, len(values)))
    redrawn = np.stack([chi(values[index], noise[index], items) for index in drawn])
    # How far item sampling alone moves an estimated variance: nothing below it counts.
    floor = items * (noise.mean(axis=0) * math.sqrt(2 / (len(values) - 1))) @ top + 1e-300

    def log_ratio(spread: Array) -> Array:
        peak, flank = spread @ top, np.maximum(spread @ left, spread @ right)
        return np.asarray(0.5 * np.log(np.maximum(peak, floor) / np.maximum(flank, floor)))

    gain, again = log_ratio(base.chi), log_ratio(redrawn)
    error = again.std(axis=0) + 1e-12
    best = int((gain / error).argmax())
    worst = ((gain - again) / error).max(axis=1)
    p = float((1 + (worst >= gain[best] / error[best]).sum()) / (1 + resamples))
    shown = p <= LEVEL
    ratio = math.exp(float(gain[best]))
    bound = math.exp(float(np.quantile(again[:, best], LEVEL)))
    where = float(base.u @ top[:, best])
    note = (
        f"seed spread at u = {where:.2f} is {ratio:.2f} times that of its larger flank "
        f"(5 % bound {bound:.2f}; p = {p:.2g} with the search counted in): "
        f"{'an interior peak' if shown else 'suggestive at most'}"
    )
    return replace(base, peak=where, ratio=ratio, bound=bound, p=p, interior_peak=shown, note=note)
