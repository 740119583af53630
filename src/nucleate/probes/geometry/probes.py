"""Geometry as Readings: ranks and dimension of each layer, the logit lens, and the routers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.probes.geometry.coordination import layer_similarity
from nucleate.probes.geometry.dimension import two_nn
from nucleate.probes.geometry.lens import logit_lens
from nucleate.probes.geometry.moe import router_logits, routing
from nucleate.probes.geometry.rank import alpha_req, effective_rank, rankme
from nucleate.probes.geometry.streams import residual_streams
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView


class GeometryItems:
    """Held-out rows whose representations are measured, the same at every checkpoint.

    Args:
        rows: Token ids, shape ``(R, T)``.
        points: Positions whose streams are compared, evenly chosen by `seed`; at most all.
        ranks: First and last rank of the power law of eigenvalues.
        seed: Of the choice.
        classes: Class of each token id (part of speech, role in a story …), for routers; ids that
            are missing are a class of their own.
        levels: Level that decides the word after each position (empty where none does), shape
            ``(R, T)``, for routers.

    Raises:
        DataError: There is no row.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        *,
        points: int = 2048,
        ranks: tuple[int, int] = (4, 32),
        seed: int = 0,
        classes: Mapping[int, str] | None = None,
        levels: NDArray[np.str_] | None = None,
    ) -> None:
        if rows.ndim != 2 or not rows.size:
            raise DataError("no rows to represent", got=rows.shape, expected="(R, T)")
        self.rows, self.ranks = torch.from_numpy(rows), ranks
        self.levels_N = None if levels is None else levels.flatten()
        self.classes_N: list[str] | None = None
        if classes is not None:
            self.classes_N = [classes.get(token, "") for token in rows.flatten().tolist()]
        chosen = np.random.default_rng(seed).permutation(rows.size)[:points]
        self.chosen = torch.zeros(rows.size, dtype=torch.bool)
        self.chosen[torch.from_numpy(chosen)] = True
        self.chosen = self.chosen.view(rows.shape)


def _cost(items: GeometryItems) -> int:
    return items.rows.numel()


@probe(name="geometry", level=Level.MECHANISM, unit="dimensions", cost=_cost)
def geometry(view: ModelView, items: GeometryItems) -> Iterable[Reading]:
    """Ranks, spectrum and intrinsic dimension of every layer's stream, and CKA between layers."""
    layers_LND = residual_streams(view.model, items.rows, items.chosen)
    points = layers_LND.shape[1]
    if not np.isfinite(layers_LND).all():  # a diverged model has no geometry
        return
    for layer, x_ND in enumerate(layers_LND):
        at = f"geometry.L{layer}"
        yield _reading(f"{at}.rankme", rankme(x_ND), points, "dimensions")
        yield _reading(f"{at}.effective_rank", effective_rank(x_ND), points, "dimensions")
        if layer:  # embeddings are too few different points
            with suppress(DataError):
                dimension = two_nn(x_ND, halvings=0).dimension
                yield _reading(f"{at}.dimension", dimension, points, "dimensions")
        with suppress(DataError):  # a spectrum that ends before the window does
            power = alpha_req(x_ND, first=items.ranks[0], last=items.ranks[1])
            yield _reading(f"{at}.alpha", power.alpha, points, "slope")
            yield _reading(f"{at}.alpha_r2", power.r2, points, "fraction")
    alike = layer_similarity(layers_LND)
    yield _reading("geometry.layers.cka", alike.mean, points, "similarity")
    yield _reading("geometry.layers.cka_neighbours", alike.neighbours, points, "similarity")


@probe(name="lens", level=Level.MECHANISM, unit="nats", cost=_cost)
def lens(view: ModelView, items: GeometryItems) -> Iterable[Reading]:
    """Divergence of each layer's logit lens from the answer, and the depth where it is small."""
    found, rows = logit_lens(view.model, items.rows), len(items.rows)
    for layer, (kl, se) in enumerate(zip(found.kl_L[:-1], found.se_L[:-1], strict=True)):
        yield Reading(
            f"lens.L{layer}.kl", float(kl), float(se), rows, unit="nats", level=Level.MECHANISM
        )
    yield _reading("lens.all.depth", found.relative_depth, rows, "fraction")


@probe(name="routers", level=Level.MECHANISM, unit="nats", cost=_cost)
def routers(view: ModelView, items: GeometryItems) -> Iterable[Reading]:
    """Router entropy, load of experts, and how much these know of a token, its class and level.

    The level is that of the word to be said next; ``level_beyond_token`` is what experts know of it
    beyond what the token at hand tells.
    """
    logits_LNE, kinds_N = router_logits(view.model, items.rows), items.rows.flatten().numpy()
    chosen = int(view.model.config.num_experts_per_tok)
    for layer, logits_NE in enumerate(logits_LNE):
        found = routing(logits_NE, chosen, kinds_N)
        at, n = f"routers.L{layer}", len(logits_NE)
        chance = math.log(logits_NE.shape[1])
        yield _reading(f"{at}.entropy", found.entropy, n, "nats", chance)
        yield _reading(f"{at}.effective_experts", found.effective_experts, n, "experts")
        largest, even = float(found.load_E.max()), 1 / logits_NE.shape[1]
        yield _reading(f"{at}.largest_load", largest, n, "fraction", even)
        yield _reading(f"{at}.specialization", found.specialization, n, "nats", 0.0)
        if items.classes_N is not None:
            by_class = routing(logits_NE, chosen, items.classes_N).specialization
            yield _reading(f"{at}.class_specialization", by_class, n, "nats", 0.0)
        if items.levels_N is not None:
            by_level = routing(logits_NE, chosen, items.levels_N).specialization
            yield _reading(f"{at}.level_specialization", by_level, n, "nats", 0.0)
            beyond = routing(logits_NE, chosen, items.levels_N, given_N=kinds_N).specialization
            yield _reading(f"{at}.level_beyond_token", beyond, n, "nats", 0.0)


def _reading(metric: str, value: float, n: int, unit: str, chance: float = math.nan) -> Reading:
    return Reading(metric, value, n=n, chance=chance, unit=unit, level=Level.MECHANISM)
