"""How many dimensions a representation fills: RankMe, effective rank, decay of the spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError

# Suffixes: N samples, D dimensions, R ranks.

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """A power law fitted to the eigenvalues of a covariance.

    Attributes:
        alpha: Minus the slope of log eigenvalue on log rank.
        r2: Share of the variance of the log eigenvalues that the line explains.
        first, last: Ranks that were fitted, both included, the largest eigenvalue being 1.
    """

    alpha: float
    r2: float
    first: int
    last: int


def rankme(x_ND: ArrayLike, *, eps: float = 1e-7) -> float:
    """Return RankMe: exp of the entropy of the singular values, the samples not centred.

    ``p_i = σ_i / Σσ + ε``. The direction of the mean counts as any other.

    Args:
        x_ND: Representations, shape ``(N, D)``.
        eps: ε.

    Source: Garrido et al. 2023 (arXiv:2210.02885), equations 1 and 2.

    >>> round(rankme(np.eye(8)), 3)
    8.0
    """
    singular = np.asarray(np.linalg.svd(matrix(x_ND), compute_uv=False), dtype=np.float64)
    return exp_entropy(singular, eps)


def effective_rank(x_ND: ArrayLike) -> float:
    """Return exp of the entropy of the covariance's eigenvalues, the samples centred.

    Smaller than `rankme` of the same spectrum, since eigenvalues are squares of singular values.

    Args:
        x_ND: Representations, shape ``(N, D)``.

    Source: Roy and Vetterli 2007; on eigenvalues as in Li et al. 2025 (arXiv:2509.23024).

    >>> round(effective_rank(np.vstack([np.eye(8), -np.eye(8)]) + 5), 3)
    8.0
    """
    return exp_entropy(eigenvalues(x_ND), 0.0)


def alpha_req(x_ND: ArrayLike, *, first: int = 4, last: int = 32) -> PowerLaw:
    """Fit a power law to the eigenvalues of the covariance within a window of ranks.

    The fit is biased where samples are few; between checkpoints only values of the same N and
    window compare.

    Args:
        x_ND: Representations, shape ``(N, D)``.
        first, last: Ranks to fit, both included.

    Raises:
        DataError: The window is no part of the spectrum, or eigenvalues in it are zero.

    Source: Agrawal et al. 2022, α-ReQ (NeurIPS 35).
    """
    return power_law(eigenvalues(x_ND), first=first, last=last)


def power_law(spectrum_R: Array, *, first: int = 4, last: int = 32) -> PowerLaw:
    """Fit a power law to eigenvalues, the largest first; see `alpha_req`."""
    spectrum = spectrum_R
    window = spectrum[max(first - 1, 0) : last]
    if not 1 <= first < last <= len(spectrum) or not window.min() > _ZERO * spectrum[0]:
        raise DataError(
            "the window of ranks does not fit the spectrum",
            got=f"ranks {first} to {last}",
            expected=f"within {int((spectrum > _ZERO * spectrum[0]).sum())} nonzero eigenvalues",
        )
    x, y = _log_ranks(first, last), np.log(window)
    y -= y.sum() / len(y)
    slope, spread = float(x @ y / (x @ x)), float(y @ y)
    left = float(((y - slope * x) ** 2).sum())
    return PowerLaw(-slope, 1 - left / spread if spread > 0 else math.nan, first, last)


@lru_cache(maxsize=4)
def _log_ranks(first: int, last: int) -> Array:
    ranks = np.log(np.arange(first, last + 1))
    less: Array = ranks - ranks.mean()
    return less


def eigenvalues(x_ND: ArrayLike) -> Array:
    """Return the eigenvalues of the covariance, the largest first, shape ``(min(N, D),)``."""
    x = matrix(x_ND)
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    found: Array = singular**2 / max(len(x) - 1, 1)
    return found


_ZERO = 1e-12


def exp_entropy(values: Array, eps: float = 0.0) -> float:
    """Return exp of the entropy of non-negative values as shares of their sum; NaN of zeros.

    Args:
        values: Singular values or eigenvalues, any shape.
        eps: Added to every share.
    """
    total = float(values.sum())
    if not total > 0:
        return math.nan
    share = values / total + eps
    share = share[share > 0]
    return float(np.exp(-(share * np.log(share)).sum()))


def matrix(x_ND: ArrayLike) -> Array:
    """Return representations in float64.

    Raises:
        DataError: They are no matrix of two samples or more, or not finite.
    """
    x = np.asarray(x_ND, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
        raise DataError("no representations", got=f"shape {x.shape}", expected="(N, D), all finite")
    return x
