"""Greedy search: set the largest spike aside or subtract the most convincing event, and go on.

Whether there is a change, and about where, the network says; what it is, where exactly and how
large, likelihoods say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.aside import (
    MAX_SPIKES,
    SAME_PLACE,
    SPIKE_GAIN,
    Away,
    Look,
    Search,
    beside_excursion,
    is_claimed,
    looks_brief,
    mends,
    set_aside,
    set_aside_several,
    split_pairs,
)
from nucleate.detect.cache import GridCache
from nucleate.detect.covariance import Hyper
from nucleate.detect.gates import Tested, believable, without_satellites
from nucleate.detect.likelihood import Fit, Grid
from nucleate.detect.network.judge import Peak, judge
from nucleate.detect.profile import Location, locate, relocate
from nucleate.detect.refine import refine
from nucleate.detect.series import MIN_POINTS, Dense, Series
from nucleate.detect.tails import SMALLEST_P

Array = NDArray[np.float64]

MASKED = 2.0
"""Gain from which a spike is tried together with others: each makes the rest look like noise."""

NEAR = 0.15
"""How far from where the network sees a change, in decades, its best place may be."""

ELSEWHERE = 0.25
"""How far from all known changes, in decades, one must be that the network sees only later."""

LATER = 0.0
"""Likelihood ratio that a change needs beside others: around a large change, where the network sees
several, all but one may be its shape."""

FIRST = -15.0
"""Likelihood ratio that any change needs: one that smooth trends explain that much better is none.
On the curves of the benchmark no change that was found lies below."""

PLENTY, RATE = 3.0, 0.5
"""Likelihood ratio, in nats, beyond which p falls, and how fast: the log odds of the network
level off where a change is obvious, and large families of metrics need smaller p than it gives."""

SMALLER = 0.97
"""Share of its standard deviation that a curve must lose with an excursion to be judged again."""

MAX_EVENTS = 4

TOGETHER = 2.0
"""Changes closer than this, in decades, are fitted together where one has been refused."""

SWEEPS = 3
"""How often each of two changes is then fitted again."""

EVENT_PARAMETERS = 3
"""Location, width, amplitude: what ΔBIC charges for."""


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
    search = Search(series, [peak for peak in peaks if peak.p <= alpha])
    grid, scale, judged = cache.grid(series), float(series.y.std()), 0
    for _ in range(MAX_EVENTS + MAX_SPIKES + 1):
        num_away = len(search.away)
        if not _take_one(search, grid, look, cache.max_width):
            if len(search.away) == judged or not _judge_again(search, alpha):
                break
            judged = len(search.away)
            continue
        if len(search.away) > num_away:
            _claim_still_seen(search, alpha)
        else:
            search.claims += search.waiting
            search.waiting.clear()
        if float(search.kept.y.std()) < SMALLER * scale:
            scale = float(search.kept.y.std())
            _judge_again(search, alpha)
        grid = cache.grid(search.kept)
        look = _look(grid, search.rest()[:, None])
    _polish(search, cache)
    tested = tuple(replace(event, p=joint_p(event)) for event in search.events)
    return Events(
        search.kept,
        tested,
        min([peak.p for peak in peaks] + [event.p for event in tested], default=1.0),
        tuple(sorted(search.away, key=lambda away: away.begin)),
        grid.hypers[int(look.fit.null_hyper[0])],
        int(look.fit.null_atom[0]),
    )


def joint_p(event: Tested) -> float:
    """Return the p of an event by the network, smaller where likelihoods add plenty to it."""
    beyond = max(event.likelihood_ratio - PLENTY, 0.0)
    return min(event.p, max(event.p * float(np.exp(-RATE * beyond)), SMALLEST_P))


def _judge_again(search: Search, alpha: float) -> bool:
    """Ask the network about a curve without its excursions; return whether it sees more."""
    before = len(search.claims)
    known = [peak.at for peak in search.claims] + [event.where.at for event in search.events]
    for peak in judge([search.kept])[0]:
        if 2.0 * peak.p <= alpha and all(abs(peak.at - at) > ELSEWHERE for at in known):
            search.claims.append(replace(peak, p=2.0 * peak.p))
    return len(search.claims) > before


def _claim_still_seen(search: Search, alpha: float) -> None:
    """Claim again what was refused, where the network sees it without the excursions, too."""
    refused = search.hidden + search.waiting
    for peak in judge([search.kept])[0] if refused else ():
        for old in refused:
            if peak.p <= alpha and abs(peak.at - old.at) <= NEAR:
                search.claims.append(replace(peak, p=max(peak.p, old.p)))
                break
    search.hidden.clear()
    search.waiting.clear()


def _take_one(search: Search, grid: Grid, look: Look, widest: float) -> bool:
    """Set aside the best excursion or subtract the best event; return whether either was found."""
    fit, best = look.fit, look.best
    atom, amplitude = int(best.atom[0]), float(best.amplitude[0])
    gain = float(best.peak[0] - fit.null_peak[0])
    enough = (
        search.kept.x.size - grid.excursions[atom].covers.size >= MIN_POINTS
        and len(search.away) < MAX_SPIKES
    )
    spike = gain >= SPIKE_GAIN and enough and not mends(search, grid, atom, amplitude)
    if not (spike and not is_claimed(search, grid, atom)):
        event, refused = _next_event(search, grid, look, widest)
        if event is not None:
            search.events.append(event)
            return True
        if _take_two(search, grid, refused, widest):
            return True
    if spike:
        set_aside(search, grid, atom, amplitude, gain)
        return True
    return MASKED <= gain < SPIKE_GAIN and set_aside_several(search, grid, look)


def _next_event(
    search: Search, grid: Grid, look: Look, widest: float
) -> tuple[Tested | None, list[Tested]]:
    """Return the most convincing change that is left and may be claimed, and those that may not."""
    y, origin = search.rest(), float(search.kept.x[0])
    refused: list[Tested] = []
    while search.claims and len(search.events) < MAX_EVENTS:
        peak = search.claims.pop(0)
        best = grid.best_event(y, peak.at - origin, NEAR, kink=peak.kink)
        if best is None:
            continue
        where = locate(grid, y, best[0], NEAR, _around(peak.at - origin))
        ratio, where = _ratio(grid, y, where, look.fit), where.moved(origin)
        event = Tested(where, ratio, _bic(ratio, y.size), peak.p, peak.at)
        fits = _passes(search, event, widest, LATER if search.events else FIRST)
        brief = fits and looks_brief(search, grid, look, where)
        if fits and not brief:
            return event, refused
        (search.hidden if brief else search.waiting).append(peak)
        refused.append(event)
    return None, refused


def _passes(search: Search, event: Tested, widest: float, least: float) -> bool:
    """Return whether a change may be claimed, with a likelihood ratio of `least` or more."""
    return (
        believable(event, search.kept, widest)
        and event.likelihood_ratio >= least
        and not beside_excursion(search, event)
    )


def _take_two(search: Search, grid: Grid, refused: list[Tested], widest: float) -> bool:
    """Fit a refused change together with another; take both if both pass: each may hide the other.

    The other is a change that was taken before, or one that was refused, too.
    """
    for number, one in enumerate(refused):
        for other in [*search.events, *refused[number + 1 :]]:
            if len(search.events) + (other not in search.events) >= MAX_EVENTS:
                continue
            if abs(one.where.at - other.where.at) > TOGETHER:
                continue
            both = _fit_two(search, grid, one, other)
            if all(
                _passes(search, each, widest, LATER)
                and not looks_brief(search, grid, look, each.where)
                for each, look in both
            ):
                seen = (one.seen, other.seen)
                search.events = [each for each in search.events if each is not other]
                search.events += [each for each, _ in both]
                search.waiting = [peak for peak in search.waiting if peak.at not in seen]
                search.hidden = [peak for peak in search.hidden if peak.at not in seen]
                return True
    return False


def _fit_two(search: Search, grid: Grid, one: Tested, other: Tested) -> list[tuple[Tested, Look]]:
    """Return two changes, each fitted where the other has been taken off, and a look at that."""
    x, origin = search.kept.x, float(search.kept.x[0])
    rest = search.rest(other)
    wheres = [one.where, other.where]
    for turn in range(2 * SWEEPS):
        mine = turn % 2
        y = rest - wheres[1 - mine].shape(x)
        guess = wheres[mine].at - origin
        within = _around((one, other)[mine].seen - origin)
        form = wheres[mine].form
        wheres[mine] = relocate(grid, y, form, guess, SAME_PLACE, within).moved(origin)
    both = []
    for event, where, away in zip((one, other), wheres, wheres[::-1], strict=True):
        y = rest - away.shape(x)
        look = _look(grid, y[:, None])
        ratio = _ratio(grid, y, where.moved(-origin), look.fit)
        new = replace(event, where=where, likelihood_ratio=ratio, delta_bic=_bic(ratio, y.size))
        both.append((new, look))
    return both


def _polish(search: Search, cache: GridCache) -> None:
    """Locate each event again with everything else taken off; join pairs; look at the readings."""
    events = without_satellites(search.events)
    search.events = [event for event in events if not beside_excursion(search, event)]
    grid, origin = cache.grid(search.kept), float(search.kept.x[0])
    if len(search.events) + len(search.away) > 1:
        for number, event in enumerate(search.events):
            guess = event.where.at - origin
            y = search.rest(event)
            within = _around(event.seen - origin)
            where = relocate(grid, y, event.where.form, guess, SAME_PLACE, within)
            ratio = _ratio(grid, y, where, grid.fit(y[:, None]))
            search.events[number] = replace(
                event,
                where=where.moved(origin),
                likelihood_ratio=ratio,
                delta_bic=_bic(ratio, y.size),
            )
    if len(search.events) > 1:
        search.events = [event for event in search.events if event.likelihood_ratio >= LATER]
    search.events.sort(key=lambda event: event.where.at)
    split_pairs(search)
    if search.kept.dense is not None:
        dense, wheres = search.kept.dense, [event.where for event in search.events]
        for number, event in enumerate(search.events):
            others = [where for where in wheres if where is not event.where]
            where = refine(Dense(dense.x, dense.y), others, event.where, cache.max_width)
            search.events[number] = replace(event, where=where)


def _around(at: float) -> tuple[float, float]:
    return at - NEAR, at + NEAR


def _ratio(grid: Grid, y: Array, where: Location, fit: Fit) -> float:
    """Return how much better the curve y is explained with an event than smoothly, in nats.

    A broad change that explains the curve best without the event may also stand beside it.
    """
    level, nuisance = where.level, int(fit.null_atom[0])
    if nuisance >= 0:
        best = grid.best_event(y, where.at, SAME_PLACE, kink=where.kink, nuisance=nuisance)
        level = max(level, best[1]) if best else level
    return level - float(fit.null_peak[0])


def _bic(ratio: float, num: int) -> float:
    return 2.0 * ratio - EVENT_PARAMETERS * float(np.log(num))
