"""Swapped checkpoints: two positions whose exchange makes a run smooth again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, of_run

Array = NDArray[np.float64]

MIN_METRICS, MIN_POSITIONS = 4, 8
Z, WRONG = 8.0, 3.0
"""How many noise units the observed change must miss the expected one by, and how many times the
largest miss elsewhere in the run."""

TELLING, LOUDEST = 3.0, 20.0
"""Noise units by which a metric should change between two positions to take part, and the most
that any one counts for."""

SUSPECTS = 12
"""Distant exchanges are tried between this many of the roughest positions."""


def swapped_checkpoints(panel: Panel) -> list[Flag]:
    """Return a flag for each pair of positions whose readings look exchanged.

    Neighbours predict the readings at i and j. With a the predicted change of all metrics (in
    noise units) and b the observed one, a run in order has b ≈ a, a swapped one b ≈ −a. Noise is
    measured in the direction of a at all other positions of the run, so correlated metrics count
    for no more than they are worth.

    Args:
        panel: One run with at least four complete metrics and eight positions.
    """
    kept = np.isfinite(panel.values).mean(axis=0) > 0.5
    u, positions = panel.u[kept], panel.positions[kept]
    rows = panel.values[:, kept]
    rows = rows[np.isfinite(rows).all(axis=1)]
    rows = rows[np.ptp(rows, axis=1) > 0] if rows.size else rows
    if len(rows) < MIN_METRICS or u.size < MIN_POSITIONS:
        return []
    residual = rows[:, 1:-1] - _between(u, rows, 1)
    noise = 1.4826 * np.median(np.abs(residual), axis=1)
    alive = noise > 1e-12 * np.abs(rows).max(axis=1)
    if alive.sum() < MIN_METRICS:
        return []
    y = rows[alive] / noise[alive, None]
    found = [*_adjacent(u, y), *_distant(u, y)]
    return [_flag(panel, positions, best) for best in _separate(found)]


Swap = tuple[float, int, int, int, int, int]
"""z, i, j, how many metrics become smoother, of how many, and over how many misses z is."""


def _between(u: Array, y: Array, gap: int) -> Array:
    """Predict every reading from the one before it and the one `gap` after it, on a line."""
    before, after = y[:, : -1 - gap], y[:, 1 + gap :]
    share = (u[1:-gap] - u[: -1 - gap]) / (u[1 + gap :] - u[: -1 - gap])
    return np.asarray(before + share * (after - before))


def _adjacent(u: Array, y: Array) -> list[Swap]:
    """Try to exchange neighbours i and i + 1, both predicted from i − 1 and i + 2."""
    slope = (y[:, 3:] - y[:, :-3]) / (u[3:] - u[:-3])
    expected = slope * (u[2:-1] - u[1:-2])
    observed = y[:, 2:-1] - y[:, 1:-2]
    return [
        swap
        for k in range(expected.shape[1])
        if (swap := _judge(expected[:, k], observed[:, k], expected, observed, k, 2, k + 1, k + 2))
    ]


def _distant(u: Array, y: Array) -> list[Swap]:
    """Try to exchange the roughest positions, each predicted from its own neighbours."""
    predicted = _between(u, y, 1)
    residual = y[:, 1:-1] - predicted
    rough = np.sqrt((residual**2).mean(axis=0))
    suspects = np.sort(np.argsort(rough)[::-1][:SUSPECTS])
    found = []
    for n, i in enumerate(suspects):
        for j in suspects[n + 1 :]:
            if j - i < 2:
                continue
            a, b = predicted[:, j] - predicted[:, i], y[:, j + 1] - y[:, i + 1]
            far = np.ones(residual.shape[1], dtype=bool)
            far[[k for c in (i, j) for k in range(max(0, c - 1), min(far.size, c + 2))]] = False
            # Differences of two residuals: √2 times the misses of one position.
            swap = _judge(a, b, None, math.sqrt(2) * residual[:, far], -9, 0, i + 1, j + 1)
            if swap:
                found.append(swap)
    return found


def _judge(
    a: Array,
    b: Array,
    expected: Array | None,
    observed: Array,
    k: int,
    spare: int,
    i: int,
    j: int,
) -> Swap | None:
    """Return the exchange of i and j when b ≈ −a and nothing else in the run is like it."""
    # Only metrics that should have moved between i and j can tell.
    telling = np.abs(a) > TELLING
    if telling.sum() < MIN_METRICS:
        return None
    # A metric of enormous range must not speak for all.
    weight = np.minimum(1.0, LOUDEST / np.abs(a[telling]))
    a, b, observed = weight * a[telling], weight * b[telling], weight[:, None] * observed[telling]
    expected = None if expected is None else weight[:, None] * expected[telling]
    norm = math.sqrt(float(a @ a))
    if norm == 0.0 or float(a @ b) >= -0.3 * norm**2:
        return None
    direction = a / norm
    miss = direction @ (observed - expected if expected is not None else observed)
    elsewhere = (
        np.abs(np.delete(miss, range(max(0, k - spare), min(miss.size, k + spare + 1))))
        if spare
        else miss
    )
    elsewhere = np.abs(elsewhere)
    if elsewhere.size < 4:
        return None
    scale = 1.4826 * float(np.median(elsewhere))
    along = float(direction @ b)
    z = (norm - along) / max(scale, 1e-12)
    if z < Z or norm - along < WRONG * float(elsewhere.max()) or abs(along + norm) > 0.5 * norm:
        return None
    smoother = int((a * b < 0).sum())
    # What is left after the exchange must be ordinary, and most metrics must agree.
    left = float(((a + b) ** 2).sum()) / float(((a - b) ** 2).sum())
    if smoother < 0.75 * a.size or left > 0.25:
        return None
    return z, int(i), int(j), smoother, int(a.size), int(elsewhere.size)


def _separate(found: list[Swap]) -> list[Swap]:
    """Keep the clearest exchange of every position."""
    kept: list[Swap] = []
    for swap in sorted(found, reverse=True):
        if not any({swap[1], swap[2]} & {other[1], other[2]} for other in kept):
            kept.append(swap)
    return kept


def _flag(panel: Panel, positions: Array, swap: Swap) -> Flag:
    from scipy.special import stdtr

    z, i, j, smooth, of, misses = swap
    at = (float(positions[i]), float(positions[j]))
    # All neighbours and all pairs of suspects were tried.
    tried = positions.size + SUSPECTS * (SUSPECTS - 1) // 2
    p = min(1.0, 2 * tried * float(stdtr(misses - 1, -z)))
    text = (
        f"the readings{of_run(panel.run)} at {at[0]:g} and {at[1]:g} look exchanged: {smooth} of "
        f"{of} metrics become smoother when they change places ({z:.0f} noise units)"
    )
    return Flag("swapped checkpoints", text, runs=(panel.run,), at=at, p=p)
