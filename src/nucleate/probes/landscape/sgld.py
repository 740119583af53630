"""Chains of stochastic gradient Langevin dynamics around one point of a loss landscape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import grad_and_value, vmap

from nucleate.core import DataError
from nucleate.probes.landscape.objective import Data, Objective, count, take

# Suffixes: C chains, S steps, K batches, B rows of a batch, P parameters.


@dataclass(frozen=True, slots=True)
class SGLD:
    """Settings of the chains; to compare checkpoints, use the same ones for all of them.

    One step is ``Δw = −(ε/2)(nβ ∇L_batch(w) + γ(w − w*)) + N(0, ε)`` (Lau et al. 2023,
    arXiv:2308.12108, algorithm 1).

    Attributes:
        step_size: ε.
        nbeta: nβ, the inverse temperature times the number of samples; ``n / ln n`` if left out.
        localization: γ, the strength of the pull back to w*.
        chains: Independent chains.
        draws: Steps of each chain that count.
        burn_in: Steps of each chain before them, dropped; where the loss curves upwards a chain
            settles in at most about ``2 / (εγ)`` steps.
        batch_size: Rows of a batch.
        seed: Of batches and noise; each chain has generators of its own.
    """

    step_size: float = 1e-5
    nbeta: float | None = None
    localization: float = 3000.0
    chains: int = 4
    draws: int = 200
    burn_in: int = 100
    batch_size: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.chains, self.draws, self.batch_size)
        if min(counts) < 1 or self.burn_in < 0 or self.step_size <= 0 or self.localization < 0:
            raise DataError(
                "settings of SGLD are out of range",
                got=self,
                expected="chains, draws, batch_size ≥ 1, burn_in ≥ 0, step_size > 0, γ ≥ 0",
            )

    def temperature(self, rows: int) -> float:
        """Return nβ for data of so many rows: as set, or Watanabe's n / ln n."""
        return self.nbeta if self.nbeta is not None else rows / math.log(max(rows, 3))


@dataclass(frozen=True, slots=True)
class Walk:
    """What the chains saw.

    Attributes:
        losses_CS: Loss of the batch at each step, before the step is done; the first is at w*.
        start_CS: Loss of the same batch at w*.
    """

    losses_CS: NDArray[np.float64]
    start_CS: NDArray[np.float64]


def walk(objective: Objective, data: Data, settings: SGLD, *, batched: bool = False) -> Walk:
    """Run the chains: one forward and backward pass for each step of each chain.

    The data is cut into batches once; every chain goes through them in orders of its own. The loss
    of each batch at w* is computed beforehand, so that differences are free of the spread between
    batches.

    Args:
        objective: The loss; its point w* is where all chains begin.
        data: Rows to take batches from; those that fill no batch are left out.
        settings: Of the chains.
        batched: Whether one `vmap` advances all chains together or one goes after the other; the
            numbers are the same to rounding. Together is much faster for a module of few
            parameters, and slower for a transformer, where matrix products already fill the cores.

    Raises:
        DataError: Less data than one batch.
    """
    batches_KB = _batches(count(data), settings)
    order_CS = _orders(len(batches_KB), settings)
    start_K = _losses(objective, data, batches_KB)
    nbeta = settings.temperature(count(data))
    advance = _together if batched else _apart
    losses_CS = advance(objective, data, batches_KB[order_CS], settings, nbeta)
    return Walk(losses_CS.double().cpu().numpy(), start_K.double().cpu().numpy()[order_CS])


