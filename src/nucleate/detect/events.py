"""Greedy search: set the largest spike aside or test and subtract the largest event, and go on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.cache import GridCache
from nucleate.detect.calibration import Calibration
from nucleate.detect.covariance import RHOS, Hyper
from nucleate.detect.excursions import chance
from nucleate.detect.gates import SATELLITE_SHARE, Tested, believable, without_satellites
from nucleate.detect.likelihood import Fit, Grid
from nucleate.detect.profile import locate, relocate
from nucleate.detect.refine import refine
from nucleate.detect.series import MIN_POINTS, Dense, Series

Array = NDArray[np.float64]

SPIKE_GAIN = 10.0
"""Log-likelihood, in nats, that a spike must gain: 4.5 standard deviations."""

RESTARTS = 0.5
"""Log-likelihood by which a step must beat a jump that is learned down again: where the smooth
trend can bend the curve back, both fit almost alike, and coming back speaks against a step."""

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
        best_p: p-value of the best event, passed or not (1 when nothing was tested).
        best_ratio: Its log-likelihood ratio.
        away: Spikes and restarts, in order of location.
        hyper: Setting of the smooth null that fits what is left after the events.
        nuisance: Index of the smooth change that this null contains.
    """

    kept: Series
    tested: tuple[Tested, ...] = ()
    best_p: float = 1.0
    best_ratio: float = 0.0
    away: tuple[Away, ...] = ()
    hyper: Hyper | None = None
    nuisance: int = -1


@dataclass(slots=True)
class _Search:
    """The state of the search; positions of events are log10(step)."""

    kept: Series
    events: list[Tested] = field(default_factory=list)
    away: list[Away] = field(default_factory=list)
    best_p: float | None = None
    best_ratio: float = 0.0

    def rest(self, without: Tested | None = None) -> Array:
        """Return the kept readings, all events (but one) subtracted."""
        x = self.kept.x
        return self.kept.y - sum(
            (event.where.shape(x) for event in self.events if event is not without),
            np.zeros(x.size),
        )


def find_events(series: Series, cache: GridCache, alpha: float) -> Events:
    """Return the sharp changes of one cleaned curve."""
    if series.x.size < MIN_POINTS or not np.any(series.y):
        return Events(series)
    search = _Search(series)
    for _ in range(MAX_EVENTS + MAX_SPIKES):
        calibration = cache.calibration(search.kept)
        fit = calibration.grid.fit(search.rest()[:, None])
        if not _take_one(search, calibration, fit, alpha, cache.max_width):
            break
    _polish(search, cache)
    return Events(
        search.kept,
        tuple(search.events),
        1.0 if search.best_p is None else search.best_p,
        search.best_ratio,
        tuple(sorted(search.away, key=lambda away: away.begin)),
        calibration.grid.hypers[int(fit.null_hyper[0])],
        int(fit.null_atom[0]),
    )


def _take_one(
    search: _Search, calibration: Calibration, fit: Fit, alpha: float, widest: float
) -> bool:
    """Set aside the best excursion or subtract the best event; return whether either was found."""
    grid, origin = calibration.grid, float(search.kept.x[0])
    slope = grid.hypers[int(fit.null_hyper[0])].slope
    level, atom, amplitude = grid.fit_excursion(search.rest(), slope)
    event = _tested(calibration, search.rest(), fit, origin)
    convincing = (
        event is not None
        and len(search.events) < MAX_EVENTS
        and event.p <= alpha
        and believable(event, search.kept, widest)
    )
    gain = 0.0 if _mends(search, grid, atom, amplitude) else level - float(fit.null[0])
    covers = grid.excursions[atom].covers
    enough = search.kept.x.size - covers.size >= MIN_POINTS and len(search.away) < MAX_SPIKES
    head_start = RESTARTS if grid.excursions[atom].restart else -1.0
    better = not convincing or level + head_start >= float(fit.event[0])
    if gain >= SPIKE_GAIN and better and enough:
        _set_aside(search, grid, atom, amplitude, gain)
        return True
    if event is None:
        return False
    if search.best_p is None:
        search.best_p, search.best_ratio = event.p, event.likelihood_ratio
    if convincing:
        search.events.append(event)
    return convincing


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
    what, x = grid.excursions[atom], search.kept.x
    p = chance(gain, len(grid.excursions), x.size - 2)
    before = float(x[max(what.first - 1, 0)])
    search.away.append(
        Away(float(x[what.first]), float(x[what.last]), before, amplitude, what.restart, gain, p)
    )
    search.kept = search.kept.without(what.covers, amplitude * grid.excursion_shapes[atom])


def _tested(calibration: Calibration, y: Array, fit: Fit, origin: float) -> Tested | None:
    """Return the best event with its evidence; None on grids too short for any."""
    if fit.event_atom[0] < 0:
        return None
    ratio, grid = float(fit.event[0] - fit.null[0]), calibration.grid
    bic = 2.0 * ratio - EVENT_PARAMETERS * float(np.log(y.size))
    p = _p_value(calibration, ratio, int(fit.null_hyper[0]))
    return Tested(locate(grid, y, int(fit.event_atom[0])).moved(origin), ratio, bic, p)


def _p_value(calibration: Calibration, ratio: float, hyper: int) -> float:
    """Return the p-value, under noise one notch more correlated than fitted when it matters.

    Short curves make autocorrelation look smaller than it is.
    """
    p = calibration.p_value(ratio, hyper)
    setting = calibration.grid.hypers[hyper]
    if p > 0.05 or setting.rho == RHOS[-1]:
        return p
    rho = RHOS[RHOS.index(setting.rho) + 1]
    worse = Hyper(setting.length, setting.ratio, rho, setting.slope)
    if worse not in calibration.grid.hypers:
        return p
    return max(p, calibration.p_value(ratio, calibration.grid.hypers.index(worse)))


def _polish(search: _Search, cache: GridCache) -> None:
    """Locate each event again with everything else taken off; join pairs; look at the readings."""
    search.events = without_satellites(search.events)
    grid, origin = cache.calibration(search.kept).grid, float(search.kept.x[0])
    if len(search.events) + len(search.away) > 1:
        for number, event in enumerate(search.events):
            guess = event.where.at - origin
            where = relocate(grid, search.rest(event), event.where.form, guess, SAME_PLACE).moved(
                origin
            )
            search.events[number] = replace(event, where=where)
    search.events.sort(key=lambda event: event.where.at)
    _split_pairs(search)
    if search.kept.dense is not None:
        dense, wheres = search.kept.dense, [event.where for event in search.events]
        for number, event in enumerate(search.events):
            others = [where for where in wheres if where is not event.where]
            where = refine(Dense(dense.x, dense.y), others, event.where, cache.max_width)
            search.events[number] = replace(event, where=where)


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
