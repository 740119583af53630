"""The landscape as Readings: learning coefficient, curvature and gradient noise at one Step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import Level, Reading
from nucleate.probes.landscape.hessian import hessian_trace, top_eigenvalue
from nucleate.probes.landscape.llc import llc
from nucleate.probes.landscape.noise import noise_scale
from nucleate.probes.landscape.objective import token_loss
from nucleate.probes.landscape.sgld import SGLD
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

_PASS, _PRODUCT = 3, 6
"""Forward passes that a gradient, and a product with the Hessian, are worth."""


@dataclass(frozen=True, eq=False)
class LandscapeItems:
    """Rows of text whose loss is the landscape, and the settings, the same at every checkpoint.

    Attributes:
        rows: Token ids, shape ``(R, T)``.
        sgld: Of the chains.
        hessian_rows: Rows that the Hessian is of.
        products: Random probes of its trace.
        iterations: Products at most for its largest eigenvalue.
        parts: Small batches, of one row, in a large one of the noise scale.
        repetitions: Large batches.
    """

    rows: NDArray[np.int64]
    sgld: SGLD = field(default_factory=SGLD)
    hessian_rows: int = 32
    products: int = 100
    iterations: int = 30
    parts: int = 16
    repetitions: int = 16

    @property
    def ids(self) -> torch.Tensor:
        """The rows as a tensor."""
        return torch.from_numpy(self.rows)


def _llc_cost(items: LandscapeItems) -> int:
    s, (rows, length) = items.sgld, items.rows.shape
    return int(length * (_PASS * s.chains * (s.draws + s.burn_in) * s.batch_size + rows))


def _hessian_cost(items: LandscapeItems) -> int:
    products = items.products + items.iterations
    tokens = min(items.hessian_rows, len(items.rows)) * items.rows.shape[1]
    return int(_PRODUCT * products * tokens)


def _noise_cost(items: LandscapeItems) -> int:
    return int(_PASS * items.parts * items.repetitions * items.rows.shape[1])


@probe(name="llc", level=Level.LANDSCAPE, unit="λ", cost=_llc_cost)
def learning_coefficient(view: ModelView, items: LandscapeItems) -> Iterable[Reading]:
    """Local learning coefficient of the whole model; NaN, with a remark, where it is refused."""
    ceiling = math.log(view.model.config.vocab_size)
    found = llc(view.model, token_loss, items.ids, items.sgld, ceiling=ceiling)
    draws = found.trace_CS[:, found.burn_in :].size
    yield _reading("llc.all.value", found.llc, found.se, found.means, "λ")
    yield _reading("llc.all.rhat", found.rhat, math.nan, draws, "ratio")
    bad = sum(reason is not None for reason in found.reasons)
    yield _reading("llc.all.refused", bad / len(found.reasons), math.nan, draws, "fraction")
    if found.refused is not None:
        view.remark(f"llc: {found.refused}")


@probe(name="hessian", level=Level.LANDSCAPE, unit="nats", cost=_hessian_cost)
def hessian(view: ModelView, items: LandscapeItems) -> Iterable[Reading]:
    """Trace and largest eigenvalue of the Hessian; the eigenvalue's error is its residual."""
    batch = [items.ids[: items.hessian_rows]]
    trace = hessian_trace(view.model, token_loss, batch, probes=items.products)
    top = top_eigenvalue(view.model, token_loss, batch, iterations=items.iterations)
    yield _reading("hessian.all.trace", trace.trace, trace.se, trace.probes, "nats")
    yield _reading("hessian.all.top", top.value, top.residual, top.iterations, "nats")


@probe(name="noise_scale", level=Level.LANDSCAPE, unit="tokens", cost=_noise_cost)
def gradient_noise(view: ModelView, items: LandscapeItems) -> Iterable[Reading]:
    """Gradient noise scale; its error is a quarter of the width of the 95 % interval."""
    found = noise_scale(
        view.model, token_loss, items.ids, parts=items.parts, repetitions=items.repetitions
    )
    per_row = items.rows.shape[1] - 1
    se = (found.hi - found.lo) / 4 * per_row
    se = se if math.isfinite(se) else math.nan
    yield _reading("noise_scale.all.tokens", found.tokens(per_row), se, found.repetitions, "tokens")


def _reading(metric: str, value: float, se: float, n: int, unit: str) -> Reading:
    return Reading(metric, value, se, n, unit=unit, level=Level.LANDSCAPE)
