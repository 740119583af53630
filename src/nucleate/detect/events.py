"""Greedy search: set the largest spike aside or subtract the most convincing event, and go on.

Whether there is a change, and about where, the network says; what it is, where exactly and how
large, likelihoods say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.cache import GridCache
from nucleate.detect.covariance import Hyper
from nucleate.detect.excursions import Excursion, chance
from nucleate.detect.gates import (
    NEARBY,
    SATELLITE_SHARE,
    Tested,
    believable,
    without_satellites,
)
from nucleate.detect.likelihood import Best, Fit, Grid
from nucleate.detect.network.judge import Peak, judge
from nucleate.detect.profile import Location, locate, relocate
from nucleate.detect.refine import refine
from nucleate.detect.series import MIN_POINTS, Dense, Series
from nucleate.detect.tails import SMALLEST_P

Array = NDArray[np.float64]

SPIKE_GAIN = 10.0
"""Log-likelihood, in nats, that a spike must gain: 4.5 standard deviations."""

MASKED = 2.0
"""Gain from which a spike is tried together with others: each makes the rest look like noise."""

BRIEFEST = 2
"""Longest of the spikes, in readings, that are tried together: longer ones could build a step."""

NEAR = 0.25
"""How far from where the network sees a change, in decades, its best place may be."""

FAR_BETTER = 3.0
"""Log-likelihood, in nats, by which a short excursion must beat a change to take its place."""

FAR_WORSE = -5.0
"""Likelihood ratio below which a change is not claimed, whatever the network says: the smooth
trend explains the curve too well."""

PLENTY, RATE = 3.0, 0.5
"""Likelihood ratio, in nats, beyond which p falls, and how fast: the log odds of the network
level off where a change is obvious, and large families of metrics need smaller p than it gives."""

SMALLER = 0.7
"""Share of its standard deviation that a curve must lose with an excursion to be judged again."""

MAX_EVENTS = 4
MAX_SPIKES = 4

MENDS = 3
"""Readings between a step and a small excursion that is part of its shape."""

SAME_PLACE = 0.15
"""How far, in decades, an event may move when everything else has been taken off."""

PAIR_REACH = 0.5
"""Two opposite changes closer than this, in decades, are one excursion."""

BRIEF = 0.1
"""Opposite changes closer than this, in decades, are a spike, else a restart."""

EVENT_PARAMETERS = 3
"""Location, width, amplitude: what ΔBIC charges for."""


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


@dataclass(frozen=True, slots=True)
class Events:
    """What was found on one curve.

    Attributes:
        kept: The series without excursions.
        tested: Events that passed, in order of location.
        best_p: Smallest p-value of any change, passed or not (1 without any).
        away: Spikes and restarts, in order of location.
        hyper: Setting of the smooth null that fits what is left after the events.
        nuisance: Index of the smooth change that this null contains.
    """

    kept: Series
    tested: tuple[Tested, ...] = ()
    best_p: float = 1.0
    away: tuple[Away, ...] = ()
    hyper: Hyper | None = None
    nuisance: int = -1


@dataclass(slots=True)
class _Search:
    """The state of the search; positions of events are log10(step)."""

    kept: Series
    claims: list[Peak]
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


def find_events(series: Series, cache: GridCache, alpha: float) -> Events:
    """Return the sharp changes of one cleaned curve."""
    return find_many([series], cache, alpha)[0]


def find_many(many: Sequence[Series], cache: GridCache, alpha: float) -> list[Events]:
    """Return the sharp changes of curves that share their grid; the first look is one for all."""
    usable = [each for each in many if each.x.size >= MIN_POINTS and np.any(each.y)]
    if not usable:
        return [Events(each) for each in many]
    precision = np.float64 if len(usable) == 1 else np.float32
    curves_ns = np.stack([each.y for each in usable], axis=1)
    first = _look(cache.grid(usable[0]), curves_ns, precision)
    looks = iter(Look(first.fit.of(number), first.best.of(number)) for number in range(len(usable)))
    peaks = iter(judge(usable))
    known = {id(each) for each in usable}
    return [
        _search(each, cache, alpha, next(looks), next(peaks)) if id(each) in known else Events(each)
        for each in many
    ]


def _look(grid: Grid, curves_ns: Array, precision: type[np.floating] = np.float64) -> Look:
    fit = grid.fit(curves_ns, precision)
    return Look(fit, grid.excursion(curves_ns, fit, precision))


def _search(
    series: Series, cache: GridCache, alpha: float, look: Look, peaks: Sequence[Peak]
) -> Events:
    """Search one curve, of which a first look has been taken."""
    search = _Search(series, [peak for peak in peaks if peak.p <= alpha])
    grid, scale = cache.grid(series), float(series.y.std())
    for _ in range(MAX_EVENTS + MAX_SPIKES):
        if not _take_one(search, grid, look, cache.max_width):
            break
        if float(search.kept.y.std()) < SMALLER * scale:
            scale = float(search.kept.y.std())
            _judge_again(search, alpha)
        grid = cache.grid(search.kept)
        look = _look(grid, search.rest()[:, None])
    _polish(search, cache)
    tested = tuple(replace(event, p=_joint_p(event)) for event in search.events)
    return Events(
        search.kept,
        tested,
        min([peak.p for peak in peaks] + [event.p for event in tested], default=1.0),
        tuple(sorted(search.away, key=lambda away: away.begin)),
        grid.hypers[int(look.fit.null_hyper[0])],
        int(look.fit.null_atom[0]),
    )


def _joint_p(event: Tested) -> float:
    """Return the p of an event by the network, smaller where likelihoods add plenty to it."""
    beyond = max(event.likelihood_ratio - PLENTY, 0.0)
    return min(event.p, max(event.p * float(np.exp(-RATE * beyond)), SMALLEST_P))


def _judge_again(search: _Search, alpha: float) -> None:
    """Ask the network once more about a curve that large excursions had made look flat."""
    known = [peak.at for peak in search.claims] + [event.where.at for event in search.events]
    for peak in judge([search.kept])[0]:
        if 2.0 * peak.p <= alpha and all(abs(peak.at - at) > NEAR for at in known):
            search.claims.append(replace(peak, p=2.0 * peak.p))


def _take_one(search: _Search, grid: Grid, look: Look, widest: float) -> bool:
    """Set aside the best excursion or subtract the best event; return whether either was found."""
    fit, best = look.fit, look.best
    atom, amplitude = int(best.atom[0]), float(best.amplitude[0])
    gain = float(best.peak[0] - fit.null_peak[0])
    enough = (
        search.kept.x.size - grid.excursions[atom].covers.size >= MIN_POINTS
        and len(search.away) < MAX_SPIKES
    )
    spike = gain >= SPIKE_GAIN and enough and not _mends(search, grid, atom, amplitude)
    if not (spike and not _is_claimed(search, grid, atom)):
        event = _next_event(search, grid, look, widest)
        if event is not None:
            search.events.append(event)
            return True
    if spike:
        _set_aside(search, grid, atom, amplitude, gain)
        return True
    return MASKED <= gain < SPIKE_GAIN and _set_aside_several(search, grid, look)


def _is_claimed(search: _Search, grid: Grid, atom: int) -> bool:
    """Return whether an excursion is where the network sees a change that is still to be taken."""
    what, x = grid.excursions[atom], search.kept.x
    low, high = x[what.first] - SAME_PLACE, x[what.last] + SAME_PLACE
    return any(low <= peak.at <= high for peak in search.claims)


def _next_event(search: _Search, grid: Grid, look: Look, widest: float) -> Tested | None:
    """Return the most convincing change that is left and passes the gates, None without any."""
    y, origin = search.rest(), float(search.kept.x[0])
    while search.claims and len(search.events) < MAX_EVENTS:
        peak = search.claims.pop(0)
        best = grid.best_event(y, peak.at - origin, NEAR, kink=peak.kink)
        if best is None:
            continue
        atom, level = best
        ratio = level - float(look.fit.null_peak[0])
        where = locate(grid, y, atom, NEAR).moved(origin)
        event = Tested(where, ratio, _bic(ratio, y.size), peak.p)
        if (
            believable(event, search.kept, widest)
            and not _beside_excursion(search, event)
            and not _looks_brief(search, grid, look, where)
        ):
            return event
    return None


def _looks_brief(search: _Search, grid: Grid, look: Look, where: Location) -> bool:
    """Return whether a short excursion at the place of an event explains the curve far better."""
    what, x = grid.excursions[int(look.best.atom[0])], search.kept.x
    begin, end = x[max(what.first - 1, 0)], x[min(what.last + 1, x.size - 1)]
    here = begin <= where.at <= end and x[what.last] - x[what.first] <= PAIR_REACH
    return bool(here and float(look.best.peak[0]) - where.level >= FAR_BETTER)


def _set_aside_several(search: _Search, grid: Grid, look: Look) -> bool:
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


def _beside_excursion(search: _Search, event: Tested) -> bool:
    """Return whether an event may be what is left of an excursion near it.

    Beside any excursion that may be a kink; beside a restart, whose recovery follows no one law,
    also a step that is far smaller.
    """
    size = abs(event.where.amplitude)
    return any(
        event.where.kink or (away.restart and size < SATELLITE_SHARE * abs(away.amplitude))
        for away in search.away
        if away.begin - NEARBY <= event.where.at <= away.end + NEARBY
    )


def _mends(search: _Search, grid: Grid, atom: int, amplitude: float) -> bool:
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


def _set_aside(search: _Search, grid: Grid, atom: int, amplitude: float, gain: float) -> None:
    """Leave out the readings of an excursion, and take its tail off the others."""
    what = grid.excursions[atom]
    _note(search, search.kept.x, what, amplitude, gain, len(grid.excursions))
    search.kept = search.kept.without(what.covers, amplitude * grid.excursion_shapes[atom])


def _note(
    search: _Search, x: Array, what: Excursion, amplitude: float, gain: float, num: int
) -> None:
    """Add one of `num` excursions that were searched to what is away from the trend."""
    p = chance(gain, num, x.size - 2)
    before = float(x[max(what.first - 1, 0)])
    search.away.append(
        Away(float(x[what.first]), float(x[what.last]), before, amplitude, what.restart, gain, p)
    )


def _polish(search: _Search, cache: GridCache) -> None:
    """Locate each event again with everything else taken off; join pairs; look at the readings."""
    events = without_satellites(search.events)
    search.events = [event for event in events if not _beside_excursion(search, event)]
    grid, origin = cache.grid(search.kept), float(search.kept.x[0])
    if len(search.events) + len(search.away) > 1:
        for number, event in enumerate(search.events):
            guess = event.where.at - origin
            y = search.rest(event)
            where = relocate(grid, y, event.where.form, guess, SAME_PLACE).moved(origin)
            search.events[number] = _weighed(replace(event, where=where), grid, y, origin)
    search.events = [event for event in search.events if event.likelihood_ratio > FAR_WORSE]
    search.events.sort(key=lambda event: event.where.at)
    _split_pairs(search)
    if search.kept.dense is not None:
        dense, wheres = search.kept.dense, [event.where for event in search.events]
        for number, event in enumerate(search.events):
            others = [where for where in wheres if where is not event.where]
            where = refine(Dense(dense.x, dense.y), others, event.where, cache.max_width)
            search.events[number] = replace(event, where=where)


def _weighed(event: Tested, grid: Grid, y: Array, origin: float) -> Tested:
    """Return an event with the evidence for it on the curve y, everything else taken off."""
    best = grid.best_event(y, event.where.at - origin, SAME_PLACE, kink=event.where.kink)
    if best is None:
        return event
    ratio = best[1] - float(grid.fit(y[:, None]).null_peak[0])
    return replace(event, likelihood_ratio=ratio, delta_bic=_bic(ratio, y.size))


def _bic(ratio: float, num: int) -> float:
    return 2.0 * ratio - EVENT_PARAMETERS * float(np.log(num))


def _split_pairs(search: _Search) -> None:
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
