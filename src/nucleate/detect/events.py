"""Greedy search for sharp changes: take spikes out, test the best event, subtract it, go on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.detect.calibration import Calibration
from nucleate.detect.change import ChangeTest
from nucleate.detect.covariance import RHOS, Hyper
from nucleate.detect.likelihood import Fit, Grid
from nucleate.detect.profile import Location, locate
from nucleate.detect.series import MIN_POINTS, Series

Array = NDArray[np.float64]

SPIKE_GAIN = 10.0
"""Log-likelihood, in nats, that a spike must gain: 4.5 standard deviations."""

MAX_EVENTS = 4
MAX_SPIKES = 3

PAIR_REACH = 0.5
"""Two opposite changes closer than this, in decades, are one spike."""

SATELLITE_SHARE = 0.25
"""Steps that close to a larger one and smaller than this share of it are part of its shape."""

LARGEST = 1.25
"""Largest step that is believed, as a multiple of the range of the readings."""

BESIDE = 2
"""Readings that must lie on either side of a change's 10-90 % extent."""

EVENT_PARAMETERS = 3
"""Location, width, amplitude: what ΔBIC charges for."""


class GridCache:
    """Grids, null distributions and change tests, shared by curves with the same positions."""

    def __init__(self, max_width: float, seed: int, num_simulations: int) -> None:
        self.max_width, self.seed, self.num_simulations = max_width, seed, num_simulations
        self._calibrations: dict[bytes, Calibration] = {}
        self._changes: dict[bytes, ChangeTest] = {}

    def calibration(self, x: Array) -> Calibration:
        """Return the grid of x with its null distributions."""
        key = np.round(x - x[0], 9).tobytes()
        if key not in self._calibrations:
            # Only distances matter, so that rescaled axes give the same answer to the last bit.
            grid = Grid(np.round(x - x[0], 9), self.max_width)
            self._calibrations[key] = Calibration(grid, self.seed, self.num_simulations)
        return self._calibrations[key]

    def change(self, x: Array) -> ChangeTest:
        """Return the test of overall change on x."""
        relative = np.round(x - x[0], 9)
        key = relative.tobytes()
        if key not in self._changes:
            self._changes[key] = ChangeTest(relative, self.seed, self.num_simulations)
        return self._changes[key]


@dataclass(frozen=True, slots=True)
class Tested:
    """One event with its evidence; positions in log10(step) relative to the first reading kept."""

    where: Location
    kink: bool
    likelihood_ratio: float
    delta_bic: float
    p: float


@dataclass(frozen=True, slots=True)
class Events:
    """What was found on one curve.

    Attributes:
        kept: The series without spikes.
        tested: Events that passed, in order of location.
        best_p: p-value of the best event, passed or not (1 when nothing was tested).
        best_ratio: Its log-likelihood ratio.
        spikes: log10(step) of the readings that were set aside as spikes.
        pairs: log10(step) of opposite pairs, which are spikes too.
        hyper: Setting of the smooth null that fits what is left after the events.
        nuisance: Index of the smooth change that this null contains.
    """

    kept: Series
    tested: tuple[Tested, ...] = ()
    best_p: float = 1.0
    best_ratio: float = 0.0
    spikes: tuple[float, ...] = ()
    pairs: tuple[float, ...] = ()
    hyper: Hyper | None = None
    nuisance: int = -1


def find_events(series: Series, cache: GridCache, alpha: float) -> Events:
    """Return the sharp changes of one cleaned curve."""
    if series.x.size < MIN_POINTS or not np.any(series.y):
        return Events(series)
    kept, spikes = _without_spikes(series, cache)
    calibration = cache.calibration(kept.x)
    grid = calibration.grid
    rest, tested, best_p, best_ratio = kept.y.copy(), [], 1.0, 0.0
    fit = grid.fit(rest[:, None])
    for turn in range(MAX_EVENTS):
        ratio = float(fit.event[0] - fit.null[0])
        p = _p_value(calibration, ratio, int(fit.null_hyper[0]))
        if turn == 0:
            best_p, best_ratio = p, ratio
        event = _tested(grid, rest, fit, ratio, p)
        if not _convincing(event, kept, alpha, cache.max_width):
            break
        tested.append(event)
        rest = rest - event.where.shape
        fit = grid.fit(rest[:, None])
    tested = _without_satellites(tested)
    tested, pairs = _split_pairs(sorted(tested, key=lambda event: event.where.at))
    return Events(
        kept,
        tuple(tested),
        best_p,
        best_ratio,
        spikes,
        tuple(float(kept.x[0] + at) for at in pairs),
        grid.hypers[int(fit.null_hyper[0])],
        int(fit.null_atom[0]),
    )


