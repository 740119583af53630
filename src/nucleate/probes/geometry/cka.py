"""Centred kernel alignment of two representations: debiased, and the biased one beside it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError
from nucleate.probes.geometry.on_device import Device, kernel_products

# Suffixes: N samples, D and E dimensions of either representation, L layers, K batches,
# B samples of a batch.

Array = NDArray[np.float64]

MIN_SAMPLES = 4
"""The unbiased estimator of HSIC divides by N − 3."""


def cka(x_ND: ArrayLike, y_NE: ArrayLike) -> float:
    """Return linear CKA with the unbiased HSIC: 0 in expectation for independent representations.

    It does not change when a representation is rotated, scaled or shifted. It may be slightly
    negative. Use ten samples for each dimension where possible (`samples_per_dimension`).

    Args:
        x_ND, y_NE: Representations of the same samples, shapes ``(N, D)`` and ``(N, E)``.

    Raises:
        DataError: Fewer than 4 samples, or different numbers of them.

    Source: Kornblith et al. 2019 (arXiv:1905.00414); unbiased HSIC of Song et al. 2012, equation
    5, in Nguyen et al. 2021 (arXiv:2010.15327); Murphy et al. 2024 (arXiv:2405.01012).
    """
    x, y = _pair(x_ND, y_NE)
    return _ratio(_unbiased(x, y), _unbiased(x, x), _unbiased(y, y))


def biased_cka(x_ND: ArrayLike, y_NE: ArrayLike) -> float:
    """Return linear CKA with the plain HSIC, as first published; near 1 if D is large against N.

    Arguments and errors as for `cka`.

    Source: Kornblith et al. 2019 (arXiv:1905.00414), equation 6.
    """
    x, y = _pair(x_ND, y_NE)
    return _ratio(_cross(x, y), _cross(x, x), _cross(y, y))


def cka_matrix(layers_LND: ArrayLike) -> Array:
    """Return debiased CKA between every two layers, shape ``(L, L)``."""
    layers = np.asarray(layers_LND, dtype=np.float64)
    size = len(layers)
    out = np.eye(size)
    for one in range(size):
        for other in range(one):
            out[one, other] = out[other, one] = cka(layers[one], layers[other])
    return out


def batched_cka(
    layers_LND: ArrayLike, *, batch: int = 128, seed: int = 0, device: Device = None
) -> Array:
    """Return debiased CKA between every two layers from batches of samples, shape ``(L, L)``.

    Each unbiased HSIC is averaged over batches of samples, which leaves it unbiased, before the
    ratio is taken: every sample counts, but only pairs within a batch, so that the price is
    ``N · batch · D`` for each layer instead of ``N · D²`` for each pair of layers. One batch of all
    samples gives `cka_matrix`. Products are in float32, about 1e-6 away.

    Args:
        layers_LND: Representations of the same samples, shape ``(L, N, D)``, N ≥ 4.
        batch: Samples of a batch, at least 4; the batches are of one size, and up to ``N / batch``
            samples are left out of them.
        seed: Of the order in which samples are dealt.
        device: Where to compute, in float64; the processor if left out.

    Source: Nguyen et al. 2021 (arXiv:2010.15327), equation 4.
    """
    layers = np.asarray(layers_LND, dtype=np.float32)
    size, samples = layers.shape[:2]
    if min(samples, batch) < MIN_SAMPLES:
        raise DataError("too few samples for CKA", got=min(samples, batch), expected="≥ 4")
    batches = max(1, round(samples / batch))
    n = samples // batches
    order_KB = _order(samples, batches, seed)
    if device is None:
        both, rows = _kernels(layers, order_KB)
    else:
        both, rows = kernel_products(np.stack([_dealt(x, order_KB) for x in layers]), device)
    sums = rows.reshape(size, batches, n).sum(-1)
    hsic = both + sums @ sums.T / ((n - 1) * (n - 2)) - 2 / (n - 2) * (rows @ rows.T)
    own = np.where(np.diag(hsic) > 0, np.diag(hsic), math.nan)
    out: Array = hsic / np.sqrt(np.outer(own, own))
    np.fill_diagonal(out, 1.0)
    return out


@lru_cache(maxsize=4)
def _order(samples: int, batches: int, seed: int) -> NDArray[np.int64]:
    """Return the samples of each batch, the same at every checkpoint, shape ``(K, B)``."""
    each = samples // batches
    order = np.random.default_rng(seed).permutation(samples)
    return order[: each * batches].reshape(batches, each)


def _dealt(x_ND: NDArray[np.float32], order_KB: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return batches of samples, each centred, shape ``(K, B, D)``."""
    out_KBD = x_ND.take(order_KB, 0)
    samples = order_KB.shape[1]
    out_KBD -= (np.full(samples, 1 / samples, np.float32) @ out_KBD)[:, None]
    return out_KBD


def _kernels(layers_LND: NDArray[np.float32], order_KB: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return what `kernel_products` returns; a layer is read once, while it is at hand."""
    batches, samples = order_KB.shape
    kernels = np.empty((len(layers_LND), batches, samples, samples), np.float32)
    for x_ND, out in zip(layers_LND, kernels, strict=True):
        dealt_KBD = _dealt(x_ND, order_KB)
        np.matmul(dealt_KBD, dealt_KBD.swapaxes(-1, -2), out=out)
    # Of centred samples whole rows sum up to 0.
    own_LKB = kernels.reshape(len(kernels), batches, -1)[..., :: samples + 1]
    rows = -own_LKB.reshape(len(kernels), -1).astype(np.float64)
    own_LKB[:] = 0
    flat = kernels.reshape(len(kernels), -1)
    return (flat @ flat.T).astype(np.float64), rows


def samples_per_dimension(x_ND: ArrayLike) -> float:
    """Return N / D; below 10, say so beside any similarity.

    >>> samples_per_dimension(np.zeros((640, 64)))
    10.0
    """
    samples, dimensions = np.asarray(x_ND).shape
    return float(samples / dimensions)


def _unbiased(x: Array, y: Array) -> float:
    """HSIC₁ up to its constant: `x`, `y` centred; kernels x xᵀ, y yᵀ with zeroed diagonals."""
    n = len(x)
    own_x, own_y = (x * x).sum(1), (y * y).sum(1)
    rows_x, rows_y = -own_x, -own_y  # row sums without the diagonal; centred, so the rest is 0
    both = _cross(x, y) - float(own_x @ own_y)
    sums = float(rows_x.sum() * rows_y.sum()) / ((n - 1) * (n - 2))
    return both + sums - 2 / (n - 2) * float(rows_x @ rows_y)


def _cross(x: Array, y: Array) -> float:
    """Return ``‖xᵀy‖²``, from whichever product is the smaller."""
    if len(x) < max(x.shape[1], y.shape[1]):
        return float(((x @ x.T) * (y @ y.T)).sum())
    return float(((x.T @ y) ** 2).sum())


def _ratio(both: float, one: float, other: float) -> float:
    return both / math.sqrt(one * other) if one > 0 and other > 0 else math.nan


def _pair(x_ND: ArrayLike, y_NE: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(x_ND, dtype=np.float64), np.asarray(y_NE, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) < MIN_SAMPLES:
        raise DataError(
            "CKA compares two representations of the same samples",
            got=f"shapes {x.shape} and {y.shape}",
            expected="(N, D) and (N, E) with N ≥ 4",
        )
    return x - x.mean(0), y - y.mean(0)
