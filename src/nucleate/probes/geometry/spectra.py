"""Both spectra of a cloud of points, with and without its mean, from one tridiagonal matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError

# Suffixes: N samples, D dimensions, S the smaller of the two, R ranks.

Array = NDArray[np.float64]

PRECISE = 1e-3
"""Estimated relative error of the sum of singular values above which float64 is used."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """What ranks and power laws are made of.

    Attributes:
        eigenvalues_R: Of the covariance, the samples centred, the largest first: as `eigenvalues`.
        singular_R: Singular values of the samples as they are, likewise.
        single: Whether float32 was enough.
    """

    eigenvalues_R: Array
    singular_R: Array
    single: bool


def spectra(x_ND: ArrayLike, *, clear: int = 32) -> Spectra:
    """Return both spectra at less than the price of one decomposition.

    The mean adds one direction to the centred Gram matrix (of features or of samples, whichever is
    the smaller). Householder's reduction to tridiagonal form keeps the first axis: where the basis
    begins with that direction, the two matrices differ in one corner (of samples: in one row),
    and a single reduction serves both.

    A Gram matrix squares, so small singular values drown first. Representations in float32 are
    reduced in float32 where rounding moves the sum of the centred singular values by less than
    `PRECISE`, by an estimate that supposes errors of one sign (what was seen is a hundredth of it);
    all others in float64, where values below about 1e-8 of the largest are not told from 0.

    Args:
        x_ND: Representations, shape ``(N, D)``.
        clear: How many of the largest eigenvalues must stand clear of rounding for float32: the
            last rank that a power law is fitted to.

    Raises:
        DataError: Fewer than two samples, or not all are finite.

    Source: Golub and Van Loan, section 8.3.
    """
    x = np.asarray(x_ND)
    if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
        raise DataError("no representations", got=f"shape {x.shape}", expected="(N, D), all finite")
    mean = x.mean(0, dtype=np.float64)
    centred = x - mean
    reduced = _of_features if x.shape[0] > x.shape[1] else _of_samples
    found = None
    if x.dtype == np.float32:
        found = reduced(centred.astype(np.float32), mean)
    single = found is not None and _enough(found[0], clear)
    if found is None or not single:
        found = reduced(centred, mean)
    eigenvalues = np.zeros(min(x.shape))
    eigenvalues[: len(found[0])] = found[0]
    return Spectra(eigenvalues / (len(x) - 1), np.sqrt(found[1]), single)


def _enough(squares: Array, clear: int) -> bool:
    """Whether squared singular values lie clear of what float32 adds to them or takes away."""
    error = 2 * float(np.finfo(np.float32).eps) * float(squares[0])
    if not squares[:clear][-1] > 8 * error:  # it may be all error: a dimension that nothing fills
        return False
    roots = np.sqrt(np.maximum(squares, error))
    moved = np.minimum(error / (2 * roots), math.sqrt(error))
    return float(moved.sum()) < PRECISE * float(roots.sum())


def _of_features(centred: NDArray[Any], mean: Array) -> tuple[Array, Array]:
    """Return squared singular values without and with the mean."""
    gram_SS = _reflected(centred.T @ centred, mean)
    diagonal, beside = _tridiagonal(gram_SS)
    without = _eigenvalues(diagonal, beside)
    diagonal[0] += len(centred) * float(mean @ mean)
    return without, _eigenvalues(diagonal, beside)


def _of_samples(centred: NDArray[Any], mean: Array) -> tuple[Array, Array]:
    """The same from products of samples: here the first axis is the one that centring removes."""
    size = len(centred)
    ones = np.ones(size)
    gram_SS = _reflected(centred @ centred.T, ones)
    v = _mirror(ones)
    across = centred @ mean
    across = math.sqrt(size) * (across - 2 * float(v @ across) * v)
    gram_SS[0, :], gram_SS[:, 0] = across, across
    gram_SS[0, 0] = size * float(mean @ mean)
    diagonal, beside = _tridiagonal(gram_SS)
    return _eigenvalues(diagonal[1:], beside[1:]), _eigenvalues(diagonal, beside)


def _mirror(axis: Array) -> Array:
    """Return the unit vector of the reflection that takes a direction to the first axis."""
    v = axis / np.linalg.norm(axis)
    v[0] += 1.0 if v[0] >= 0 else -1.0  # away from cancellation; the sign of the axis is free
    out: Array = v / np.linalg.norm(v)
    return out


def _reflected(gram_SS: NDArray[Any], axis: Array) -> NDArray[Any]:
    if not axis.any():
        return gram_SS
    v = _mirror(axis).astype(gram_SS.dtype)
    through = 2 * (gram_SS @ v)
    through -= (v @ through) * v
    gram_SS -= np.outer(v, through)
    gram_SS -= np.outer(through, v)
    return gram_SS


def _tridiagonal(gram_SS: NDArray[Any]) -> tuple[Array, Array]:
    """Return diagonal and what stands beside it, in float64; the first axis stays where it is."""
    from scipy.linalg import lapack

    if len(gram_SS) == 1:
        return gram_SS[0].astype(np.float64), np.empty(0)
    single = gram_SS.dtype == np.float32
    reduce = lapack.ssytrd if single else lapack.dsytrd
    size, _ = (lapack.ssytrd_lwork if single else lapack.dsytrd_lwork)(len(gram_SS), lower=1)
    _, diagonal, beside, _, _ = reduce(gram_SS.T, lower=1, lwork=int(size), overwrite_a=1)
    return diagonal.astype(np.float64), beside.astype(np.float64)


def _eigenvalues(diagonal: Array, beside: Array) -> Array:
    """Return the eigenvalues of a tridiagonal matrix, none below 0, the largest first."""
    from scipy.linalg import lapack

    if len(diagonal) < 2:
        return np.maximum(diagonal, 0.0)
    found, failed = lapack.dsterf(diagonal, beside)
    if failed:  # pragma: no cover (no finite matrix is known that it gives up on)
        raise np.linalg.LinAlgError("eigenvalues did not converge")
    out: Array = np.maximum(found[::-1], 0.0)
    return out
