"""How far directions and subspaces have turned against those of a reference checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError

# Suffixes: N samples, D dimensions, K directions or classes.

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Turned:
    """How much of some directions is left at another checkpoint.

    Attributes:
        similarity: 1 if nothing has turned, `chance` if there is no relation.
        chance: Expected similarity of random directions in as many dimensions.
    """

    similarity: float
    chance: float


def subspace_similarity(x_ND: ArrayLike, reference_ND: ArrayLike, *, rank: int = 8) -> Turned:
    """Compare the subspaces that hold the most variance, by the angles between them.

    The similarity is the mean squared cosine of the principal angles.

    Args:
        x_ND, reference_ND: Representations at two checkpoints of one run, shapes ``(N, D)`` and
            ``(M, D)``, in the same basis: that of the residual stream.
        rank: Principal components of either.

    Raises:
        DataError: Different widths, or fewer dimensions than components.

    Source: Golub and Van Loan, section 6.4.3.
    """
    one, other = _principal(x_ND, rank), _principal(reference_ND, rank)
    if one.shape != other.shape:
        raise DataError("two widths", got=f"{one.shape[1]} and {other.shape[1]}")
    return Turned(float(((one @ other.T) ** 2).sum() / rank), rank / one.shape[1])


def direction_similarity(directions_KD: ArrayLike, reference_KD: ArrayLike) -> Turned:
    """Return the mean absolute cosine between directions and their counterparts.

    Args:
        directions_KD, reference_KD: Directions of the same features, shape ``(K, D)``, none zero.

    Raises:
        DataError: Different shapes.

    Source: angles of feature directions as in Ge et al. 2025 (arXiv:2509.17196).
    """
    one, other = _unit(directions_KD), _unit(reference_KD)
    if one.shape != other.shape:
        raise DataError("directions have no counterparts", got=f"{one.shape} and {other.shape}")
    width = one.shape[1]
    # E|cos| of random directions, from the mean of a beta distribution.
    chance = math.exp(math.lgamma(width / 2) - math.lgamma((width + 1) / 2)) / math.sqrt(math.pi)
    return Turned(float(np.abs((one * other).sum(1)).mean()), chance)


def class_directions(x_ND: ArrayLike, labels_N: ArrayLike) -> Array:
    """Return the direction of each class: from the mean of all other samples to its own mean.

    Args:
        x_ND: Representations, shape ``(N, D)``.
        labels_N: Class of each, shape ``(N,)``, at least two classes.

    Returns:
        Unit vectors in the order of the sorted classes, shape ``(K, D)``.
    """
    x, labels = np.asarray(x_ND, dtype=np.float64), np.asarray(labels_N)
    classes = np.unique(labels)
    if len(classes) < 2:
        raise DataError("directions of classes need two classes", got=len(classes))
    found = [x[labels == c].mean(0) - x[labels != c].mean(0) for c in classes]
    return _unit(found)


def _principal(x_ND: ArrayLike, rank: int) -> Array:
    x = np.asarray(x_ND, dtype=np.float64)
    if rank < 1 or min(x.shape[0] - 1, x.shape[1]) < rank:
        raise DataError("fewer dimensions than components", got=f"shape {x.shape}, rank {rank}")
    _, _, axes = np.linalg.svd(x - x.mean(0), full_matrices=False)
    found: Array = axes[:rank]
    return found


def _unit(vectors: ArrayLike) -> Array:
    rows = np.asarray(vectors, dtype=np.float64)
    found: Array = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found
