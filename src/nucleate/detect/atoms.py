"""Shapes that a curve may contain on top of its smooth trend.

Events (steps, cliffs, kinks) are what the detector looks for; nuisances (broad sigmoids,
relaxations, the bends and ramps of a learning-rate schedule) are smooth changes that the null may
use; excursions (spikes, restarts) leave the trend and come back. x is log10(step); widths are
10–90 % widths in decades.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOGISTIC_WIDTH = 2.0 * np.log(9.0)
"""10–90 % width of a logistic of unit scale."""

NARROW = np.array([0.04, 0.14, 0.26, 0.40])
"""Widths of the searched steps relative to the largest one, see `step_widths`."""

BROAD = np.array([0.55, 0.75, 1.0, 1.4, 2.0])
"""Widths of the sigmoids that count as smooth."""


@dataclass(frozen=True, slots=True)
class Form:
    """The shape of an event, wherever it happens.

    Attributes:
        kind: ``logistic``; ``cliff``, `sudden` of it at once and the rest with an e-folding length
            of `tail` decades; or ``hinge``, a change of slope.
        width: 10–90 % width in decades (0 for a hinge).
        lead: Distance from 10 % to 50 % of the change, in decades.
    """

    kind: str
    width: float = 0.0
    lead: float = 0.0
    sudden: float = 1.0
    tail: float = 0.0

    def evaluate(self, x: Array, centre: Array) -> Array:
        """Return the shape at x, shape ``(n,)``, for each place of its half: ``(d, n)``."""
        if self.kind == "hinge":
            return hinge(x, centre)
        if self.kind == "logistic":
            return sigmoid(x, centre, np.full(centre.shape, self.width))
        since = x[None, :] - centre[:, None]
        rest = (1.0 - self.sudden) * np.exp(-np.maximum(since, 0.0) / self.tail)
        return np.asarray(np.where(since >= 0.0, 1.0 - rest, 0.0))


HINGE = Form("hinge")


def logistic(width: float) -> Form:
    """Return a step of the given 10–90 % width."""
    return Form("logistic", width, width / 2)


def cliff(sudden: float, tail: float) -> Form:
    """Return a step of which the share `sudden` (between .5 and .9) happens at once."""
    return Form("cliff", tail * float(np.log((1 - sudden) / 0.1)), 0.0, sudden, tail)


def searched_forms(max_width: float) -> tuple[Form, ...]:
    """Return the steps that are searched for."""
    return (*(logistic(float(width)) for width in step_widths(max_width)), cliff(0.65, 0.08))


def compared_forms(max_width: float, narrowest: float = 0.02) -> tuple[Form, ...]:
    """Return the steps that are compared once the place is roughly known."""
    widths = np.geomspace(narrowest, max_width, 10 if narrowest >= 0.02 else 14)
    cliffs = (cliff(0.55, 0.03), cliff(0.6, 0.08), cliff(0.75, 0.15))
    return (*(logistic(float(width)) for width in widths), *cliffs)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Atoms evaluated on one grid.

    Attributes:
        centre: Location of each atom in log10(step), shape ``(d,)``.
        forms: Their shapes.
        shape: Values, shape ``(d, n)``.
        log_prior: Log prior probability of each, shape ``(d,)``: steps and kinks are as likely, and
            among either all places and forms are.
    """

    centre: Array
    forms: tuple[Form, ...]
    shape: Array
    log_prior: Array


def sigmoid(x: Array, centre: Array, width: Array) -> Array:
    """Return logistic rises from 0 to 1, shape ``(d, n)``."""
    z = LOGISTIC_WIDTH * (x[None, :] - centre[:, None]) / width[:, None]
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), dtype=np.float64)


def hinge(x: Array, centre: Array) -> Array:
    """Return max(0, x − centre), shape ``(d, n)``."""
    return np.asarray(np.maximum(0.0, x[None, :] - centre[:, None]), dtype=np.float64)


def step_widths(max_width: float) -> Array:
    """Return the widths searched, the last of them `max_width`."""
    return np.asarray(NARROW * (max_width / NARROW[-1]))


