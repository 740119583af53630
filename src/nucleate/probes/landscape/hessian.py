"""Curvature of the loss: trace of the Hessian by Hutchinson, its largest eigenvalue by Lanczos."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import DataError
from nucleate.probes.landscape.objective import Data, Loss, Objective
from nucleate.probes.rest import at_rest

Vectors = tuple[torch.Tensor, ...]
Product = Callable[[Vectors], Vectors]


@dataclass(frozen=True, slots=True)
class HessianTrace:
    """Trace of the Hessian.

    Attributes:
        trace: Mean of ``vᵀHv`` over the probes, in units of the loss.
        se: Its standard error.
        probes: Number of probes.
    """

    trace: float
    se: float
    probes: int


@dataclass(frozen=True, slots=True)
class TopEigenvalue:
    """The eigenvalue of the Hessian that is largest in absolute value.

    Attributes:
        value: Ritz value.
        residual: ``‖Hx − value·x‖`` of its unit vector; some eigenvalue is within it.
        iterations: Hessian-vector products used.
        converged: Whether the residual is within the tolerance asked for.
    """

    value: float
    residual: float
    iterations: int
    converged: bool


def hessian_trace(
    model: Any,
    loss: Loss,
    batches: Iterable[Data],
    *,
    probes: int = 100,
    only: Callable[[str], bool] | None = None,
    seed: int = 0,
) -> HessianTrace:
    """Estimate the trace of the Hessian of the mean loss of some batches.

    Each probe is a Rademacher vector; it costs one product with the Hessian. The module is not
    written to.

    Args:
        model: Any torch module, outside wrappers.
        loss: ``loss(module, batch) -> scalar``.
        batches: Batches of equal size, at least one.
        probes: Number of random vectors; the standard error falls with its square root.
        only: Which parameters vary, by name.
        seed: Of the vectors.

    Source: Hutchinson 1989, Communications in Statistics 18.
    """
    objective = Objective(model, loss, only)
    generator = torch.Generator(objective.device).manual_seed(seed)
    with at_rest(model, fused=False):
        times = _product(objective, list(batches))
        found = [
            float(_dot(v, times(v)))
            for v in (_rademacher(objective.start, generator) for _ in range(probes))
        ]
    values = np.array(found)
    se = values.std(ddof=1) / math.sqrt(probes) if probes > 1 else math.nan
    return HessianTrace(float(values.mean()), float(se), probes)


def top_eigenvalue(
    model: Any,
    loss: Loss,
    batches: Iterable[Data],
    *,
    iterations: int = 50,
    tolerance: float = 1e-3,
    only: Callable[[str], bool] | None = None,
    seed: int = 0,
) -> TopEigenvalue:
    """Find the eigenvalue of the Hessian that is largest in absolute value, by Lanczos.

    The basis is kept and orthogonalised twice in full, so it takes as many copies of the
    parameters as there are iterations. The module is not written to.

    Args:
        model, loss, batches, only: As in `hessian_trace`.
        iterations: At most so many products with the Hessian.
        tolerance: Stop when the residual is below this share of the eigenvalue.
        seed: Of the first vector.

    Source: Lanczos 1950; residual of a Ritz pair: Golub and Van Loan, section 10.1.
    """
    objective = Objective(model, loss, only)
    generator = torch.Generator(objective.device).manual_seed(seed)
    first = torch.cat([v.flatten() for v in _rademacher(objective.start, generator)])
    with at_rest(model, fused=False):
        times = _product(objective, list(batches))
        shapes = [tensor.shape for tensor in objective.start]
        return _lanczos(lambda v_P: _flat(times, v_P, shapes), first, iterations, tolerance)


def _product(objective: Objective, batches: list[Data]) -> Product:
    """Return ``v → Hv``; of a single batch the graph of the gradient is built once and kept."""
    if not batches:
        raise DataError("a Hessian needs at least one batch", got="none")
    leaves = objective.leaves()

    def gradient(batch: Data) -> Vectors:
        loss = objective(leaves, batch)
        return torch.autograd.grad(loss, leaves, create_graph=True, materialize_grads=True)

    kept = gradient(batches[0]) if len(batches) == 1 else None

    def times(v: Vectors) -> Vectors:
        total = tuple(torch.zeros_like(tensor) for tensor in v)
        for batch in batches:
            along = _dot(kept if kept is not None else gradient(batch), v)
            if not along.requires_grad:  # a loss that is linear in the parameters
                continue
            part = torch.autograd.grad(
                along, leaves, retain_graph=kept is not None, materialize_grads=True
            )
            torch._foreach_add_(list(total), list(part), alpha=1 / len(batches))
        return total

    return times


def _lanczos(
    times: Callable[[torch.Tensor], torch.Tensor],
    first_P: torch.Tensor,
    iterations: int,
    tolerance: float,
) -> TopEigenvalue:
    basis, diagonal, beside = [first_P / first_P.norm()], list[float](), list[float]()
    value = residual = math.nan
    for step in range(1, min(iterations, len(first_P)) + 1):
        w_P = times(basis[-1])
        diagonal.append(float(w_P @ basis[-1]))
        if not math.isfinite(diagonal[-1]):  # a diverged model has no curvature
            return TopEigenvalue(math.nan, math.nan, step, False)
        for _ in range(2):
            for q_P in basis:
                w_P = w_P - (w_P @ q_P) * q_P
        rest = float(w_P.norm())
        value, last = _ritz(diagonal, beside)
        residual = rest * abs(last)
        if residual <= tolerance * abs(value) or rest <= _TINY * max(abs(value), _TINY):
            return TopEigenvalue(value, residual, step, True)
        beside.append(rest)
        basis.append(w_P / rest)
    return TopEigenvalue(value, residual, len(diagonal), False)


_TINY = 1e-12


def _ritz(diagonal: list[float], beside: list[float]) -> tuple[float, float]:
    """Return the largest Ritz value by size, and the last component of its vector."""
    matrix: NDArray[np.float64] = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    values, vectors = np.linalg.eigh(matrix)
    top = int(np.abs(values).argmax())
    return float(values[top]), float(vectors[-1, top])


def _flat(times: Product, v_P: torch.Tensor, shapes: list[torch.Size]) -> torch.Tensor:
    parts = torch.split(v_P, [shape.numel() for shape in shapes])
    placed = tuple(part.view(shape) for part, shape in zip(parts, shapes, strict=True))
    return torch.cat([part.flatten() for part in times(placed)])


def _rademacher(like: Vectors, generator: torch.Generator) -> Vectors:
    return tuple(
        torch.randint(2, t.shape, generator=generator, device=t.device, dtype=t.dtype) * 2 - 1
        for t in like
    )


def _dot(one: Vectors, other: Vectors) -> torch.Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()
