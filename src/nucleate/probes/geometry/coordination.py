"""Do layers change together? Spread of their onsets, similarity between them, and lags."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.runs import cross_lag
from nucleate.probes.geometry.cka import batched_cka, cka_matrix, samples_per_dimension
from nucleate.probes.geometry.on_device import Device

# Suffixes: L layers, S checkpoints, N samples, D dimensions.

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OnsetDispersion:
    """How far apart layers begin.

    Attributes:
        decades: Standard deviation over layers of log10 of the onset (NaN of fewer than 2 layers).
        onsets_L: log10 of the onset of each layer; NaN where it never rose.
        layers: Layers that rose.
    """

    decades: float
    onsets_L: tuple[float, ...]
    layers: int


@dataclass(frozen=True, slots=True)
class LayerSimilarity:
    """How alike the representations of the layers are.

    Attributes:
        mean: Mean debiased CKA over all pairs of layers.
        neighbours: Mean over neighbouring layers alone.
        samples_per_dimension: N / D; below 10 the values are noisy.
    """

    mean: float
    neighbours: float
    samples_per_dimension: float


def onset_dispersion(tokens_S: ArrayLike, values_LS: ArrayLike) -> OnsetDispersion:
    """Date the rise of a metric in every layer, and say how far the dates spread.

    The onset is where a non-decreasing fit has done half of its rise. The rise may be a fall: pass
    its negative. Exploratory: there is no published reference value.

    Args:
        tokens_S: Positions of the checkpoints, shape ``(S,)``, positive and increasing.
        values_LS: The metric, shape ``(L, S)``.
    """
    u = np.log10(np.asarray(tokens_S, dtype=np.float64))
    onsets = [_half_rise(u, row) for row in np.atleast_2d(np.asarray(values_LS, dtype=np.float64))]
    there = [onset for onset in onsets if not math.isnan(onset)]
    spread = float(np.std(there, ddof=1)) if len(there) > 1 else math.nan
    return OnsetDispersion(spread, tuple(onsets), len(there))


def layer_similarity(
    layers_LND: ArrayLike, *, batch: int = 0, device: Device = None
) -> LayerSimilarity:
    """Return the mean similarity between layers at one checkpoint.

    Args:
        layers_LND: Residual streams, shape ``(L, N, D)``, at least 2 layers.
        batch: Samples of a batch (`batched_cka`); 0 compares all with all (`cka_matrix`).
        device: Where batches are compared; the processor if left out.
    """
    layers = np.asarray(layers_LND)
    matrix = batched_cka(layers, batch=batch, device=device) if batch else cka_matrix(layers)
    above = matrix[~np.tri(len(matrix), dtype=np.bool_)]
    return LayerSimilarity(
        float(above.mean()), float(np.diag(matrix, 1).mean()), samples_per_dimension(layers[0])
    )


def layer_lags(
    tokens_S: ArrayLike, values_LS: ArrayLike, *, num_bootstrap: int = 50, seed: int = 0
) -> Array:
    """Return by how many decades each layer follows each other one, shape ``(L, L)``.

    Entry ``[a, b]`` is the lag of maximal cross-correlation by which layer b follows layer a; NaN
    where the two curves do not allow one (`nucleate.detect.runs.cross_lag` says why).

    Args:
        tokens_S: Positions of the checkpoints, shape ``(S,)``, at least 12.
        values_LS: The metric, shape ``(L, S)``.
        num_bootstrap, seed: See `cross_lag`.
    """
    rows = np.asarray(values_LS, dtype=np.float64)
    lags = np.zeros((len(rows), len(rows)))
    for a in range(len(rows)):
        for b in range(a + 1, len(rows)):
            found = cross_lag(
                (tokens_S, rows[a]), (tokens_S, rows[b]), num_bootstrap=num_bootstrap, seed=seed
            )
            lags[a, b], lags[b, a] = found.lag, -found.lag
    return lags


def _half_rise(u: Array, values: Array) -> float:
    from scipy.optimize import isotonic_regression

    good = np.isfinite(values)
    if good.sum() < 3:
        return math.nan
    x, fit = u[good], np.asarray(isotonic_regression(values[good]).x)
    span = float(fit[-1] - fit[0])
    if span <= 1e-9 * max(1e-300, float(np.abs(fit).max())):
        return math.nan
    level = fit[0] + span / 2
    after = int(np.argmax(fit >= level))
    share = (level - fit[after - 1]) / (fit[after] - fit[after - 1])
    return float(x[after - 1] + share * (x[after] - x[after - 1]))
