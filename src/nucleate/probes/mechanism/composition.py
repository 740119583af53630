"""Composition of heads: how much one reads of what another writes, by their weights alone.

Queries, keys and values of a later head read the residual stream that an earlier one writes to.
Of two maps A (write) and B (read), the share ``‖BA‖ / (‖B‖ ‖A‖)`` says how far one lies in what the
other sees (Elhage et al. 2021, *A Mathematical Framework for Transformer Circuits*). Random maps
of the same shapes have one too, about ``1/√D``, which is taken off. Norms are Frobenius norms; the
scale of the norm that stands before reading is folded in. Rotary positions are left out: queries
and keys are compared as for one position.

Shape legend: L layers, H heads, X heads of all layers together, D width of the residual stream,
K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nucleate.core import Level, Reading
from nucleate.models.heads import head_shape, head_weights
from nucleate.probes.mechanism.head_scores import Floats, label
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

_DRAWS = 256
"""Random pairs that the baseline is the mean of: it is known to about 1 % of itself."""


@dataclass(frozen=True, eq=False, slots=True)
class Composition:
    """How much every head reads of every head in an earlier layer; others are NaN.

    Attributes:
        kind: ``q``, ``k`` or ``v``: what of the later head reads.
        values_XX: Share minus baseline; rows are earlier heads, columns later ones, both layer by
            layer.
        baseline: Mean share of random Gaussian maps of the same shapes.
        spread: Standard deviation of that share.
        heads: Heads of a layer.
    """

    kind: str
    values_XX: Floats
    baseline: float
    spread: float
    heads: int

    @property
    def strongest(self) -> tuple[str, str, float]:
        """The pair with the largest share, earlier head first, and how far it is above baseline."""
        earlier, later = np.unravel_index(np.nanargmax(self.values_XX), self.values_XX.shape)
        names = (label(*divmod(int(x), self.heads)) for x in (earlier, later))
        return (*names, float(self.values_XX[earlier, later]))  # type: ignore[return-value]


@torch.no_grad()
def composition(model: Any, *, generator: torch.Generator | None = None) -> list[Composition]:
    """Return Q-, K- and V-composition of all pairs of heads in different layers.

    Args:
        model: A model of a known type (`models.heads.KNOWN`) with at least two layers.
        generator: Source of the random baseline; a fixed seed when left out.
    """
    layers, heads, width = head_shape(model)
    weights = [head_weights(model, layer) for layer in range(layers)]
    q, k, v, o = (
        torch.cat([getattr(w, name).double().cpu() for w in weights])
        for name in ("q_HDK", "k_HDK", "v_HDK", "o_HKD")
    )
    writes_XKD = _triangle(v) @ o
    reads = {
        "q": q @ _triangle(k).mT,
        "k": k @ _triangle(q).mT,
        "v": v @ _triangle(o.mT).mT,
    }
    baseline, spread = random_share(q.shape[1], width, generator)
    layer_X = torch.arange(layers).repeat_interleave(heads)
    apart_XX = (layer_X[:, None] < layer_X).numpy()
    return [
        Composition(
            kind,
            np.where(apart_XX, _shares(writes_XKD, read).numpy() - baseline, np.nan),
            baseline,
            spread,
            heads,
        )
        for kind, read in reads.items()
    ]


def random_share(
    width: int, head_width: int, generator: torch.Generator | None = None
) -> tuple[float, float]:
    """Return mean and standard deviation of the share of random Gaussian maps.

    The mean of its square is exactly ``1/width``.

    Args:
        width: D.
        head_width: K, the rank of both maps.
        generator: Source of the draws.
    """
    generator = generator or torch.Generator().manual_seed(0)
    shares = []
    for _ in range(_DRAWS):
        v, o, q, k = (
            torch.randn(1, width, head_width, generator=generator, dtype=torch.double)
            for _ in range(4)
        )
        shares.append(float(_shares(_triangle(v) @ o.mT, q @ _triangle(k).mT)))
    return float(np.mean(shares)), float(np.std(shares))


def _triangle(weight_XDK: torch.Tensor) -> torch.Tensor:
    """Return a K × K matrix of the same inner products: norms do not see the rotation left out."""
    triangle: torch.Tensor = torch.linalg.qr(weight_XDK, mode="r").R
    return triangle


def _shares(write_XKD: torch.Tensor, read_XDK: torch.Tensor) -> torch.Tensor:
    """Return ``‖W R‖ / (‖W‖ ‖R‖)`` of all pairs, shape ``(X, X)``."""
    both_XXKK = torch.einsum("akd,bdj->abkj", write_XKD, read_XDK)
    sizes = write_XKD.norm(dim=(1, 2))[:, None] * read_XDK.norm(dim=(1, 2))
    shares: torch.Tensor = both_XXKK.norm(dim=(2, 3)) / sizes.clamp_min(math.ulp(0.0))
    return shares


@probe(name="composition", level=Level.MECHANISM, unit="ratio", cost=lambda _: 0)
def composition_probe(view: ModelView, items: object) -> Iterable[Reading]:
    """How much do queries, keys and values of later heads read of earlier heads?"""
    for found in composition(view.model):
        value = found.strongest[2]
        n = int(np.isfinite(found.values_XX).sum())
        for measure, number in (("max", value), ("mean", float(np.nanmean(found.values_XX)))):
            yield Reading(
                f"composition.{found.kind}.{measure}",
                number,
                n=n,
                chance=0.0,
                unit="ratio",
                level=Level.MECHANISM,
            )
