"""How well the smooth null and the null with one sharp change explain curves that share one grid.

For every setting of the null the curves are whitened and the straight line in log10(step) is
projected out (restricted likelihood); the noise variance is profiled out, so that the statistic
depends neither on the unit nor on the offset of a metric. What is not known (the setting, the place
and the form of a change) is averaged over its prior: a change is worth what it gains on average,
and a trend that could bend around anything is worth less than one that did not have to.

Legend: n readings, m = n − 2, d atoms, s curves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nucleate.detect import atoms
from nucleate.detect.covariance import (
    LENGTHS,
    RATIOS,
    RHOS,
    SLOPES,
    Hyper,
    hyper_grid,
    log_prior,
    noise_covariance,
    trend_covariance,
)
from nucleate.detect.excursions import excursions

Array = NDArray[np.float64]
Index = NDArray[np.intp]

AMPLITUDE = 1.0
"""Prior standard deviation of the size of any atom, in standard deviations of the curve."""

MOST = {np.dtype(np.float32): 1.0 - 1e-6, np.dtype(np.float64): 1.0 - 1e-12}
"""Largest share of the RSS that one atom is said to explain, by precision."""

SMOOTH = 0.8
"""Shortest length scale, in decades, of the trends that excursions are tried with."""


@dataclass(frozen=True, slots=True)
class Whitening:
    """One setting of the null on one grid.

    Attributes:
        project_nn: Maps readings to residuals of unit variance, the known shapes projected out.
        modes_nn, deviation_n: See `colour_nn`.
        freedom: Degrees of freedom of the residuals, m.
        constant: Part of the log-likelihood that does not depend on the readings.
    """

    project_nn: Array
    modes_nn: Array
    deviation_n: Array
    freedom: int
    constant: float

    @property
    def colour_nn(self) -> Array:
        """Maps unit noise to noise with the covariance of this setting."""
        return np.asarray(self.modes_nn * self.deviation_n)

    def level(self, rss: Array | float) -> Array:
        """Return the log-likelihood, noise variance profiled out, at residual sums of squares."""
        return np.asarray(self.constant - 0.5 * self.freedom * np.log(rss))

    def without(self, shape_n: Array) -> Whitening:
        """Return the same setting for curves that hold any amount of one shape; m stays as it is.

        Likelihoods are then those at its best amount, as of any other atom.
        """
        along = self.project_nn @ shape_n
        square = float(along @ along)
        if square <= 1e-12 * float(np.abs(shape_n).max(initial=1.0)) ** 2:
            return self
        return replace(
            self,
            project_nn=self.project_nn - np.outer(along, along @ self.project_nn) / square,
        )

    def inverse_norms(self, shape_dn: Array) -> Array:
        """Return one over the whitened length of each atom, 0 for those inside the trend's span."""
        return _inverse(np.sum((shape_dn @ self.project_nn.T) ** 2, axis=1), shape_dn)


def whiten(
    noise_nn: Array, trend_nn: Array, ratios: Sequence[float], known_nk: Array
) -> list[Whitening]:
    """Return one Whitening for each ratio of trend variance to noise variance.

    All ratios share one eigenvalue problem: with noise covariance N = L Lᵀ and L⁻¹ K L⁻ᵀ = U Λ Uᵀ,
    N + r K = (L U)(1 + r Λ)(L U)ᵀ.

    Args:
        noise_nn, trend_nn: Covariances N and K.
        ratios: Values of r.
        known_nk: Shapes whose amplitudes are unknown, projected out (restricted likelihood).
    """
    chol = np.linalg.cholesky(noise_nn)
    inverse = np.linalg.inv(chol)
    similar = inverse @ trend_nn @ inverse.T
    values, vectors = np.linalg.eigh(0.5 * (similar + similar.T))
    values = np.maximum(values, 0.0)
    white_nn, colour_nn = vectors.T @ inverse, chol @ vectors
    log_noise, rank = float(np.sum(np.log(np.diag(chol)))), known_nk.shape[1]
    out = []
    for ratio in ratios:
        deviation = np.sqrt(1.0 + ratio * values)
        scaled = white_nn / deviation[:, None]
        q, r = np.linalg.qr(scaled @ known_nk)
        constant = -log_noise - float(np.log(deviation).sum() + np.log(np.abs(np.diag(r))).sum())
        project = scaled - q @ (q.T @ scaled)
        out.append(Whitening(project, colour_nn, deviation, scaled.shape[0] - rank, constant))
    return out


