"""Both spectra of a cloud of points, with and without its mean, from one tridiagonal matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError
from nucleate.probes.geometry.distinct import distinct
from nucleate.probes.geometry.on_device import Device, squared_singular

# Suffixes: N samples, D dimensions, S the smaller of the two, R ranks.

Array = NDArray[np.float64]

Centred = tuple[NDArray[Any], Array]
"""Points less their mean, and the mean."""

PRECISE = 4e-4
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


def spectra(
    x_ND: ArrayLike,
    count_N: NDArray[np.int64] | None = None,
    *,
    clear: int = 32,
    near: Centred | None = None,
    device: Device = None,
) -> Spectra:
    """Return both spectra at less than the price of one decomposition.

    The mean adds one direction to the centred Gram matrix (of features or of samples, whichever is
    the smaller). Householder's reduction to tridiagonal form keeps the last axis: where the basis
    ends with that direction, the two matrices differ in one corner (of samples: in one row),
    and a single reduction serves both. Equal samples are one of their common weight, which leaves
    the spectra as they are but for zeros, and those need no computing.

    A Gram matrix squares, so small singular values drown first. Representations in float32 are
    reduced in float32 where rounding moves the sum of the centred singular values by less than
    `PRECISE`, by an estimate (`_moved`) that supposes errors of one sign; all others in float64,
    where values below about 1e-8 of the largest are not told from 0.

    Args:
        x_ND: Representations, shape ``(N, D)``.
        count_N: How many samples each of them stands for (`distinct`); counted here if left out.
        clear: How many of the largest eigenvalues must stand clear of rounding for float32: the
            last rank that a power law is fitted to.
        near: What `centred` says of the samples, whose points are overwritten; computed if left
            out.
        device: Where to compute, then in float64 (`on_device`); the processor if left out.

    Raises:
        DataError: Fewer than two samples, or not all are finite.

    Source: Golub and Van Loan, section 8.3.
    """
    x = np.asarray(x_ND)
    if x.ndim != 2 or (near is None and not np.isfinite(x).all()):
        raise _none(x.shape)
    if count_N is None:
        kept_N, count_N = distinct(x)
        x = x if len(kept_N) == len(x) else x[kept_N]
    samples = int(count_N.sum())
    if samples < 2:
        raise _none(x.shape)
    found, single = None, False
    if device is not None:
        found, single = squared_singular(x, count_N, device), True
    elif x.dtype == np.float32:
        found = _reduced(near or centred(x, count_N), count_N)
        single = _enough(found[0], clear)
    if found is None or not single:
        found = _reduced(centred(x.astype(np.float64), count_N), count_N)
    size = min(samples, x.shape[1])
    eigenvalues, singular = np.zeros(size), np.zeros(size)
    eigenvalues[: len(found[0])] = found[0] / (samples - 1)
    singular[: len(found[1])] = np.sqrt(found[1])
    return Spectra(eigenvalues, singular, single and device is None)


def _none(shape: tuple[int, ...]) -> DataError:
    return DataError("no representations", got=f"shape {shape}", expected="(N, D), all finite")


def centred(x_ND: NDArray[Any], count_N: NDArray[np.int64]) -> Centred:
    """Return points less the mean of the samples, in their own precision, and the mean in float64.

    Args:
        x_ND: Points, all finite.
        count_N: How many samples each of them stands for.
    """
    share_N = (count_N / count_N.sum()).astype(x_ND.dtype)
    near = share_N @ x_ND
    less_ND = x_ND - near
    rest = share_N @ less_ND  # what rounding has left of the mean
    less_ND -= rest
    return less_ND, near.astype(np.float64) + rest


def _enough(squares: Array, clear: int) -> bool:
    """Whether squared singular values lie clear of what float32 adds to them or takes away."""
    if not squares[:clear][-1] > 16 * _EPS * squares[0]:  # a dimension that nothing fills
        return False
    return _moved(squares) < PRECISE * float(np.sqrt(squares).sum())


def _moved(squares: Array) -> float:
    """Return how far float32 moves the sum of singular values, if all errors had one sign.

    An eigenvalue is taken to move by what rounding adds to their mean and to their norm, spread
    over all axes. The factors are such that no more than .6 of the estimate was seen over clouds
    of many shapes and spectra.
    """
    size = len(squares)
    error = _EPS * (
        12 * float(squares.sum()) / size + 2 * math.sqrt(float(squares @ squares) / size)
    )
    roots = np.sqrt(np.maximum(squares, error))
    return float(np.minimum(error / (2 * roots), math.sqrt(error)).sum())


_EPS = float(np.finfo(np.float32).eps)


def _reduced(near: Centred, count_N: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return squared singular values without and with the mean; overwrites the points."""
    (less_ND, mean), samples = near, int(count_N.sum())
    if len(less_ND) < samples:
        often_N = count_N > 1
        less_ND[often_N] *= np.sqrt(count_N[often_N])[:, None].astype(less_ND.dtype)
    if len(less_ND) > less_ND.shape[1]:
        diagonal, beside = _tridiagonal(_turned(less_ND.T, mean))
        without = _eigenvalues(diagonal, beside)
        diagonal[-1] += samples * float(
            mean @ mean
        )  # a corner, however large, leaves the rest its precision
        return without, _eigenvalues(diagonal, beside)
    turned = _turned(less_ND, np.sqrt(count_N))  # the axis that centring removes
    turned[-1] = math.sqrt(samples) * mean
    diagonal, beside = _tridiagonal(turned)
    without = _eigenvalues(diagonal[:-1], beside[:-1])
    return without, _eigenvalues(diagonal, beside)


