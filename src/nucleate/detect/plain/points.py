"""Change points of a general series: where its level or its slope changes, if it does.

Where neither does, changes of spread are looked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.plain.costs import PARAMETERS, Costs, Shape, residuals
from nucleate.detect.plain.partition import best_partitions, pelt
from nucleate.detect.plain.prepare import as_table, standardised

Array = NDArray[np.float64]

MOST = 8
"""Most changes that are looked for by default."""

FINE = 800
"""Longer series are cut at every n-th reading only, so that there are about this many places."""

LARGEST_RHO = 0.8
"""Neighbouring readings are not believed to be more alike than this between changes: else noise
would explain everything."""

RESOLUTION = 0.01
"""What fits may leave over before it counts, as a share of the variance of the series: nobody
sees less on a plot of it."""

VISIBLE = 0.02
"""Share of the variance that a change must account for."""

SPREAD_VISIBLE = 0.15
"""Share of the variance of the size of residuals that a change of spread must account for: their
deviation then changes about twofold."""

SPREAD_LEAST = 60
"""Shorter series are not searched for changes of spread."""

SHAPES: tuple[Shape, ...] = ("constant", "line")


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """One change of a series.

    Attributes:
        index: First reading after the change, counted from 0.
        lo, hi: 95 % interval of `index`, given that there is one change here.
        statistic: What the criterion, a BIC, loses without this change.
    """

    index: int
    lo: int
    hi: int
    statistic: float


@dataclass(frozen=True, slots=True)
class _Model:
    shape: Shape
    breaks: tuple[int, ...]
    score: float


def change_points(
    values: ArrayLike,
    *,
    max_changes: int | None = None,
    penalty: float | Literal["auto"] = "auto",
    min_size: int | None = None,
) -> list[ChangePoint]:
    """Return the change points of any series, in order; empty when nothing changes visibly.

    No learning trend is assumed: for curves of training use `nucleate.transitions`. Segments are
    constants or straight lines, whichever the series asks for, with autocorrelated noise. Where
    neither level nor slope changes, changes of spread are looked for.

    Args:
        values: Shape ``(n,)``, or ``(n, d)`` for series that change together; NaN are bridged.
        max_changes: Most changes to return (8 by default).
        penalty: ``"auto"`` chooses shape and number of segments by an information criterion; a
            number is what one break costs in an optimal partition into constants, in units of
            the variance of each standardised series (PELT).
        min_size: Fewest readings in a segment (by default 3 to 10, with the length of the series).

    Example:
        >>> noise = [((37 * i) % 11) / 11 for i in range(60)]
        >>> [c.index for c in change_points([x + 5 * (i >= 40) for i, x in enumerate(noise)])]
        [40]
    """
    table_ND = standardised(as_table(values))
    table_ND = table_ND[:, np.any(table_ND != 0.0, axis=0)]
    num, most = table_ND.shape[0], MOST if max_changes is None else max_changes
    least = min_size or int(np.clip(num // 25, 3, 10))
    if num < 2 * least or table_ND.shape[1] == 0 or most < 1:
        return []
    if penalty == "auto":
        best = _chosen(table_ND, most, least, SHAPES, VISIBLE)
        if not best.breaks and num >= SPREAD_LEAST:
            sizes_ND = standardised(np.sqrt(np.abs(residuals(table_ND, (), best.shape))))
            spread = _chosen(sizes_ND, most, max(least, num // 12), ("constant",), SPREAD_VISIBLE)
            table_ND, best = (sizes_ND, spread) if spread.breaks else (table_ND, best)
    else:
        breaks = pelt(Costs(table_ND, "constant"), float(penalty), least)
        best = _Model("constant", breaks, 0.0)
        best = _pruned(table_ND, best, most, visible=0.0)
    return [_described(table_ND, best, i) for i in range(len(best.breaks))]


def _chosen(
    table_ND: Array, most: int, least: int, shapes: tuple[Shape, ...], visible: float
) -> _Model:
    """Return the model with the smallest criterion, without changes that nobody would see."""
    num = table_ND.shape[0]
    models: list[_Model] = []
    for shape in shapes:
        size = max(least, PARAMETERS[shape] + 2)
        every = max(1, num // FINE)
        models += [
            _Model(shape, breaks, criterion(table_ND, breaks, shape))
            for breaks in best_partitions(Costs(table_ND, shape), most, size, every)
        ]
    best = min(models, key=lambda model: model.score)
    return _pruned(table_ND, best, most, visible)


def criterion(table_ND: Array, breaks: tuple[int, ...], shape: Shape) -> float:
    """Return the BIC of segments with AR(1) noise; a break costs its segment and its place twice.

    Source of the weight of a place: Zhang and Siegmund 2007 (their 3 ln n for a new mean).
    """
    num, series = table_ND.shape
    rest_ND = residuals(table_ND, breaks, shape)
    power = np.sum(rest_ND**2, axis=0)
    together = np.sum(rest_ND[1:] * rest_ND[:-1], axis=0)
    rho_D = np.clip(together / np.maximum(power, 1e-12), 0.0, LARGEST_RHO)
    new_D = np.mean((rest_ND[1:] - rho_D * rest_ND[:-1]) ** 2, axis=0)
    parameters = PARAMETERS[shape] * series * (len(breaks) + 1) + 2 * len(breaks)
    return float(num * np.sum(np.log(new_D + RESOLUTION)) + parameters * math.log(num))


def _pruned(table_ND: Array, model: _Model, most: int, visible: float) -> _Model:
    """Return a model without the changes that account for too little of the variance."""
    breaks = model.breaks
    while breaks:
        costs = Costs(table_ND, model.shape)
        gains = [_gain(costs, breaks, i) for i in range(len(breaks))]
        worst = int(np.argmin(gains))
        if gains[worst] >= visible * table_ND.size and len(breaks) <= most:
            break
        breaks = breaks[:worst] + breaks[worst + 1 :]
    return _Model(model.shape, breaks, model.score)


def _gain(costs: Costs, breaks: tuple[int, ...], i: int) -> float:
    """Return how much cost one break saves between its neighbours."""
    edges = (0, *breaks, costs.num)
    before, at, after = edges[i : i + 3]
    whole = costs.of(np.array([before]), after)[0]
    return float(whole - costs.of(np.array([before]), at)[0] - costs.of(np.array([at]), after)[0])


def _described(table_ND: Array, model: _Model, i: int) -> ChangePoint:
    """Return one change with the interval in which its neighbours leave it free to lie."""
    breaks, shape = model.breaks, model.shape
    costs = Costs(table_ND, shape)
    edges = (0, *breaks, costs.num)
    before, at, after = edges[i : i + 3]
    size = PARAMETERS[shape]
    places = np.arange(before + size, after - size + 1)
    left = np.array([costs.of(np.array([before]), int(place))[0] for place in places])
    loss = left + costs.of(places, after)
    rest_ND = residuals(table_ND, breaks, shape)
    variance = float(np.mean(rest_ND**2))
    rho = float(np.sum(rest_ND[1:] * rest_ND[:-1]) / max(float(np.sum(rest_ND**2)), 1e-12))
    rho = min(max(rho, 0.0), LARGEST_RHO)
    # Autocorrelated noise holds less information, by the ratio of its long-run variance.
    noise = max(variance, 1e-12) * (1.0 + rho) / (1.0 - rho)
    inside = places[loss <= loss.min() + 3.84 * noise]
    without = criterion(table_ND, breaks[:i] + breaks[i + 1 :], shape)
    gained = without - criterion(table_ND, breaks, shape)
    return ChangePoint(at, min(int(inside[0]), at), max(int(inside[-1]), at), gained)
