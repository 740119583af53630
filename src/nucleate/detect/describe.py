"""From the events of a curve to an Assessment with one plain sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Assessment, Evidence, Kind, Transition, Verdict
from nucleate.detect.aside import Away
from nucleate.detect.atoms import nuisances
from nucleate.detect.cache import GridCache
from nucleate.detect.events import Events
from nucleate.detect.gates import Tested
from nucleate.detect.series import MIN_POINTS, Series
from nucleate.detect.trend import NUM_DENSE, Trend, crossings, fit_trend

Array = NDArray[np.float64]

CHANGE_ALPHA = 0.005
"""Size of the test of an overall change."""

REPORTED = 0.01
"""Spikes and restarts are reported when noise alone makes them with less than this chance."""

FLAT = 1e-9
"""Range below which readings that are left without spikes are all the same, in units of scale."""

CLEAR, EXPLAINED, SIDE = 5.0, 0.7, 4
"""See `left_start_for_good`; `SIDE` is the fewest readings on either side of the split."""


def describe(
    series: Series, events: Events, cache: GridCache, *, metric: str, chance: float
) -> Assessment:
    """Return the Assessment of one curve."""
    away = tuple(
        disturbance(each, metric, series.scale) for each in events.away if each.p <= REPORTED
    )
    return replace(_verdict(series, events, cache, metric, chance), disturbances=away)


def _verdict(
    series: Series, events: Events, cache: GridCache, metric: str, chance: float
) -> Assessment:
    if series.x.size < MIN_POINTS:
        note = f"only {series.x.size} usable readings; at least {MIN_POINTS} are needed"
        return Assessment(metric, Verdict.UNRESOLVED, note=note)
    if events.hyper is None:
        value = series.centre
        note = f"constant at {value:.4g}{_chance_note(series, chance)}"
        return Assessment(metric, Verdict.SMOOTH, start=value, end=value, note=note)
    trend = _trend(events, cache)
    start, end = (series.centre + series.scale * float(trend.mean[i]) for i in (0, -1))
    if events.tested:
        return _sharp(series, events, metric, start, end)
    if np.ptp(events.kept.y) < FLAT:
        note = f"constant at {end:.4g}{_chance_note(series, chance)}{_spike_note(events)}"
        return Assessment(metric, Verdict.SMOOTH, start=start, end=end, note=note)
    p_change = cache.change(events.kept.x).p_value(events.kept.y)
    if p_change > CHANGE_ALPHA and not left_start_for_good(events.kept):
        note = f"no change beyond noise{_chance_note(series, chance)}{_spike_note(events)}"
        return Assessment(metric, Verdict.SMOOTH, start=start, end=end, note=note)
    return _broad(events, trend, metric, start, end, cache.max_width)


def left_start_for_good(series: Series) -> bool:
    """Return whether one monotone change, large against the standard errors, explains the curve.

    The change test has to allow for strongly correlated noise, which can take the shape of any
    single rise in a short curve. Standard errors, where they are known, tell such noise from a
    change: the mean after the best split must differ from the mean before it by `CLEAR` standard
    errors of one reading, and the split must explain `EXPLAINED` of the variance. A curve that
    moves to and fro (an answer bias, say) fails the second condition.
    """
    y, size = series.y, series.y.size
    if not (np.isfinite(series.se) and series.se > 0) or size < MIN_POINTS:
        return False
    best, gap = 0.0, 0.0
    total = float(((y - y.mean()) ** 2).sum())
    for cut in range(SIDE, size - SIDE + 1):
        difference = float(y[cut:].mean() - y[:cut].mean())
        explained = difference**2 * cut * (size - cut) / size / total
        if explained > best:
            best, gap = explained, abs(difference)
    return best >= EXPLAINED and gap >= CLEAR * series.se


def _trend(events: Events, cache: GridCache) -> Trend:
    """Return the smooth trend plus the events that were found."""
    assert events.hyper is not None
    x = events.kept.x
    dense = np.linspace(x[0], x[-1], NUM_DENSE)
    basis = _basis(events, x, x.mean())
    dense_basis = _basis(events, dense, x.mean())
    known = events.kept.known_nk
    if known is not None:
        basis.extend(known.T)
        dense_basis.extend(np.interp(dense, x, column) for column in known.T)
    if events.nuisance >= 0:
        smooth = nuisances(x - x[0]).shape[events.nuisance]
        basis.append(smooth)
        dense_basis.append(np.interp(dense, x, smooth))
    return fit_trend(
        x,
        events.kept.y,
        events.hyper,
        events.kept.base,
        np.stack(basis, axis=1),
        np.stack(dense_basis, axis=1),
        np.random.default_rng([cache.seed, 7]),
    )


def _basis(events: Events, x: Array, middle: float) -> list[Array]:
    return [np.ones_like(x), x - middle, *(event.where.shape(x) for event in events.tested)]


def _sharp(series: Series, events: Events, metric: str, start: float, end: float) -> Assessment:
    """Describe a curve with at least one sharp change."""
    found = tuple(_transition(event, metric, series.scale) for event in events.tested)
    steps = [change for change in found if change.kind is Kind.STEP]
    main = max(steps or found, key=lambda change: abs(change.amplitude))
    verdict = Verdict.STEP_LIKE if steps else Verdict.KINK
    what = "sharp change" if steps else "sudden change of slope"
    note = (
        f"{what} at {main.at:.3g} ({main.lo:.3g} to {main.hi:.3g}), "
        f"p = {main.evidence.p:.1g}{_more(len(found))}{_spike_note(events)}"
    )
    return Assessment(
        metric, verdict, found, main.at, main.lo, main.hi, main.onset, main.width, start, end, note
    )


def _transition(event: Tested, metric: str, scale: float) -> Transition:
    where = event.where
    return Transition(
        metric=metric,
        kind=Kind.KINK if where.kink else Kind.STEP,
        verdict=Verdict.KINK if where.kink else Verdict.STEP_LIKE,
        at=10.0**where.at,
        lo=10.0**where.lo,
        hi=10.0**where.hi,
        width=where.width,
        amplitude=where.amplitude * scale,
        onset=10.0**where.onset,
        evidence=Evidence(event.likelihood_ratio, event.delta_bic, event.p),
        width_interval=where.width_interval,
        amplitude_interval=_scaled(where.amplitude_interval, scale),
        onset_interval=(10.0 ** where.onset_interval[0], 10.0 ** where.onset_interval[1]),
    )


def disturbance(away: Away, metric: str, scale: float) -> Transition:
    """Return a spike or restart as a Transition that claims nothing of the trend."""
    return Transition(
        metric=metric,
        kind=Kind.RESTART if away.restart else Kind.SPIKE,
        verdict=Verdict.SMOOTH,
        at=10.0**away.begin,
        lo=10.0**away.before,
        hi=10.0**away.begin,
        width=away.end - away.begin,
        amplitude=away.amplitude * scale,
        onset=10.0**away.begin,
        evidence=Evidence(away.gain, float("nan"), away.p),
    )


def _scaled(interval: tuple[float, float], scale: float) -> tuple[float, float]:
    return interval[0] * scale, interval[1] * scale


def _broad(
    events: Events, trend: Trend, metric: str, start: float, end: float, max_width: float
) -> Assessment:
    """Describe a curve that changes clearly but without a sharp part."""
    x = events.kept.x
    onset, at, finish = (float(crossings(trend.x, trend.mean[None], f)[0]) for f in (0.1, 0.5, 0.9))
    lo, hi = _interval(x, at, crossings(trend.x, trend.draws, 0.5))
    onset_lo, onset_hi = _interval(x, onset, crossings(trend.x, trend.draws, 0.1))
    peak = float(np.abs(trend.mean - trend.mean[0]).max())
    back = abs(float(trend.mean[-1] - trend.mean[0])) < 0.5 * peak
    rising = trend.mean[np.abs(trend.mean - trend.mean[0]).argmax()] > trend.mean[0]
    what = "broad rise" if rising else "broad fall"
    note = (
        f"{what}{' that comes back' if back else ''} over {finish - onset:.2g} decades, onset "
        f"between {10**onset_lo:.3g} and {10**onset_hi:.3g}, half done "
        f"at {10**at:.3g}; no sharp part shown{_spike_note(events)}"
    )
    if finish - onset <= max_width:
        note = note.replace("no sharp part shown", "too few readings to call it sharp")
    return Assessment(
        metric,
        Verdict.BROAD_RISE,
        at=10.0**at,
        lo=10.0**lo,
        hi=10.0**hi,
        onset=10.0**onset,
        width=finish - onset,
        start=start,
        end=end,
        note=note,
    )


def _interval(x: Array, at: float, draws: Array) -> tuple[float, float]:
    """Return the 95 % range of draws, united with the bracketing readings."""
    low, high = np.quantile(draws, [0.025, 0.975])
    below, above = x[x <= at], x[x >= at]
    return (
        min(float(low), at, float(below[-1]) if below.size else at),
        max(float(high), at, float(above[0]) if above.size else at),
    )


def _chance_note(series: Series, chance: float) -> str:
    """Say that a curve without change stayed at chance, or where it stayed."""
    if not math.isfinite(chance):
        return ""
    error = series.scale / math.sqrt(series.x.size) if np.any(series.y) else 0.0
    if math.isfinite(series.se):
        error = max(error, series.se * series.scale)
    if abs(series.centre - chance) <= 3.0 * error + 1e-9:
        return f"; never left chance ({chance:.3g})"
    return f"; stays at {series.centre:.3g}, chance is {chance:.3g}"


def _spike_note(events: Events) -> str:
    parts = []
    for word, restart in (("spike", False), ("restart", True)):
        places = [f"{10.0**away.begin:.3g}" for away in events.away if away.restart is restart]
        if places:
            parts.append(f"; {word} set aside at " + ", ".join(places))
    return "".join(parts)


def _more(num: int) -> str:
    return "" if num == 1 else f", {num} in all"
