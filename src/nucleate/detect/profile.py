"""Location, width and size of one change with their intervals, by profile likelihood.

The intervals of positions are united with the readings that bracket them: an error smaller than
the distance between readings would be fiction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.atoms import Form
from nucleate.detect.likelihood import Grid
from nucleate.detect.whitening import Whitening

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Interval = tuple[float, float]

DROP = 1.92
"""Fall of the log-likelihood that bounds a 95 % interval of one parameter (χ²₁ / 2)."""

REACH = 0.6
"""Half-width, in decades, of the stretch that is searched around the first location."""

NUM_LOCATIONS = 121
MAX_SETTINGS = 24


@dataclass(frozen=True, slots=True)
class Location:
    """A change on the standardised curve; positions are log10(step).

    Attributes:
        at, lo, hi: Where half of it is done, with the 95 % interval.
        width, width_interval: 10–90 % width in decades (0 for a kink).
        onset, onset_interval: Where 10 % of it is done.
        amplitude, amplitude_interval: Standardised change (for a kink: of slope per decade).
        noise: Fitted standard deviation of one reading, standardised.
        hyper: Index of the null setting that fits best together with the change.
        form: Its shape.
        level: Log-likelihood with it, times the prior of the setting.
    """

    at: float
    lo: float
    hi: float
    width: float
    width_interval: Interval
    onset: float
    onset_interval: Interval
    amplitude: float
    amplitude_interval: Interval
    noise: float
    hyper: int
    form: Form
    level: float

    @property
    def kink(self) -> bool:
        """Whether it is a change of slope."""
        return self.form.kind == "hinge"

    def moved(self, by: float) -> Location:
        """Return the same change with every position shifted by so many decades."""
        low, high = self.onset_interval
        return replace(
            self,
            at=self.at + by,
            lo=self.lo + by,
            hi=self.hi + by,
            onset=self.onset + by,
            onset_interval=(low + by, high + by),
        )

    def shape(self, x: Array) -> Array:
        """Return the fitted change at the positions x, shape ``(n,)``."""
        return np.asarray(self.amplitude * self.form.evaluate(x, np.array([self.at]))[0])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Places and forms that are compared, and how well each fits.

    Attributes:
        centre, width, onset: Where half and where 10 % is done, and the 10–90 % width; ``(d,)``.
        form: Index into `forms`, shape ``(d,)``.
        level: Profiled log-likelihood, shape ``(d,)``.
        amplitude, error: Generalised-least-squares amplitude and its standard error, ``(d,)``.
        noise: Residual standard deviation, shape ``(d,)``.
        hyper: Setting of the null that fits best with each, shape ``(d,)``.
        forms: The forms compared.
    """

    centre: Array
    width: Array
    onset: Array
    form: Index
    level: Array
    amplitude: Array
    error: Array
    noise: Array
    hyper: Index
    forms: tuple[Form, ...]


def locate(
    grid: Grid, y: Array, atom: int, reach: float = REACH, within: Interval | None = None
) -> Location:
    """Refine one event of the dictionary on the curve y, shape ``(n,)``; see `relocate`."""
    form, first = grid.events.forms[atom], float(grid.events.centre[atom])
    return relocate(grid, y, form, first, reach, within)


def relocate(
    grid: Grid,
    y: Array,
    form: Form,
    first: float,
    reach: float = REACH,
    within: Interval | None = None,
) -> Location:
    """Find the best place, within `reach` of the first guess, and the best form of its kind.

    `within` bounds the place, not its interval, to what is known from elsewhere.
    """
    x = grid.x
    fine = np.linspace(max(first - reach, x[0]), min(first + reach, x[-1]), NUM_LOCATIONS)
    fine = np.union1d(fine, [first])
    guess = form.evaluate(x, np.array([first]))
    score = np.array([_fit(white, guess, y)[0][0] for white in grid.whitenings]) + grid.log_prior
    near = np.flatnonzero(score >= score.max() - 2 * DROP)
    settings = near[np.argsort(-score[near], kind="stable")][:MAX_SETTINGS]
    forms = (form,) if form.kind == "hinge" else atoms.compared_forms(grid.max_width)
    whitenings = [grid.whitenings[index] for index in settings]
    found = compare(whitenings, settings, x, y, fine, forms, grid.log_prior)
    return summarise(found, x, within=within)


