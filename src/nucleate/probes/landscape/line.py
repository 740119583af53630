"""Loss along the straight line between two checkpoints: is there a barrier between them?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import CheckpointError, DataError
from nucleate.probes.landscape.objective import Data, Loss, Objective
from nucleate.probes.rest import at_rest

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """The loss between two checkpoints.

    Attributes:
        at_A: Where on the line, 0 at the first checkpoint and 1 at the second.
        losses_A: Mean loss there.
        barrier: Largest height above the straight line between the losses at both ends, 0 if the
            loss never rises above it; in units of the loss.
        se: Standard error of that height over batches (NaN of one batch).
        peak: Where the barrier stands.
    """

    at_A: Array
    losses_A: Array
    barrier: float
    se: float
    peak: float


def loss_on_line(
    first: Any, second: Any, loss: Loss, batches: Iterable[Data], *, points: int = 11
) -> Line:
    """Measure the loss along ``(1 − a) first + a second``; neither module is written to.

    All floating-point parameters move; buffers stay those of the first.

    Args:
        first: The earlier checkpoint, any torch module.
        second: The later one, with the same parameters by name and shape.
        loss: ``loss(module, batch) -> scalar``.
        batches: Batches of equal size; every point sees all of them.
        points: Points on the line, both ends included.

    Raises:
        CheckpointError: The two differ in names or shapes of parameters.
        DataError: No batch, or fewer than 3 points.

    Source: Frankle et al. 2020 (arXiv:1912.05671); height above the line between the ends as in
    Entezari et al. 2022 (arXiv:2110.06296), equation 1.
    """
    kept = list(batches)
    if not kept or points < 3:
        raise DataError(
            "a line needs 1 batch and 3 points", got=f"{len(kept)} batches, {points} points"
        )
    objective = Objective(first, loss)
    end = _matching(objective, second)
    at_A = np.linspace(0, 1, points)
    with at_rest(first), torch.no_grad():
        rows = []
        for a in at_A:
            here = torch._foreach_lerp(list(objective.start), end, float(a))
            rows.append([float(objective(here, batch)) for batch in kept])
    losses_AK = np.array(rows)
    above_AK = losses_AK - np.outer(1 - at_A, losses_AK[0]) - np.outer(at_A, losses_AK[-1])
    top = int(above_AK.mean(1).argmax())
    batches_K = above_AK[top]
    se = batches_K.std(ddof=1) / math.sqrt(len(kept)) if len(kept) > 1 else math.nan
    barrier = max(float(batches_K.mean()), 0.0)
    return Line(at_A, losses_AK.mean(1), barrier, float(se), float(at_A[top]))


def _matching(objective: Objective, second: Any) -> list[torch.Tensor]:
    """Return the second module's parameters in the first one's order."""
    theirs = {name: tensor.detach() for name, tensor in second.named_parameters()}
    for name, ours in zip(objective.names, objective.start, strict=True):
        if name not in theirs or theirs[name].shape != ours.shape:
            shape = tuple(theirs[name].shape) if name in theirs else "nothing"
            raise CheckpointError(
                "two checkpoints on one line must have the same parameters",
                where=name,
                got=shape,
                expected=str(tuple(ours.shape)),
            )
    return [
        theirs[name].to(device=ours.device, dtype=ours.dtype)
        for name, ours in zip(objective.names, objective.start, strict=True)
    ]
