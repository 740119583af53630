"""What a known learning-rate schedule does to a curve: shapes that the smooth null may use.

When the learning rate falls, the loss falls with it, because the noise of the steps is averaged
away; that is an effect of the schedule and no transition of the model. The shapes are functions of
the learning rate relative to its peak, after the peak; warm-up is left to the trend.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POWERS = (0.5, 1.0, 2.0)
"""The loss follows the learning rate, its root or its square; the null takes what fits."""

LEAST_FALL = 0.05
"""A schedule that falls by less than this share of its peak is constant."""


def warm_up(x: Array, lr: Array) -> float | None:
    """Return log10 of where the learning rate first comes within 1 % of its peak, None if at once.

    Args:
        x: log10 of the axis, shape ``(n,)``.
        lr: Learning rates, shape ``(n,)``; NaN where unknown.
    """
    known = np.flatnonzero(np.isfinite(lr) & (lr >= 0))
    if known.size < 3 or lr[known].max() <= 0 or lr[known[0]] >= 0.9 * lr[known].max():
        return None
    return float(x[known[np.argmax(lr[known] >= 0.99 * lr[known].max())]])


def relative_rate(x: Array, lr: Array) -> Array | None:
    """Return the learning rate relative to its peak, shape ``(n,)``, or None when it is not known.

    Args:
        x: log10 of the axis, shape ``(n,)``.
        lr: Learning rates, shape ``(n,)``; gaps (NaN) are interpolated.
    """
    known = np.isfinite(lr) & (lr >= 0)
    if known.sum() < 3 or np.nanmax(lr[known]) <= 0:
        return None
    filled = np.interp(x, x[known], lr[known])
    return np.asarray(filled / filled.max())


def schedule_shapes(x: Array, lr: Array) -> Array | None:
    """Return the effects of a schedule at the readings, shape ``(n, k)``, or None without any.

    Args:
        x: log10 of the axis, shape ``(n,)``.
        lr: Learning rates, shape ``(n,)``; gaps (NaN) are interpolated.
    """
    relative = relative_rate(x, lr)
    if relative is None:
        return None
    relative[: int(relative.argmax())] = 1.0
    if relative.min() > 1.0 - LEAST_FALL:
        return None
    shapes = np.stack([relative**power for power in POWERS], axis=1)
    # Orthogonal, scaled columns; directions that the readings cannot tell apart are dropped.
    line = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    shapes = shapes - line @ np.linalg.lstsq(line, shapes, rcond=None)[0]
    left, strength, _ = np.linalg.svd(shapes, full_matrices=False)
    return np.asarray(left[:, strength > 0.05 * strength[0]] * np.sqrt(x.size))