def _turned(x_SK: NDArray[Any], axis_S: Array) -> NDArray[Any]:
    """Reflect columns so that a direction comes to lie along the last axis; overwrites them.

    One update of rank 1 in place: neither order of memory is copied.
    """
    from scipy.linalg import blas

    if not axis_S.any():
        return x_SK
    v = axis_S / np.linalg.norm(axis_S)
    v[-1] += 1.0 if v[-1] >= 0 else -1.0  # away from cancellation; the sign of the axis is free
    v = (v / np.linalg.norm(v)).astype(x_SK.dtype)
    update = blas.sger if x_SK.dtype == np.float32 else blas.dger
    if x_SK.flags.f_contiguous:
        return update(-2.0, v, v @ x_SK, a=x_SK, overwrite_a=1)
    return update(-2.0, v @ x_SK, v, a=x_SK.T, overwrite_a=1).T


def _tridiagonal(x_SK: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return diagonal and what stands beside it of ``x xᵀ``; the last axis stays where it is.

    Only the upper triangle of the product is formed and read: LAPACK reduces it in seven eighths
    of the time that the lower one takes.
    """
    from scipy.linalg import blas, lapack

    single = x_SK.dtype == np.float32
    product, reduce = (blas.ssyrk, lapack.ssytrd) if single else (blas.dsyrk, lapack.dsytrd)
    across = x_SK.flags.f_contiguous
    gram_SS = product(1.0, x_SK if across else x_SK.T, trans=not across)
    size = len(gram_SS)
    if size == 1:
        return gram_SS[0], gram_SS[0, :0]
    _, diagonal, beside, _, _ = reduce(gram_SS, lwork=_PANEL * size, overwrite_a=1)
    return diagonal, beside


_PANEL = 8
"""Columns that the reduction takes at a time: its optimum, 32, is that of larger matrices."""


def _eigenvalues(diagonal: NDArray[Any], beside: NDArray[Any]) -> Array:
    """Return the eigenvalues of a tridiagonal matrix, none below 0, the largest first.

    They are found in the precision of the diagonal.
    """
    from scipy.linalg import lapack

    if len(diagonal) < 2:
        return np.maximum(diagonal.astype(np.float64), 0.0)
    solve = lapack.ssterf if diagonal.dtype == np.float32 else lapack.dsterf
    found, failed = solve(diagonal, beside)
    if failed:  # pragma: no cover (no finite matrix is known that it gives up on)
        raise np.linalg.LinAlgError("eigenvalues did not converge")
    out: Array = np.maximum(found[::-1].astype(np.float64), 0.0)
    return out
