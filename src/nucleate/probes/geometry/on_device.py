"""Spectra, neighbours and similarity where a graphics card is at hand: plain products in float64.

On a processor `spectra`, `two_nn` and `batched_cka` save work; a card has float64 to spare, and
what it lacks is LAPACK's reduction to tridiagonal form. Here each spectrum is a decomposition of
its own. Results agree to rounding.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

# Suffixes: L layers, N samples, D dimensions, K batches, B samples of a batch, Q queries.

Array = NDArray[np.float64]
Device = torch.device | str | None
"""Where to compute; None for the processor, with NumPy and LAPACK."""


@torch.no_grad()
def squared_singular(
    x_ND: NDArray[np.float32 | np.float64], count_N: NDArray[np.int64], device: Device
) -> tuple[Array, Array]:
    """Return squared singular values of a cloud without and with its mean, the largest first.

    Args:
        x_ND: Distinct samples.
        count_N: How many samples each of them stands for.
        device: Where.
    """
    x = torch.from_numpy(x_ND).to(device, torch.float64)
    count = torch.from_numpy(count_N).to(device, torch.float64)[:, None]
    mean = (count * x).sum(0) / count.sum()
    without, raw = (_squares(count.sqrt() * part) for part in (x - mean, x))
    return without, raw


def _squares(x_ND: torch.Tensor) -> Array:
    gram = x_ND.mT @ x_ND if x_ND.shape[0] > x_ND.shape[1] else x_ND @ x_ND.mT
    out: Array = torch.linalg.eigvalsh(gram).clamp_min(0).flip(0).cpu().numpy()
    return out


@torch.no_grad()
def nearest_two(
    points_ND: NDArray[np.float32 | np.float64], asked_Q: NDArray[np.int64], device: Device
) -> Array:
    """Return squared distances of some points to the two nearest others, in order, ``(Q, 2)``."""
    points = torch.from_numpy(points_ND).to(device, torch.float64)
    asked = torch.from_numpy(asked_Q).to(device)
    centred = points - points.mean(0)
    far_QN = (centred**2).sum(1) - 2 * centred[asked] @ centred.mT
    far_QN.scatter_(1, asked[:, None], float("inf"))
    near_Q2 = far_QN.topk(2, dim=1, largest=False).indices
    exact_Q2 = ((points[asked][:, None] - points[near_Q2]) ** 2).sum(-1)
    out: Array = exact_Q2.sort(1).values.cpu().numpy()
    return out


@torch.no_grad()
def kernel_products(dealt_LKBD: NDArray[np.float32], device: Device) -> tuple[Array, Array]:
    """Return what unbiased HSIC is made of, for centred samples of each batch.

    Returns:
        Inner products between the layers' kernels without their diagonals, shape ``(L, L)``, and
        the kernels' row sums, shape ``(L, K · B)``.
    """
    dealt = torch.from_numpy(dealt_LKBD).to(device, torch.float64)
    kernels = dealt @ dealt.mT
    kernels.diagonal(dim1=-2, dim2=-1).zero_()
    flat = kernels.flatten(1)
    return (flat @ flat.mT).cpu().numpy(), kernels.sum(-1).flatten(1).cpu().numpy()
