"""The frontier of the baseline: what each quality costs, between fully decayed runs, never beyond.

Costs are in FLOPs; a quality is any number that more training should raise (a loss is negated).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import UserError

Array = NDArray[np.float64]
Place = Literal["inside", "above", "below"]

MIN_HORIZONS = 5
"""Fewer fully decayed runs draw no frontier."""
_FINE = 64
"""Points of the curve between two horizons; the way back from quality to cost is linear between."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What the baseline pays for a quality.

    Attributes:
        cost: FLOPs; outside the frontier the cost of its nearest end, which is then only a bound.
        where: ``above`` its best quality (the baseline needs at least `cost`), ``below`` its worst
            (at most `cost`), or ``inside``.
    """

    cost: float
    where: Place


class Frontier:
    """Quality over the logarithm of cost, through runs of different lengths.

    Quality is made monotone by isotonic regression (what is left of a violation is noise) and
    interpolated by monotone cubics (Fritsch and Carlson 1980), so that it stays inside the range of
    each pair of neighbours.

    Args:
        costs: FLOPs of each run, shape ``(h,)`` with at least `MIN_HORIZONS` different ones.
        qualities: Their qualities, same shape; several runs of one cost count with their mean.

    Raises:
        UserError: There are too few horizons, or a number is not finite.
    """

    def __init__(self, costs: ArrayLike, qualities: ArrayLike) -> None:
        from scipy.interpolate import PchipInterpolator

        cost, quality = np.asarray(costs, np.float64), np.asarray(qualities, np.float64)
        if not (np.isfinite(cost).all() and np.isfinite(quality).all() and (cost > 0).all()):
            raise UserError("a frontier needs finite numbers", where="frontier", got=list(quality))
        self.costs, at = np.unique(cost, return_inverse=True)
        if self.costs.size < MIN_HORIZONS:
            raise UserError(
                "a frontier needs more horizons",
                where="frontier",
                got=self.costs.size,
                expected=f"{MIN_HORIZONS} or more",
            )
        weights = np.bincount(at)
        self.qualities = isotonic(np.bincount(at, weights=quality) / weights, weights)
        self._log = np.log(self.costs)
        self._curve = PchipInterpolator(self._log, self.qualities, extrapolate=False)
        self._fine_log = _refined(self._log)
        self._fine = np.maximum.accumulate(self._curve(self._fine_log))

    def quality_at(self, cost: float) -> float:
        """Return the quality that a cost buys; NaN outside."""
        return float(self._curve(np.log(cost)))

    def cost_at(self, quality: float) -> Reached:
        """Return what the cheapest run of a quality costs."""
        logs, where = self.log_costs(np.array([quality]))
        return Reached(float(np.exp(logs[0])), where[0])

    def log_costs(self, qualities: Array) -> tuple[Array, list[Place]]:
        """Return ``log(FLOPs)`` of each quality, shape ``(n,)``, and where it lies."""
        logs = _inverse(self._fine, self._fine_log, qualities)
        top, bottom = self._fine[-1], self._fine[0]
        places: list[Place] = [
            "above" if q > top else "below" if q < bottom else "inside" for q in qualities
        ]
        return logs, places

    def slope_at(self, cost: float) -> float:
        """Return the quality gained per unit of ``log(FLOPs)`` between the horizons around a cost.

        Neighbours on both sides of the nearest horizon are used, so that the noise of one run does
        not make the slope.
        """
        near = int(np.argmin(np.abs(self._log - np.log(cost))))
        left, right = max(0, near - 1), min(self._log.size - 1, near + 1)
        rise = self.qualities[right] - self.qualities[left]
        return float(rise / (self._log[right] - self._log[left]))

    def worth(self, share: float, cost: float) -> float:
        """Return the quality that the last `share` of a cost buys."""
        return self.slope_at(cost) * -float(np.log1p(-share))


def _refined(logs: Array) -> Array:
    """Return every knot with `_FINE` − 1 points up to the next one, evenly spaced."""
    steps = np.arange(_FINE) / _FINE
    between = logs[:-1, None] + np.diff(logs)[:, None] * steps
    return np.append(between.ravel(), logs[-1])


def log_costs_of_many(costs: Array, curves: Array, qualities: Array) -> Array:
    """Return ``log(FLOPs)`` of qualities on many frontiers at once, each with its own.

    Equal to `Frontier.log_costs` for each, and a hundred times as fast.

    Args:
        costs: FLOPs of the horizons, all different and rising, shape ``(h,)``.
        curves: Qualities of each frontier, shape ``(R, h)``.
        qualities: What to ask each, shape ``(R, n)``.

    Returns:
        Shape ``(R, n)``; qualities outside get the nearest end.
    """
    from scipy.interpolate import PchipInterpolator

    logs = np.log(costs)
    fine = _refined(logs)
    monotone = np.array([isotonic(curve) for curve in curves])
    levels_RF = np.maximum.accumulate(PchipInterpolator(logs, monotone, axis=1)(fine), axis=1)
    pairs = zip(levels_RF, qualities, strict=True)
    return np.array([_inverse(levels, fine, asked) for levels, asked in pairs])


def _inverse(levels: Array, logs: Array, asked: Array) -> Array:
    """Return where a rising curve first reaches what is asked; outside, its nearest end."""
    right = np.clip(np.searchsorted(levels, asked, side="left"), 1, levels.size - 1)
    low, high = levels[right - 1], levels[right]
    share = (asked - low) / np.where(high > low, high - low, 1.0)
    found = logs[right - 1] + np.clip(share, 0.0, 1.0) * (logs[right] - logs[right - 1])
    return np.where(asked > levels[-1], logs[-1], np.where(asked <= levels[0], logs[0], found))


def isotonic(values: ArrayLike, weights: ArrayLike | None = None) -> Array:
    """Return the closest non-decreasing sequence (least squares), shape ``(n,)``.

    >>> isotonic([1.0, 3.0, 2.0, 4.0]).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    given = np.asarray(values, np.float64)
    weight = np.ones_like(given) if weights is None else np.asarray(weights, np.float64)
    blocks: list[list[float]] = []  # mean, weight, length
    for value, own in zip(given, weight, strict=True):
        blocks.append([float(value), float(own), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size, length = blocks.pop()
            last = blocks[-1]
            total = last[1] + size
            blocks[-1] = [(last[0] * last[1] + mean * size) / total, total, last[2] + length]
    return np.repeat([mean for mean, _, _ in blocks], [int(length) for _, _, length in blocks])