def compare(
    whitenings: list[Whitening],
    settings: Index,
    x: Array,
    y: Array,
    places: Array,
    forms: tuple[Form, ...],
    log_prior: Array | None = None,
) -> Candidates:
    """Fit a change at each place, in each form, under each setting of the null.

    `log_prior` is that of the settings by their index (None: all alike).
    """
    number = np.repeat(np.arange(len(forms)), places.size)
    centre = np.tile(places, len(forms))
    shapes = np.concatenate([form.evaluate(x, places) for form in forms])
    width = np.array([form.width for form in forms])[number]
    onset = centre - np.array([form.lead for form in forms])[number]
    best = np.full((4, centre.size), -np.inf)
    hyper = np.zeros(centre.size, dtype=np.intp)
    for white, index in zip(whitenings, settings, strict=True):
        new = _fit(white, shapes, y)
        new[0] += 0.0 if log_prior is None else log_prior[index]
        better = new[0] > best[0]
        best[:, better], hyper[better] = new[:, better], index
    level, amplitude, error, noise = best
    return Candidates(centre, width, onset, number, level, amplitude, error, noise, hyper, forms)


def _fit(white: Whitening, shape_dn: Array, y: Array) -> Array:
    """Return log-likelihood, amplitude, its error and the noise with each shape, ``(4, d)``."""
    m = white.freedom
    r = white.project_nn @ y
    a = shape_dn @ white.project_nn.T
    square = np.sum(a * a, axis=1)
    usable = square > 1e-18 * max(float(np.abs(shape_dn).max()), 1.0)
    square = np.where(usable, square, 1.0)
    along = np.where(usable, a @ r, 0.0)
    total = max(float(r @ r), 1e-300)
    left = np.maximum(total - along**2 / square, 1e-12 * total)
    noise = np.sqrt(left / max(m - 3, 1))
    return np.stack([white.level(left), along / square, noise / np.sqrt(square), noise])


def summarise(
    found: Candidates, x: Array, drop: float = DROP, within: Interval | None = None
) -> Location:
    """Return the best candidate with 95 % profile intervals, on the readings x, shape ``(n,)``.

    Candidates outside `within` may widen the intervals, but are not the best one.
    """
    level = found.level
    if within is not None:
        allowed = (found.centre >= within[0]) & (found.centre <= within[1])
        level = np.where(allowed, level, -np.inf) if allowed.any() else level
    best = int(level.argmax())
    above = found.level - (found.level[best] - drop)
    inside = above >= 0.0
    reach = found.error * np.sqrt(2.0 * np.maximum(above, 0.0))
    at, onset = found.centre[best], found.onset[best]
    return Location(
        float(at),
        *bracketed(float(at), found.centre[inside], x),
        float(found.width[best]),
        _range(found.width[inside]),
        float(onset),
        bracketed(float(onset), found.onset[inside], x),
        float(found.amplitude[best]),
        (
            float((found.amplitude - reach)[inside].min()),
            float((found.amplitude + reach)[inside].max()),
        ),
        float(found.noise[best]),
        int(found.hyper[best]),
        found.forms[int(found.form[best])],
        float(found.level[best]),
    )


def _range(values: Array) -> Interval:
    return float(values.min()), float(values.max())


def bracketed(at: float, inside: Array, x: Array) -> Interval:
    """Return the range of `inside`, united with the readings on either side of `at`."""
    after = int(np.clip(np.searchsorted(x, at, side="left"), 0, x.size - 1))
    before = int(np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 1))
    low, high = _range(inside)
    return min(low, at, float(x[before])), max(high, at, float(x[after]))