def locations(x: Array, margin: int) -> Array:
    """Return candidate locations: the middles of gaps, more of them where gaps are wide.

    At least `margin` readings lie on either side.
    """
    inner = x[margin - 1 : x.size - margin + 1]
    parts = []
    for left, right in pairwise(inner):
        count = max(1, round((right - left) / 0.08))
        parts.append(left + (right - left) * (np.arange(count) + 0.5) / count)
    return np.concatenate(parts) if parts else np.empty(0)


def events(x: Array, max_width: float) -> Dictionary:
    """Return the steps, cliffs and kinks searched for."""
    centres, forms, shapes = [], [], []
    for form in (*searched_forms(max_width), HINGE):
        where = _kink_places(x) if form.kind == "hinge" else _step_places(x, form)
        centres.append(where)
        forms.extend([form] * where.size)
        shapes.append(form.evaluate(x, where))
    kink = np.array([form.kind == "hinge" for form in forms], dtype=bool)
    share = np.where(kink, 0.5 / max(kink.sum(), 1), 0.5 / max((~kink).sum(), 1))
    return Dictionary(np.concatenate(centres), tuple(forms), np.concatenate(shapes), np.log(share))


def _step_places(x: Array, form: Form, margin: int = 3) -> Array:
    """Return places for a step: it is only judged where both of its sides are seen."""
    where = locations(x, margin)
    begin = where - form.lead
    return np.asarray(where[(begin > x[0]) & (begin + form.width < x[-1])])


def _kink_places(x: Array, margin: int = 4, clearance: float = 0.3) -> Array:
    """Return places for a change of slope, at least `clearance` decades from the ends."""
    where = locations(x, margin)
    return np.asarray(where[(where > x[0] + clearance) & (where < x[-1] - clearance)])


@dataclass(frozen=True, slots=True)
class Smooth:
    """Smooth changes that the null may contain.

    Attributes:
        shape: Values, shape ``(d, n)``.
        log_prior: Log prior probability of each, shape ``(d,)``; with `BARE` they sum to one.
    """

    shape: Array
    log_prior: Array


BARE = 0.3
"""Prior probability that the null contains none of these shapes, only its Gaussian process."""


def nuisances(x: Array) -> Smooth:
    """Return broad sigmoids, late ramps, warm-ups and relaxations on the grid x, shape ``(n,)``."""
    families = ((_broad(x), 0.3), (_warm_ups(x), 0.2), (_relaxations(x), 0.2))
    shape = np.concatenate([each for each, _ in families])
    prior = np.concatenate([np.full(len(each), share / len(each)) for each, share in families])
    return Smooth(shape, np.log(prior))


def _broad(x: Array) -> Array:
    """Return broad sigmoids, and what learning-rate decay (WSD, linear, cosine) does at the end."""
    span = x[-1] - x[0]
    # Half a thousandth of slack: the count must not depend on rounding in the last digit.
    where = np.linspace(x[0] + 0.1, x[-1] - 0.1, max(4, int(span / 0.2 + 5e-4)))
    centre, width = np.repeat(where, BROAD.size), np.tile(BROAD, where.size)
    fraction = 10.0 ** (x - x[-1])
    onset = np.array([0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9])
    ramps = np.maximum(0.0, fraction[None, :] - onset[:, None])
    return np.concatenate([sigmoid(x, centre, width), ramps])


def _warm_ups(x: Array) -> Array:
    """Return log10 of the training time under a linear warm-up that ends at various places.

    A learning rate that rises linearly until W makes t ≤ W worth t²/2W of full training, and later
    t worth t − W/2: a power law of training time bends there, more gently than a kink.
    """
    ends = np.linspace(x[0] + 0.3, x[-1] - 0.2, max(2, int((x[-1] - x[0]) / 0.15 + 5e-4)))
    share = 10.0 ** (x[None, :] - ends[:, None])
    return np.asarray(np.log10(np.where(share < 1.0, share**2 / 2.0, np.maximum(share, 1) - 0.5)))


def _relaxations(x: Array) -> Array:
    """Return exponential and stretched-exponential approaches to a limit, of various times."""
    ends = np.linspace(x[0] - 0.2, x[-1] + 0.2, max(4, int((x[-1] - x[0]) / 0.2 + 5e-4)))
    time = np.clip(x[None, :] - ends[:, None], -5.0, 3.0)
    return np.concatenate([np.exp(-(10.0 ** (power * time))) for power in (1.0, 0.6)])
