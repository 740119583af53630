"""Quality floors: every level and the held-out loss of an arm must not be worse than the baseline.

A gain on one level buys nothing on another: each floor stands alone, and all must hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core.settings import Settings
from nucleate.studies.savings.frontier import Frontier
from nucleate.studies.savings.paired import not_worse

Array = NDArray[np.float64]


class Margins(Settings):
    """How much may be lost before it counts, fixed before anything sealed is opened.

    Attributes:
        loss: Margin of the held-out loss and of the composite, as a share of baseline compute:
            what that share buys at the slope of the frontier.
        level: The same for a single level, which is noisier.
        least: A level's margin is never smaller than this many points of its 0–1 score: on a level
            that the baseline has saturated compute buys nothing, and no finite study could show
            that nothing was lost.
        most: Nor is it ever larger than this.
    """

    loss: float = 0.02
    level: float = 0.05
    least: float = 0.01
    most: float = 0.05


@dataclass(frozen=True, slots=True)
class Floor:
    """One quality of an arm against the baseline's final.

    Attributes:
        name: Level, ``composite`` or ``loss``.
        gain: Mean paired gain, larger is better (a loss is negated).
        bound: Its lower one-sided 97.5 % bound.
        margin: What may be lost.
        holds: Whether the bound is above ``−margin``.
        treated, baseline: Mean values, a loss in nats per token.
        share: The compute that the margin is worth at the frontier's slope; NaN where it has none.
    """

    name: str
    gain: float
    bound: float
    margin: float
    holds: bool
    treated: float
    baseline: float
    share: float


def floor(name: str, treated: Array, baseline: Array, margin: float, slope: float) -> Floor:
    """Test one floor over paired seeds.

    Args:
        name: What is tested; ``loss`` falls as it gets better, everything else rises.
        treated, baseline: Of each seed, shape ``(n,)``.
        margin: See `level_margin` and `loss_margin`.
        slope: Of the frontier, in quality per unit of ``log(FLOPs)``.
    """
    sign = -1.0 if name == "loss" else 1.0
    gains = sign * (treated - baseline)
    bound, holds = not_worse(gains, margin)
    share = -float(np.expm1(-margin / slope)) if slope > 0 else float("nan")
    return Floor(
        name=name,
        gain=float(gains.mean()),
        bound=bound,
        margin=margin,
        holds=holds,
        treated=float(treated.mean()),
        baseline=float(baseline.mean()),
        share=share,
    )


def loss_margin(margins: Margins, frontier: Frontier, cost: float) -> float:
    """Return the margin of a quality as what a share of the baseline's compute buys."""
    return max(0.0, frontier.worth(margins.loss, cost))


def level_margin(margins: Margins, frontier: Frontier, cost: float) -> float:
    """Return the margin of one level's score."""
    worth = max(0.0, frontier.worth(margins.level, cost))
    return min(max(worth, margins.least), margins.most)
