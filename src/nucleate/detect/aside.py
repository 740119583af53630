"""What leaves the trend of a curve and comes back: set aside before and beside its changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.excursions import Excursion, chance
from nucleate.detect.gates import NEARBY, SATELLITE_SHARE, Tested
from nucleate.detect.likelihood import Best, Fit, Grid
from nucleate.detect.network.judge import Peak, judge
from nucleate.detect.profile import Location
from nucleate.detect.series import MIN_POINTS, Series

Array = NDArray[np.float64]

SPIKE_GAIN = 10.0
"""Log-likelihood, in nats, that a spike must gain: 4.5 standard deviations."""

BRIEFEST = 2
"""Longest of the spikes, in readings, that are tried together: longer ones could build a step."""

FAR_BETTER = 6.0
"""Log-likelihood, in nats, by which a short excursion must beat a change to take its place."""

MAX_SPIKES = 4

MENDS = 3
"""Readings between a step and a small excursion that is part of its shape."""

SAME_PLACE = 0.15
"""How far, in decades, an event may move when everything else has been taken off."""

PAIR_REACH = 0.5
"""Two opposite changes closer than this, in decades, are one excursion."""

SURE = 0.002
"""p at which the network still sees a kink once the excursions are set aside."""

BRIEF = 0.1
"""Opposite changes closer than this, in decades, are a spike, else a restart."""


@dataclass(frozen=True, slots=True)
class Away:
    """A stretch on which the curve left its trend and came back; positions are log10(step).

    Attributes:
        begin, end: First and last reading away from the trend.
        before: Last reading on the trend.
        amplitude: Standardised.
        restart: Whether it came back gradually.
        gain: Log-likelihood gained over the smooth null.
        p: Bound on the chance of such a gain (NaN for a pair of opposite changes: see their own).
    """

    begin: float
    end: float
    before: float
    amplitude: float
    restart: bool
    gain: float
    p: float


@dataclass(slots=True)
class Search:
    """The state of the search; positions of events are log10(step).

    Attributes:
        kept: The curve without its excursions.
        claims: What the network sees and nobody has looked at yet.
        hidden: What it sees where an excursion explains the curve better.
        waiting: What it sees and likelihoods have refused, for what else is on the curve may be
            in the way.
        events: Changes found.
        away: Excursions found.
    """

    kept: Series
    claims: list[Peak]
    hidden: list[Peak] = field(default_factory=list)
    waiting: list[Peak] = field(default_factory=list)
    events: list[Tested] = field(default_factory=list)
    away: list[Away] = field(default_factory=list)

    def rest(self, without: Tested | None = None) -> Array:
        """Return the kept readings, all events (but one) subtracted."""
        x = self.kept.x
        return self.kept.y - sum(
            (event.where.shape(x) for event in self.events if event is not without),
            np.zeros(x.size),
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a curve shows: see `Fit` and `Best`."""

    fit: Fit
    best: Best


def is_claimed(search: Search, grid: Grid, atom: int) -> bool:
    """Return whether an excursion is where the network sees a change that is still to be taken."""
    what, x = grid.excursions[atom], search.kept.x
    before, after = x[max(what.first - 1, 0)], x[min(what.last + 1, x.size - 1)]
    low, high = min(before, x[what.first] - SAME_PLACE), max(after, x[what.last] + SAME_PLACE)
    return any(low <= peak.at <= high for peak in search.claims)


def looks_brief(search: Search, grid: Grid, look: Look, where: Location) -> bool:
    """Return whether a short excursion at the place of an event explains the curve far better."""
    what, x = grid.excursions[int(look.best.atom[0])], search.kept.x
    begin, end = x[max(what.first - 1, 0)], x[min(what.last + 1, x.size - 1)]
    here = begin <= where.at <= end and x[what.last] - x[what.first] <= PAIR_REACH
    return bool(here and float(look.best.peak[0]) - where.level >= FAR_BETTER)


def mends(search: Search, grid: Grid, atom: int, amplitude: float) -> bool:
    """Return whether an excursion is small and beside a step: it mends the shape of that step."""
    what, x = grid.excursions[atom], search.kept.x
    low, high = x[max(what.first - MENDS, 0)], x[min(what.last + MENDS, x.size - 1)]
    return any(
        low <= event.where.at + side * event.where.width <= high
        and abs(amplitude) < SATELLITE_SHARE * abs(event.where.amplitude)
        for event in search.events
        if not event.where.kink
        for side in (-0.5, 0.0, 0.5)
    )


