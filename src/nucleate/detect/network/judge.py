"""Where the network sees sharp changes, and how often smooth curves look as sharp to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.network.network import PLACES, load_network
from nucleate.detect.network.picture import picture
from nucleate.detect.series import Series
from nucleate.detect.tails import tail_probability

Array = NDArray[np.float64]

SIZES = (25, 40, 70, 161)
"""Numbers of readings below which curves are compared with smooth ones of like size."""

KINK_SHARE = 1.0 / 3.0
"""Share of the false claims that kinks may make; steps and cliffs, which are easier to tell from
smooth curves of other makes (`benchmarks.detect.abroad`), make the rest."""

APART = 0.2
"""Peaks closer than this, in decades, are one."""

FAINTEST = 0.2
"""Peaks with a larger p are not worth a closer look."""

TAIL = 0.01
"""Share of the smooth curves that the tail of p is read from; log odds fall off fast there."""

AT_ONCE = 32
"""Curves that the network sees at once: a matter of memory."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A place where a change may be.

    Attributes:
        at: log10(step).
        kink: Whether it looks like a change of slope.
        score: Log odds by the network, which knows nothing of how rare changes are.
        p: Share of smooth curves of like size on which anything scores as high, raised so that
            steps and kinks together keep it.
    """

    at: float
    kink: bool
    score: float
    p: float


def judge(many: Sequence[Series]) -> list[tuple[Peak, ...]]:
    """Return the peaks of each of several cleaned curves, the least probable by chance first."""
    out: list[tuple[Peak, ...]] = []
    for begin in range(0, len(many), AT_ONCE):
        some = many[begin : begin + AT_ONCE]
        logits = load_network().logits(np.stack([picture(each) for each in some]))
        out.extend(peaks(each, scores) for each, scores in zip(some, logits, strict=True))
    return out


def peaks(series: Series, logits_l2: NDArray[np.float32]) -> tuple[Peak, ...]:
    """Return the separate peaks of a curve's log odds, shape ``(PLACES, 2)``."""
    x = series.x if series.dense is None else series.dense.x
    span = float(x[-1] - x[0])
    p_l2 = np.stack([p_values(x.size, kink, logits_l2[:, int(kink)]) for kink in (False, True)], 1)
    left = p_l2.min(axis=1)
    places = x[0] + (np.arange(PLACES) + 0.5) / PLACES * span
    found = []
    while left.min() <= FAINTEST:
        # Among places that are beyond all counting the higher score is the better one.
        candidates = np.flatnonzero(left == left.min())
        best = int(candidates[logits_l2[candidates].max(axis=1).argmax()])
        kink = bool(p_l2[best, 1] < p_l2[best, 0]) or bool(
            p_l2[best, 1] == p_l2[best, 0] and logits_l2[best, 1] > logits_l2[best, 0]
        )
        score = float(logits_l2[best, int(kink)])
        found.append(Peak(float(places[best]), kink, score, float(left[best])))
        left[np.abs(places - places[best]) <= APART] = 1.0
    return tuple(found)


def p_values(size: int, kink: bool, scores: NDArray[np.float32]) -> Array:
    """Return how often smooth curves of like size score as high anywhere, by kind of change."""
    stratum = int(np.searchsorted(SIZES, size, side="right"))
    null = load_network().weights[f"null.{'kink' if kink else 'step'}.{stratum}"].astype(float)
    share = KINK_SHARE if kink else 1.0 - KINK_SHARE
    p = np.array([tail_probability(null, float(score), TAIL) for score in scores])
    return np.minimum(p / share, 1.0)
