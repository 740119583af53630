"""Gradient noise scale: how large a batch may be before its gradient gets no better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import DataError
from nucleate.probes.landscape.objective import Data, Loss, Objective, count, take
from nucleate.probes.rest import at_rest

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """The simple gradient noise scale, or why there is none.

    Attributes:
        rows: ``B_simple = S / |G|²`` in rows: the batch at which noise and gradient are equal, and
            McCandlish's estimate of the critical batch size (NaN if refused).
        lo, hi: 95 % interval by bootstrap over the repetitions, in rows, wider where they used the
            same rows (`over_rows`); `hi` is infinite where no gradient can be told from the noise.
        noise: S, the trace of the covariance of one row's gradient.
        squared_norm: |G|², the squared norm of the true gradient.
        repetitions: Pairs of a large and several small batches.
        refused: Why there is no value, or None.
    """

    rows: float
    lo: float
    hi: float
    noise: float
    squared_norm: float
    repetitions: int
    refused: str | None = None

    def tokens(self, per_row: int) -> float:
        """Return the noise scale in tokens, for rows of so many."""
        return self.rows * per_row


def noise_scale(
    model: Any,
    loss: Loss,
    data: Data,
    *,
    small: int = 1,
    parts: int = 16,
    repetitions: int = 32,
    only: Callable[[str], bool] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> NoiseScale:
    """Estimate the gradient noise scale of a module at its present weights.

    Each repetition takes a batch of ``small × parts`` rows in `parts` small ones, and compares the
    squared norm of its gradient with those of the parts'. Rows are drawn without replacement until
    the data is used up, then again in another order. The module is not written to.

    Args:
        model: Any torch module, outside wrappers.
        loss: ``loss(module, batch) -> scalar``, a mean over rows.
        data: Rows, first dimension shared.
        small: Rows of a small batch.
        parts: Small batches that make up a large one, at least 2.
        repetitions: Large batches.
        only: Which parameters count, by name.
        resamples, seed: Of the bootstrap; the seed is that of the order of rows too.

    Raises:
        DataError: Less data than one large batch, or fewer than 2 parts.

    Source: McCandlish et al. 2018 (arXiv:1812.06162), appendix A.1.
    """
    if parts < 2 or small < 1 or count(data) < small * parts:
        raise DataError(
            "too few rows or parts for a large batch",
            got=f"{count(data)} rows, {parts} parts of {small}",
            expected="2 parts or more, all of them within the data",
        )
    rng = np.random.default_rng(seed)
    batches = _rows(count(data), small * parts, repetitions, rng)
    objective = Objective(model, loss, only)
    with at_rest(model):
        norms_R2 = np.array(
            [_squared_norms(objective, data, torch.from_numpy(b), parts) for b in batches]
        )
    found = from_norms(norms_R2, small, small * parts, resamples=resamples, rng=rng)
    return over_rows(found, count(data), small * parts)


def from_norms(
    norms_R2: Array, small: int, large: int, *, resamples: int, rng: np.random.Generator
) -> NoiseScale:
    """Return the noise scale from squared gradient norms.

    Numerator and denominator are averaged on their own before they are divided.

    Args:
        norms_R2: Squared gradient norms of each repetition, shape ``(R, 2)``: the mean over its
            small batches, and that of the large one.
        small, large: Rows of either.
        resamples: Of the bootstrap over repetitions.
        rng: For the bootstrap.
    """
    small_R, large_R = norms_R2.T
    squared_R = (large * large_R - small * small_R) / (large - small)
    noise_R = (small_R - large_R) / (1 / small - 1 / large)
    count_R = len(norms_R2)
    again = rng.integers(0, count_R, (resamples, count_R))
    below, above = squared_R[again].mean(1), noise_R[again].mean(1)
    ratios = np.where(below > 0, above / np.where(below > 0, below, 1), math.inf)
    lo, hi = np.quantile(ratios, (0.025, 0.975), method="nearest")
    squared, noise = float(squared_R.mean()), float(noise_R.mean())
    if not math.isfinite(squared) or squared <= 0:
        why = f"the gradient cannot be told from its noise (|G|² = {squared:.3g}): use more rows"
        return NoiseScale(math.nan, float(lo), math.inf, noise, squared, count_R, why)
    return NoiseScale(noise / squared, float(lo), float(hi), noise, squared, count_R)


def over_rows(found: NoiseScale, rows: int, large: int) -> NoiseScale:
    """Return a noise scale whose interval counts rows that several repetitions used only once.

    The bootstrap takes repetitions for independent. Where they draw more rows than there are, or
    each takes a large share of them, they agree because they share rows: the interval is widened,
    on a log scale, by the root of ``uses of a row / (1 − share of the rows in a large batch)``.

    Args:
        found: From `from_norms`.
        rows: Rows of the data.
        large: Rows of a large batch.
    """
    uses, left = max(1.0, found.repetitions * large / rows), 1 - large / rows
    if not found.rows > 0 or not found.hi > 0 or left <= 0:
        return replace(found, lo=0.0, hi=math.inf)
    factor = math.sqrt(uses / left)
    lo = found.rows * (found.lo / found.rows) ** factor if found.lo > 0 else 0.0
    return replace(found, lo=lo, hi=found.rows * (found.hi / found.rows) ** factor)


def critical_batch_of_loss(loss: float) -> float:
    """Return the critical batch size that Kaplan et al. fitted, in tokens: 2.1e8 / L^(1/0.21).

    For their models, data and tokenizer; a prior for planning, no measurement.

    Args:
        loss: Nats per token.

    Source: Kaplan et al. 2020 (arXiv:2001.08361), equation 1.4.

    >>> round(critical_batch_of_loss(1.0) / 1e8, 2)
    2.1
    """
    return float(2.1e8 / loss ** (1 / 0.21))


def _rows(rows: int, size: int, repetitions: int, rng: np.random.Generator) -> list[Array]:
    each = rows // size
    passes = -(-repetitions // each)
    orders = [rng.permutation(rows)[: each * size].reshape(each, size) for _ in range(passes)]
    return list(np.concatenate(orders)[:repetitions])


def _squared_norms(
    objective: Objective, data: Data, rows_B: torch.Tensor, parts: int
) -> tuple[float, float]:
    """Return the mean squared norm of the parts' gradients, and that of their mean."""
    leaves = objective.leaves()
    total = [torch.zeros_like(leaf) for leaf in leaves]
    single = 0.0
    for part_B in rows_B.chunk(parts):
        _, gradients = objective.gradient(leaves, take(data, part_B))
        single += _squared(gradients) / parts
        torch._foreach_add_(total, list(gradients), alpha=1 / parts)
    return single, _squared(total)


def _squared(gradients: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> float:
    return float(sum(gradient.double().square().sum() for gradient in gradients))