def beside_excursion(search: Search, event: Tested) -> bool:
    """Return whether an event may be what is left of an excursion near it.

    Beside a spike that may be a kink, unless the network is sure of it without the spike; beside a
    restart, whose recovery follows no one law, any kink, and a step that is far smaller.
    """
    near = [
        away for away in search.away if away.begin - NEARBY <= event.where.at <= away.end + NEARBY
    ]
    if not near or not event.where.kink:
        size = abs(event.where.amplitude)
        return any(away.restart and size < SATELLITE_SHARE * abs(away.amplitude) for away in near)
    return any(away.restart for away in near) or not _still_seen(search, event)


def _still_seen(search: Search, event: Tested) -> bool:
    return any(
        peak.p <= SURE and abs(peak.at - event.where.at) <= SAME_PLACE
        for peak in judge([search.kept])[0]
    )


def set_aside(search: Search, grid: Grid, atom: int, amplitude: float, gain: float) -> None:
    """Leave out the readings of an excursion, and take its tail off the others."""
    what = grid.excursions[atom]
    _note(search, search.kept.x, what, amplitude, gain, len(grid.excursions))
    search.kept = search.kept.without(what.covers, amplitude * grid.excursion_shapes[atom])


def set_aside_several(search: Search, grid: Grid, look: Look) -> bool:
    """Set aside brief spikes that convince together; return whether any were.

    They are subtracted one after the other, the largest first. As many of them are set aside as
    gain `SPIKE_GAIN` each on average.
    """
    brief = np.array([what.dropped <= BRIEFEST and not what.restart for what in grid.excursions])
    rest, fit, taken, enough, share = search.rest(), look.fit, list[tuple[int, float]](), 0, 0.0
    for _ in range(MAX_SPIKES - len(search.away)):
        best = grid.excursion(rest[:, None], fit, among=brief)
        atom, amplitude = int(best.atom[0]), float(best.amplitude[0])
        taken.append((atom, amplitude))
        rest = rest - amplitude * grid.excursion_shapes[atom]
        fit = grid.fit(rest[:, None])
        gain = float(fit.null_peak[0] - look.fit.null_peak[0])
        if gain >= SPIKE_GAIN * len(taken):
            enough, share = len(taken), gain / len(taken)
    covered = {int(i) for atom, _ in taken[:enough] for i in grid.excursions[atom].covers}
    if not enough or search.kept.x.size - len(covered) < MIN_POINTS:
        return False
    for atom, amplitude in taken[:enough]:
        what = grid.excursions[atom]
        _note(search, search.kept.x, what, amplitude, share, len(grid.excursions))
    off = sum(
        (amplitude * grid.excursion_shapes[atom] for atom, amplitude in taken[:enough]),
        np.zeros(rest.size),
    )
    search.kept = search.kept.without(np.array(sorted(covered)), off)
    return True


def _note(
    search: Search, x: Array, what: Excursion, amplitude: float, gain: float, num: int
) -> None:
    """Add one of `num` excursions that were searched to what is away from the trend."""
    p = chance(gain, num, x.size - 2)
    before = float(x[max(what.first - 1, 0)])
    search.away.append(
        Away(float(x[what.first]), float(x[what.last]), before, amplitude, what.restart, gain, p)
    )


def split_pairs(search: Search) -> None:
    """Take out neighbouring steps that cancel each other: an excursion, not two transitions."""
    out: list[Tested] = []
    for event in search.events:
        if out and _cancels(out[-1], event):
            first = out.pop()
            search.away.append(_pair(first, event))
        else:
            out.append(event)
    search.events = out


def _cancels(first: Tested, second: Tested) -> bool:
    a, b = first.where.amplitude, second.where.amplitude
    near = second.where.at - first.where.at <= PAIR_REACH
    kinks = first.where.kink or second.where.kink
    return not kinks and near and a * b < 0 and 0.5 <= -a / b <= 2.0


def _pair(first: Tested, second: Tested) -> Away:
    begin, end = first.where.at, second.where.at
    gain = first.likelihood_ratio + second.likelihood_ratio
    return Away(
        begin,
        end,
        first.where.lo,
        first.where.amplitude,
        end - begin > BRIEF,
        gain,
        max(first.p, second.p),
    )