def line(x: Array, known_nk: Array | None = None) -> Array:
    """Return a straight line in x, and further known shapes, as columns: ``(n, k)``."""
    basis = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    return basis if known_nk is None else np.hstack([basis, known_nk])


def _inverse(square: Array, shape_dn: Array) -> Array:
    usable = square > 1e-12 * np.abs(shape_dn).max(initial=1.0) ** 2
    return np.where(usable, 1.0 / np.sqrt(np.where(usable, square, 1.0)), 0.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the null, and the null with one sharp change, explain s curves; shapes ``(s,)``.

    Attributes:
        null, event: Log evidence of the smooth null, and of one sharp change on top of it.
        null_peak, event_peak: Highest likelihood of either, times the prior of its setting (log).
        null_hyper, null_atom: Setting and nuisance (−1: none) that explain the curve best.
        event_hyper, event_atom: Setting and event that explain it best.
    """

    null: Array
    null_peak: Array
    null_hyper: Index
    null_atom: Index
    event: Array
    event_peak: Array
    event_hyper: Index
    event_atom: Index

    def of(self, curve: int) -> Fit:
        """Return the fit of one of the curves."""
        one = slice(curve, curve + 1)
        return Fit(*(getattr(self, field.name)[one] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Best:
    """The best excursion on each of s curves; shapes ``(s,)``.

    Attributes:
        peak: Its likelihood, times the prior of its setting (log).
        atom: Its index in `Grid.excursions`.
        amplitude: Its size.
    """

    peak: Array
    atom: Index
    amplitude: Array

    def of(self, curve: int) -> Best:
        """Return the excursion of one of the curves."""
        one = slice(curve, curve + 1)
        return Best(self.peak[one], self.atom[one], self.amplitude[one])


class _Evidence:
    """Running sum of evidence over settings, and the best single explanation so far."""

    def __init__(self, num: int) -> None:
        self.total, self.top, self.peak = np.full((3, num), -np.inf)
        self.hyper = np.zeros(num, dtype=np.intp)
        self.atom = np.full(num, -1, dtype=np.intp)

    def add(
        self, gain_ds: Array, level_s: Array, peak_s: Array, setting: int, first: int = 0
    ) -> None:
        """Add atoms ``first, first + 1, …`` under a setting.

        Args:
            gain_ds: Log evidence of each atom beyond `level_s`.
            level_s: Log-likelihood of the setting without any atom.
            peak_s: Highest log-likelihood with an atom.
            setting: Index of the setting.
            first: Index of the first atom.
        """
        if not gain_ds.size:
            return
        best = gain_ds.argmax(axis=0)
        top = gain_ds[best, np.arange(best.size)]
        whole = top + np.log(np.exp(gain_ds - top).sum(axis=0))
        self.total = np.logaddexp(self.total, level_s + whole)
        self.peak = np.maximum(self.peak, peak_s)
        better = level_s + top > self.top
        self.top = np.where(better, level_s + top, self.top)
        self.hyper = np.where(better, setting, self.hyper)
        self.atom = np.where(better, best + first, self.atom)


class Grid:
    """Everything that can be computed from the positions of the readings alone."""

    def __init__(
        self,
        x: Array,
        max_width: float,
        base: Array | None = None,
        known_nk: Array | None = None,
        rhos: Iterable[float] = RHOS,
    ) -> None:
        self.x, self.base, self.known_nk = x, base, known_nk
        self.max_width = max_width
        self.hypers = hyper_grid(rhos)
        self.log_prior = log_prior(self.hypers)
        self.events = atoms.events(x, max_width)
        self.nuisances = atoms.nuisances(x)
        self.excursion_shapes, self.excursions = excursions(x)
        self.whitenings = self._whiten(rhos)
        self._shapes: dict[str, atoms.Smooth | atoms.Dictionary] = {
            "null": self.nuisances,
            "event": self.events,
        }
        self._norms = {
            name: [white.inverse_norms(part.shape) for white in self.whitenings]
            for name, part in self._shapes.items()
        }
        self._excursion_norms: dict[int, Array] = {}

    def _whiten(self, rhos: Iterable[float]) -> list[Whitening]:
        """Return one Whitening for each setting, in the order of `hypers`."""
        x, known = self.x, line(self.x, self.known_nk)
        found: dict[Hyper, Whitening] = {}
        for length, rho, slope in product(LENGTHS, rhos, SLOPES):
            noise = noise_covariance(x, rho, slope, self.base)
            family = whiten(noise, trend_covariance(x, x, length), tuple(RATIOS), known)
            found.update(
                (Hyper(length, ratio, rho, slope), white)
                for ratio, white in zip(RATIOS, family, strict=True)
            )
        return [found[hyper] for hyper in self.hypers]

    def fit(self, curves_ns: Array, dtype: type[np.floating] = np.float64) -> Fit:
        """Return what explains each column of `curves_ns`, shape ``(n, s)``.

        Args:
            curves_ns: Curves as columns.
            dtype: Precision in which atoms are compared.
        """
        num = curves_ns.shape[1]
        bare = np.full((1, num), np.log(atoms.BARE))
        found = {name: _Evidence(num) for name in self._shapes}
        shapes = {name: part.shape.astype(dtype) for name, part in self._shapes.items()}
        priors = {name: part.log_prior.astype(dtype) for name, part in self._shapes.items()}
        for index, white in enumerate(self.whitenings):
            residual_ns, level_s, rss_s = self._residual(index, curves_ns, dtype)
            for name, evidence in found.items():
                norm = self._norms[name][index]
                gain, most = _gains(shapes[name], residual_ns, norm, rss_s, white.freedom)
                gain += priors[name][:, None]
                peak = level_s - 0.5 * white.freedom * np.log1p(-most)
                evidence.add(gain, level_s, peak, index)
            found["null"].add(bare, level_s, level_s, index, first=-1)
        null, event = found["null"], found["event"]
        return Fit(
            *(null.total, null.peak, null.hyper, null.atom),
            *(event.total, event.peak, event.hyper, event.atom),
        )

    def best_event(
        self, y: Array, at: float, near: float, *, kink: bool, nuisance: int = -1
    ) -> tuple[int, float] | None:
        """Return the event of one kind that best explains a curve near a place, and how well.

        Args:
            y: The curve, shape ``(n,)``.
            at, near: The place, and how far from it an event may be, in decades.
            kink: Whether to look for a change of slope instead of a step or cliff.
            nuisance: Index of a smooth change that the curve contains besides (−1: none).

        Returns:
            Its index, and its highest likelihood times the prior of the setting (log); None when
            the readings leave no room for one.
        """
        hinge = np.array([form.kind == "hinge" for form in self.events.forms], dtype=bool)
        among = np.flatnonzero((hinge == kink) & (np.abs(self.events.centre - at) <= near))
        if not among.size:
            return None
        found = _Evidence(1)
        prior_d = self.events.log_prior[among][:, None]
        shape_dn = self.events.shape[among]
        for index, white in enumerate(self.whitenings):
            norm = self._norms["event"][index][among]
            if nuisance >= 0:
                white = white.without(self.nuisances.shape[nuisance])
                norm = white.inverse_norms(shape_dn)
            residual_n1, level, rss = self._residual(index, y[:, None], np.float64, white)
            gain, most = _gains(shape_dn, residual_n1, norm, rss, white.freedom)
            peak = level - 0.5 * white.freedom * np.log1p(-most)
            found.add(gain + prior_d, level, peak, index)
        return int(among[found.atom[0]]), float(found.peak[0])

    def excursion(
        self,
        curves_ns: Array,
        fit: Fit,
        dtype: type[np.floating] = np.float64,
        among: NDArray[np.bool_] | None = None,
    ) -> Best:
        """Return the best excursion on each column of `curves_ns`, shape ``(n, s)``.

        It is only tried on smooth trends, and under noise that is even or as uneven as in `fit`.

        Args:
            curves_ns: Curves as columns.
            fit: Of the same curves.
            dtype: Precision in which excursions are compared.
            among: Which of `excursions` may be taken, shape ``(d,)`` (all by default).
        """
        num = curves_ns.shape[1]
        peak, amplitude = np.full(num, -np.inf), np.zeros(num)
        atom = np.full(num, -1, dtype=np.intp)
        slope_s = np.array([self.hypers[index].slope for index in fit.null_hyper])
        shapes = self.excursion_shapes.astype(dtype)
        for index, (hyper, white) in enumerate(zip(self.hypers, self.whitenings, strict=True)):
            allowed = (slope_s == hyper.slope) | (hyper.slope == 0.0)
            if not allowed.any() or (hyper.length < SMOOTH and hyper.ratio):
                continue
            if index not in self._excursion_norms:
                self._excursion_norms[index] = white.inverse_norms(self.excursion_shapes)
            norm_d = self._excursion_norms[index]
            residual_ns, level_s, rss_s = self._residual(index, curves_ns, dtype)
            score = (shapes @ residual_ns) * norm_d.astype(dtype)[:, None]
            if among is not None:
                score[~among] = 0.0
            best = np.abs(score).argmax(axis=0)
            root = score[best, np.arange(num)].astype(np.float64)
            level = level_s - 0.5 * white.freedom * np.log1p(
                -np.minimum(root**2, MOST[residual_ns.dtype])
            )
            better = allowed & (level > peak)
            peak, atom = np.where(better, level, peak), np.where(better, best, atom)
            amplitude = np.where(better, root * np.sqrt(rss_s) * norm_d[best], amplitude)
        return Best(peak, atom, amplitude)

    def _residual(
        self,
        index: int,
        curves_ns: Array,
        dtype: type[np.floating],
        white: Whitening | None = None,
    ) -> tuple[Array, Array, Array]:
        """Return what a setting leaves of each curve, its likelihood with the prior, and its RSS.

        The residual is divided by the root of the RSS: its product with an atom of unit length is
        a correlation. `white` may take the place of the setting's own.
        """
        white = white or self.whitenings[index]
        white_ns = white.project_nn @ curves_ns
        rss = np.maximum(np.sum(white_ns**2, axis=0), 1e-300)
        residual = ((white.project_nn.T @ white_ns) / np.sqrt(rss)).astype(dtype)
        return residual, white.level(rss) + self.log_prior[index], rss


def _gains(
    shape_dn: Array, residual_ns: Array, norm_d: Array, rss_s: Array, freedom: int
) -> tuple[Array, Array]:
    """Return how much log evidence each atom adds, ``(d, s)``, and the largest R², ``(s,)``.

    With R² the share of the RSS that an atom explains and s² = `AMPLITUDE`² over the variance of
    its fitted size, the evidence gains −(m/2) ln(1 − R² s²/(1 + s²)) − ½ ln(1 + s²): the size is
    averaged over its prior.
    """
    dtype = residual_ns.dtype.type
    if not shape_dn.size:
        return np.zeros((0, residual_ns.shape[1]), dtype), np.zeros(residual_ns.shape[1])
    norm = norm_d.astype(dtype)[:, None]
    share = shape_dn @ residual_ns
    share *= norm
    np.square(share, out=share)
    np.minimum(share, dtype(MOST[residual_ns.dtype]), out=share)
    most = share.max(axis=0).astype(np.float64)
    # An atom inside the span of the trend has no length: it explains nothing and costs nothing.
    length = np.where(norm > 0, np.maximum(norm, dtype(1e-15)) ** -2, dtype(0))
    spread = length * (AMPLITUDE**2 * freedom / rss_s).astype(dtype)
    spread /= 1 - share
    share *= spread / (1 + spread)
    gain = np.log1p(-share)
    gain *= -0.5 * freedom
    gain -= 0.5 * np.log1p(spread)
    return np.asarray(gain), most