def _batches(rows: int, settings: SGLD) -> torch.Tensor:
    size = settings.batch_size
    if rows < size:
        raise DataError("less data than one batch", got=f"{rows} rows", expected=f"≥ {size}")
    shuffled = torch.randperm(rows, generator=torch.Generator().manual_seed(settings.seed))
    return shuffled[: rows // size * size].reshape(-1, size)


def _orders(batches: int, settings: SGLD) -> torch.Tensor:
    """Return which batch each chain takes at each step: epochs, each in a random order."""
    steps = settings.burn_in + settings.draws
    epochs = -(-steps // batches)
    rng = [np.random.default_rng((settings.seed, chain)) for chain in range(settings.chains)]
    rows = [np.concatenate([r.permutation(batches) for _ in range(epochs)])[:steps] for r in rng]
    return torch.from_numpy(np.stack(rows))


@torch.no_grad()
def _losses(objective: Objective, data: Data, batches_KB: torch.Tensor) -> torch.Tensor:
    return torch.stack([objective(objective.start, take(data, batch_B)) for batch_B in batches_KB])


class _State:
    """Where the chains are: one flat vector for each, and the parameters as views into it."""

    def __init__(self, objective: Objective, settings: SGLD, nbeta: float) -> None:
        self._half, self._pull = settings.step_size / 2, settings.localization
        self._scale, self._nbeta = math.sqrt(settings.step_size), nbeta
        self.home_P = torch.cat([tensor.flatten() for tensor in objective.start])
        self.at_CP = self.home_P.repeat(settings.chains, 1)
        self._noise_P = torch.empty_like(self.home_P)
        self._shapes = [tensor.shape for tensor in objective.start]
        self._generators = [
            torch.Generator(objective.device).manual_seed(settings.seed * 1_000_003 + chain)
            for chain in range(settings.chains)
        ]

    def views(self, vectors: torch.Tensor) -> list[torch.Tensor]:
        """Return the parameters inside some vectors, shape ``(…, P)``."""
        sizes = [shape.numel() for shape in self._shapes]
        parts = zip(torch.split(vectors, sizes, -1), self._shapes, strict=True)
        return [part.view(*part.shape[:-1], *shape) for part, shape in parts]

    @torch.no_grad()
    def step(self, views: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> None:
        """Descend, in place; `views` are of one chain or of all."""
        torch._foreach_add_(list(views), list(gradients), alpha=-self._half * self._nbeta)

    @torch.no_grad()
    def diffuse(self, chain: int) -> None:
        """Pull one chain home and shake it; to be called before its `step`."""
        at_P = self.at_CP[chain]
        at_P.lerp_(self.home_P, self._half * self._pull)
        self._noise_P.normal_(generator=self._generators[chain])
        at_P.add_(self._noise_P, alpha=self._scale)


def _apart(
    objective: Objective, data: Data, batches_CSB: torch.Tensor, settings: SGLD, nbeta: float
) -> torch.Tensor:
    state = _State(objective, settings, nbeta)
    chains, steps = batches_CSB.shape[:2]
    losses_CS = _unknown(chains, steps, objective)
    for chain in range(chains):
        leaves = [part.detach().requires_grad_() for part in state.views(state.at_CP[chain])]
        for step in range(steps):
            loss, gradients = objective.gradient(leaves, take(data, batches_CSB[chain, step]))
            losses_CS[chain, step] = loss
            state.diffuse(chain)
            state.step(leaves, gradients)
            if step % _LOOK == 0 and not loss.isfinite():
                break
    return losses_CS


def _together(
    objective: Objective, data: Data, batches_CSB: torch.Tensor, settings: SGLD, nbeta: float
) -> torch.Tensor:
    state = _State(objective, settings, nbeta)
    chains, steps = batches_CSB.shape[:2]
    losses_CS = _unknown(chains, steps, objective)
    gradient, parameters = vmap(grad_and_value(objective)), state.views(state.at_CP)
    for step in range(steps):
        gradients, losses_CS[:, step] = gradient(parameters, take(data, batches_CSB[:, step]))
        for chain in range(chains):
            state.diffuse(chain)
        state.step(parameters, gradients)
        if step % _LOOK == 0 and not losses_CS[:, step].isfinite().any():
            break
    return losses_CS


def _unknown(chains: int, steps: int, objective: Objective) -> torch.Tensor:
    return torch.full((chains, steps), math.nan, dtype=torch.float64, device=objective.device)


_LOOK = 25
"""Steps between two looks at whether a chain is still finite; a look waits for the device."""