def _tested(grid: Grid, y: Array, fit: Fit, ratio: float, p: float) -> Tested:
    atom = int(fit.event_atom[0])
    bic = 2.0 * ratio - EVENT_PARAMETERS * float(np.log(y.size))
    return Tested(locate(grid, y, atom), bool(grid.events.width[atom] == 0.0), ratio, bic, p)


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
    return max(p, calibration.p_value(ratio, calibration.grid.hypers.index(worse)))


def _convincing(event: Tested, series: Series, alpha: float, widest: float) -> bool:
    """Return whether an event passes the test, pays for its parameters and exceeds the noise."""
    floor = 2.0 * event.where.noise
    if np.isfinite(series.se):
        floor = max(floor, 2.0 * series.se)
    # A step larger than everything that was read is a step against a trend that was not read.
    ceiling = LARGEST * float(np.ptp(series.y))
    large = event.kink or floor <= abs(event.where.amplitude) <= ceiling
    return event.p <= alpha and event.delta_bic > 0.0 and large and _resolved(event, series, widest)


def _resolved(event: Tested, series: Series, widest: float) -> bool:
    """Return whether the readings around an event can show that it is narrow.

    They must be close enough at the event, and `BESIDE` of them must lie before its 10 % point and
    after its 90 % point: a change without a before or an after may be the end of a broad one.
    """
    x = series.x - series.x[0]
    after = min(max(int(np.searchsorted(x, event.where.at)), 1), x.size - 1)
    close = x[after] - x[after - 1] <= widest
    half = 0.0 if event.kink else event.where.width / 2
    before = np.count_nonzero(x < event.where.at - half)
    beyond = np.count_nonzero(x > event.where.at + half)
    return bool(close and before >= BESIDE and beyond >= BESIDE)


def _without_spikes(series: Series, cache: GridCache) -> tuple[Series, tuple[float, ...]]:
    """Set aside readings that leave the curve and come back to it."""
    kept, spikes = series, []
    for _ in range(MAX_SPIKES):
        grid = cache.calibration(kept.x).grid
        plain = grid.fit(kept.y[:, None])
        slopes = {0.0, grid.hypers[int(plain.null_hyper[0])].slope}
        fit = grid.fit(kept.y[:, None], bump_slopes=slopes)
        gain = float(fit.bump[0] - max(fit.null[0], fit.event[0] + 1.0))
        covered = grid.bump_cover[int(fit.bump_atom[0])]
        if fit.bump[0] - fit.null[0] < SPIKE_GAIN or gain < 0.0:
            break
        if kept.x.size - covered.size < MIN_POINTS:
            break
        spikes.append(float(kept.x[covered[0]]))
        kept = kept.without(covered)
    return kept, tuple(spikes)


def _without_satellites(found: list[Tested]) -> list[Tested]:
    """Drop small events beside larger steps: they mend the shape of a step that is no logistic."""
    out: list[Tested] = []
    for event in found:
        near = [
            step
            for step in out
            if not step.kink and abs(step.where.at - event.where.at) <= PAIR_REACH
        ]
        share = SATELLITE_SHARE * max((abs(step.where.amplitude) for step in near), default=0.0)
        if near and (event.kink or abs(event.where.amplitude) < share):
            continue
        out.append(event)
    return out


def _split_pairs(events: list[Tested]) -> tuple[list[Tested], list[float]]:
    """Take out neighbouring steps that cancel each other: a spike, not two transitions."""
    out: list[Tested] = []
    pairs: list[float] = []
    for event in events:
        if out and _cancels(out[-1], event):
            pairs.append(out.pop().where.at)
        else:
            out.append(event)
    return out, pairs


def _cancels(first: Tested, second: Tested) -> bool:
    a, b = first.where.amplitude, second.where.amplitude
    near = second.where.at - first.where.at <= PAIR_REACH
    return not first.kink and not second.kink and near and a * b < 0 and 0.5 <= -a / b <= 2.0
