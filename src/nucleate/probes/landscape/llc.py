"""Local learning coefficient: how degenerate the loss is around the weights, by SGLD chains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.probes.landscape.objective import Data, Loss, Objective, count
from nucleate.probes.landscape.sgld import SGLD, Walk, walk
from nucleate.probes.rest import at_rest

# Suffixes: C chains, S steps (burn-in and draws), D draws.

Array = NDArray[np.float64]

FEW_PARAMETERS = 10_000
"""Up to here chains are advanced together."""


@dataclass(frozen=True, slots=True, eq=False)
class LearningCoefficient:
    """An estimate of the local learning coefficient λ, or why there is none.

    Attributes:
        llc: λ̂, the mean over the chains that were not refused (NaN if refused).
        se: Standard error between chains; of a single chain, within it by batch means.
        chains: λ̂ of each chain; NaN where the chain was refused.
        rhat: Split R-hat over the chains that were not refused; above 1.1 they disagree, or drift.
        trace_CS: ``nβ (L_batch(w) − L_batch(w*))`` at every step, burn-in included; its mean over
            the draws is λ̂.
        burn_in: Steps at the beginning of the trace that do not count.
        loss: Mean loss at w*.
        nbeta: nβ that was used.
        reasons: Why each chain was refused, or None.
        refused: Why there is no estimate, or None.
        means: Means that `se` is taken from, chains or stretches of a single one: an interval has
            one degree of freedom less; 0 if refused.
    """

    llc: float
    se: float
    chains: tuple[float, ...]
    rhat: float
    trace_CS: Array
    burn_in: int
    loss: float
    nbeta: float
    reasons: tuple[str | None, ...]
    refused: str | None = None
    means: int = 0


def llc(
    model: Any,
    loss: Loss,
    data: Data,
    settings: SGLD | None = None,
    *,
    only: Callable[[str], bool] | None = None,
    ceiling: float = math.inf,
    batched: bool | None = None,
) -> LearningCoefficient:
    """Estimate the local learning coefficient of a module at its present weights.

    ``λ̂ = nβ (E[L(w)] − L(w*))`` over a tempered posterior around w*. Values compare between
    checkpoints only under the same data and settings; they depend on step size and localisation,
    so the trace should be looked at once for each kind of model.

    The module is not written to: weights, buffers, gradients, mode and random states stay.

    Args:
        model: Any torch module, outside wrappers.
        loss: ``loss(module, batch) -> scalar``, a mean over rows; of a causal `transformers` model
            `token_loss`.
        data: Rows, first dimension shared; see `objective.Data`.
        settings: Of the chains.
        only: Which parameters vary, by name, for the coefficient of a part of the model.
        ceiling: Loss of a model that knows nothing (``ln V`` of a language model); a chain that
            gets there has left the neighbourhood of w*.
        batched: See `sgld.walk`; by default for modules of up to `FEW_PARAMETERS`.

    Raises:
        DataError: Less data than one batch, or nothing to vary.

    Source: Lau et al. 2023 (arXiv:2308.12108); Hoogland et al. 2024 (arXiv:2402.02364).
    """
    settings = settings or SGLD()
    objective = Objective(model, loss, only)
    together = objective.size <= FEW_PARAMETERS if batched is None else batched
    with at_rest(model, fused=not together):
        seen = walk(objective, data, settings, batched=together)
    return _judged(seen, settings, settings.temperature(count(data)), objective.size, ceiling)


def split_rhat(draws_CD: Array) -> float:
    """Return R-hat over half-chains: spread between them against spread within (NaN below 4 draws).

    Source: Gelman et al. 2013, Bayesian Data Analysis, 3rd edition, section 11.4.

    >>> split_rhat(np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])) < 1
    True
    """
    half = draws_CD.shape[1] // 2
    if half < 2 or not draws_CD.size:
        return math.nan
    halves = np.concatenate([draws_CD[:, :half], draws_CD[:, -half:]])
    within = float(halves.var(axis=1, ddof=1).mean())
    between = float(half * halves.mean(axis=1).var(ddof=1))
    return math.sqrt((half - 1) / half + between / half / within) if within > 0 else math.nan


def _judged(
    seen: Walk, settings: SGLD, nbeta: float, size: int, ceiling: float
) -> LearningCoefficient:
    with np.errstate(over="ignore", invalid="ignore"):  # of a chain that diverged
        trace_CS = nbeta * (seen.losses_CS - seen.start_CS)
        reasons = tuple(
            _chain_refusal(trace_S, losses_S, settings.burn_in, size, ceiling)
            for trace_S, losses_S in zip(trace_CS, seen.losses_CS, strict=True)
        )
        loss = float(seen.start_CS.mean())
        return _summary(trace_CS, reasons, settings.burn_in, loss, nbeta)


def _summary(
    trace_CS: Array, reasons: tuple[str | None, ...], burn_in: int, loss: float, nbeta: float
) -> LearningCoefficient:
    kept = np.array([reason is None for reason in reasons])
    draws_CD = trace_CS[:, burn_in:]
    chains = np.where(kept, draws_CD.mean(axis=1), math.nan)
    good = chains[kept]
    value = float(good.mean()) if len(good) else math.nan
    refused = _refusal(value, reasons)
    if refused is not None:
        value = se = math.nan
        means = 0
    elif len(good) > 1:
        se, means = float(good.std(ddof=1) / math.sqrt(len(good))), len(good)
    else:
        se, means = _batch_means_se(draws_CD[kept][0]), math.isqrt(draws_CD.shape[1])
    return LearningCoefficient(
        llc=value,
        se=se,
        chains=tuple(chains.tolist()),
        rhat=split_rhat(draws_CD[kept]),
        trace_CS=trace_CS,
        burn_in=burn_in,
        loss=loss,
        nbeta=nbeta,
        reasons=reasons,
        refused=refused,
        means=means,
    )


def _refusal(value: float, reasons: tuple[str | None, ...]) -> str | None:
    bad = [reason for reason in reasons if reason is not None]
    if 2 * len(bad) > len(reasons):
        return f"{len(bad)} of {len(reasons)} chains refused, the first because {bad[0]}"
    if value <= 0:
        return f"the estimate is {value:.3g}, and no learning coefficient is below 0"
    return None


def _chain_refusal(
    trace_S: Array, losses_S: Array, burn_in: int, size: int, ceiling: float
) -> str | None:
    """Say why a chain is no sample around w*, or None; λ is at most half the number of parameters.

    A chain whose value is below 0 by no more than its own noise is kept: to drop it would bias the
    mean upwards.
    """
    wild = np.flatnonzero(~np.isfinite(trace_S))
    if len(wild):
        return f"its loss is not finite at step {wild[0]}: use a smaller step size"
    draws_D = trace_S[burn_in:]
    value, se = float(draws_D.mean()), _batch_means_se(draws_D)
    own = losses_S[burn_in:]
    reached = max(float(own.mean()), float(own[-max(1, len(own) // 4) :].mean()))
    if reached >= ceiling:
        return f"its loss is {reached:.3g}, no better than that of a model that knows nothing"
    noise = min(se, size) if math.isfinite(se) else 0.0  # a wild chain is sure of nothing
    if value - 3 * noise > size:
        return f"its value {value:.3g} is above twice the largest possible, {size / 2:g}"
    if value + 2 * se < 0:
        return f"its value {value:.3g} is below 0: the weights are no minimum of this loss"
    first, second = np.array_split(draws_D, 4)[0].mean(), np.array_split(draws_D, 4)[-1].mean()
    if second > _CLIMB * max(first, 0) and second - max(first, 0) > _CLIMB * max(se, 0):
        return f"its excess loss grew from {first:.3g} to {second:.3g}: no plateau"
    return None


_CLIMB = 5
"""Ratio of last to first quarter of the draws, and multiple of the SE, that no plateau shows."""


def _batch_means_se(draws_D: Array) -> float:
    """Standard error of the mean of one chain, from the means of √D stretches of it."""
    stretches = math.isqrt(len(draws_D))
    if stretches < 2:
        return math.nan
    means = np.array([part.mean() for part in np.array_split(draws_D, stretches)])
    return float(means.std(ddof=1) / math.sqrt(stretches))
