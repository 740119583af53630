"""Both spectra of a cloud of points, with and without its mean, from one tridiagonal matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.probes.geometry.rank import matrix

# Suffixes: N samples, D dimensions, S the smaller of the two, R ranks.

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """What ranks and power laws are made of.

    Attributes:
        eigenvalues_R: Of the covariance, the samples centred, the largest first: as `eigenvalues`.
        singular_R: Singular values of the samples as they are, likewise.
    """

    eigenvalues_R: Array
    singular_R: Array


def spectra(x_ND: ArrayLike) -> Spectra:
    """Return both spectra at the price of less than one.

    The mean adds one direction to the centred Gram matrix (of features or of samples, whichever is
    the smaller). Householder's reduction to tridiagonal form keeps the first axis: where the basis
    begins with that direction, the two matrices differ in a single corner, and one reduction
    serves both.

    All in float64. A Gram matrix squares: singular values below about 1e-8 of the largest (of
    the centred samples) are not told from 0, as the decomposition of the samples itself would.

    Args:
        x_ND: Representations, shape ``(N, D)``.

    Raises:
        DataError: Fewer than two samples, or not all are finite.

    Source: Golub and Van Loan, sections 8.3 and 5.1.
    """
    x = matrix(x_ND)
    mean = x.mean(0)
    centred = x - mean
    reduced = _of_features if x.shape[0] > x.shape[1] else _of_samples
    without, whole = reduced(centred, mean)
    eigenvalues = np.zeros(min(x.shape))
    eigenvalues[: len(without)] = without
    return Spectra(eigenvalues / max(len(x) - 1, 1), np.sqrt(whole))


def _of_features(centred: Array, mean: Array) -> tuple[Array, Array]:
    gram_SS = _reflected(centred.T @ centred, mean)
    diagonal, beside = _tridiagonal(gram_SS)
    without = _eigenvalues(diagonal, beside)
    diagonal[0] += len(centred) * float(mean @ mean)
    return without, _eigenvalues(diagonal, beside)


def _of_samples(centred: Array, mean: Array) -> tuple[Array, Array]:
    """The same from products of samples: here the first axis is the one that centring removes."""
    size = len(centred)
    ones = np.ones(size)
    gram_SS = _reflected(centred @ centred.T, ones)
    across = np.sqrt(size) * _reflected_vector(centred @ mean, ones)
    gram_SS[0, :], gram_SS[:, 0] = across, across
    gram_SS[0, 0] = size * float(mean @ mean)
    diagonal, beside = _tridiagonal(gram_SS)
    return _eigenvalues(diagonal[1:], beside[1:]), _eigenvalues(diagonal, beside)


def _mirror(axis: Array) -> Array | None:
    """Return the unit vector of the reflection that takes a direction to the first axis."""
    length = np.linalg.norm(axis)
    if not length > 0:
        return None
    v = axis / length
    v[0] += 1.0 if v[0] >= 0 else -1.0  # away from cancellation; the sign of the axis is free
    return v / np.linalg.norm(v)


def _reflected(gram_SS: Array, axis: Array) -> Array:
    v = _mirror(axis)
    if v is None:
        return gram_SS
    through = gram_SS @ v
    through -= float(v @ through) * v
    both = np.outer(v, 2 * through)
    return gram_SS - both - both.T


def _reflected_vector(vector: Array, axis: Array) -> Array:
    v = _mirror(axis)
    return vector if v is None else vector - 2 * float(v @ vector) * v


def _tridiagonal(gram_SS: Array) -> tuple[Array, Array]:
    """Return diagonal and what stands beside it; the first axis is left where it is."""
    from scipy.linalg import lapack

    if len(gram_SS) == 1:
        return gram_SS[0].copy(), np.empty(0)
    size, _ = lapack.dsytrd_lwork(len(gram_SS), lower=1)
    _, diagonal, beside, _, _ = lapack.dsytrd(gram_SS.T, lower=1, lwork=int(size), overwrite_a=1)
    return diagonal, beside


def _eigenvalues(diagonal: Array, beside: Array) -> Array:
    """Return the eigenvalues of a tridiagonal matrix, none below 0, the largest first."""
    from scipy.linalg import lapack

    if len(diagonal) < 2:
        return np.maximum(diagonal, 0.0)
    found, failed = lapack.dsterf(diagonal, beside)
    if failed:  # pragma: no cover (LAPACK gives up on no finite matrix that is known)
        raise np.linalg.LinAlgError("eigenvalues did not converge")
    return np.maximum(found[::-1], 0.0)
