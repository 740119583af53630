"""Geometry as Readings: ranks and dimension of each layer, the logit lens, and the routers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core import DataError, Level, Reading
from nucleate.probes.geometry.coordination import layer_similarity
from nucleate.probes.geometry.dimension import two_nn
from nucleate.probes.geometry.distinct import Groups, groups
from nucleate.probes.geometry.lens import lens_of_streams
from nucleate.probes.geometry.moe import routed_layers, router_logits, routing
from nucleate.probes.geometry.on_device import Device
from nucleate.probes.geometry.rank import exp_entropy, power_law
from nucleate.probes.geometry.spectra import Centred, centred, spectra
from nucleate.probes.geometry.streams import residual_streams
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.scores import shared_reading
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

Flags = NDArray[np.bool_]


class GeometryItems:
    """Held-out rows whose representations are measured, the same at every checkpoint.

    Args:
        rows: Token ids, shape ``(R, T)``.
        points: Positions whose streams are compared, evenly chosen by `seed`; at most all.
        ranks: First and last rank of the power law of eigenvalues.
        queries: Points whose neighbours the intrinsic dimension looks for (among all points),
            chosen by `seed`; all if None.
        batch: Points of a batch of CKA (`batched_cka`); 0 for one batch of all.
        lens_points: Positions that the lens reads, as many of each row as this allows (at least
            one), chosen by `seed`; all if None.
        lens_cost: What the lens costs for each position it reads, in tokens of a whole pass
            (`inside.lens_cost`); only the cost follows from it.
        seed: Of the choices.
        classes: Class of each token id (part of speech, role in a story …), for routers; ids that
            are missing are a class of their own.
        levels: Level that decides the word after each position (empty where none does), shape
            ``(R, T)``, for routers.
        real: Which positions are no padding, shape ``(R, T)``; all if left out.

    Attributes:
        chosen: Positions of the points, shape ``(R, T)``; `read` those of the lens, `kept` both.
        heads: Rows that heads are read on by the same pass (`together`); None for a pass of
            its own.

    Raises:
        DataError: There is no row.
    """

    def __init__(
        self,
        rows: NDArray[np.int64],
        *,
        points: int = 2048,
        ranks: tuple[int, int] = (4, 32),
        queries: int | None = 256,
        batch: int = 128,
        lens_points: int | None = None,
        lens_cost: float = 0.0,
        seed: int = 0,
        classes: Mapping[int, str] | None = None,
        real: NDArray[np.bool_] | None = None,
        levels: NDArray[np.str_] | None = None,
    ) -> None:
        if rows.ndim != 2 or not rows.size:
            raise DataError("no rows to represent", got=rows.shape, expected="(R, T)")
        self.rows, self.ranks = torch.from_numpy(rows), ranks
        self.queries, self.batch, self.lens_cost = queries, batch, lens_cost
        self.heads: HeadItems | None = None
        self.levels_N = None if levels is None else levels.flatten()
        self.classes_N: list[str] | None = None
        if classes is not None:
            self.classes_N = [classes.get(token, "") for token in rows.flatten().tolist()]
        there = np.ones(rows.shape, dtype=bool) if real is None else real
        rng = np.random.default_rng(seed)
        self.chosen = torch.from_numpy(_chosen(there, points, rng))
        self.read = torch.from_numpy(_chosen_of_rows(there, lens_points, rng))
        self.kept = self.chosen | self.read

    def together(self, heads: HeadItems) -> tuple[HeadItems, GeometryItems]:
        """Return both, so that one pass over their common rows serves heads, geometry and lens.

        Raises:
            DataError: They do not have the same rows.
        """
        if not torch.equal(heads.ids_BT, self.rows):
            raise DataError("heads and geometry share a pass only over the same rows")
        geometry = copy(self)
        geometry.heads = replace(heads, kept_BT=self.kept)
        return geometry.heads, geometry

    def streams(self, view: ModelView) -> NDArray[np.float32]:
        """Return residual streams at the positions that are kept, read once for all probes.

        Shape ``(L + 1, N, D)``, as `residual_streams` returns them.
        """
        if self.heads is not None:
            return shared_reading(view, self.heads).streams_LND
        return view.once(
            self, "streams", lambda: residual_streams(view.model, self.rows, self.kept)
        )


def _chosen(there_RT: NDArray[np.bool_], points: int, rng: np.random.Generator) -> Flags:
    out = np.zeros(there_RT.size, dtype=bool)
    places = np.flatnonzero(there_RT)
    out[places[rng.permutation(len(places))[:points]]] = True
    return out.reshape(there_RT.shape)


def _chosen_of_rows(
    there_RT: NDArray[np.bool_], points: int | None, rng: np.random.Generator
) -> Flags:
    each = there_RT.shape[1] if points is None else max(1, points // len(there_RT))
    return np.stack([_chosen(row[None], each, rng)[0] for row in there_RT])


def _cost(items: GeometryItems) -> int:
    return 0 if items.heads is not None else items.rows.numel()


@probe(name="geometry", level=Level.MECHANISM, unit="dimensions", cost=_cost)
def geometry(view: ModelView, items: GeometryItems) -> Iterable[Reading]:
    """Ranks, spectrum and intrinsic dimension of every layer's stream, and CKA between layers."""
    layers_LND = items.streams(view)
    if not items.chosen[items.kept].all():
        layers_LND = layers_LND[:, items.chosen[items.kept].numpy()]
    points = layers_LND.shape[1]
    own = next(view.model.parameters()).device
    device = own if own.type == "cuda" else None
    found: list[Reading] = []
    equal: Groups | None = None
    for layer, x_ND in enumerate(layers_LND):
        equal = groups(x_ND, equal)
        x_MD = x_ND if len(equal.kept_M) == points else x_ND.take(equal.kept_M, 0)
        near = None
        if device is None:
            with np.errstate(over="ignore", invalid="ignore"):
                near = centred(x_MD, equal.count_M)
        # A diverged model has no geometry; a mean is not finite where a point is not.
        if not np.isfinite(x_MD if near is None else near[1]).all():
            return
        cloud = _Cloud(x_MD, equal.count_M, near, device)
        found += _of_cloud(f"geometry.L{layer}", cloud, items, embedding=layer == 0)
    yield from found
    alike = layer_similarity(layers_LND, batch=items.batch, device=device)
    yield _reading("geometry.layers.cka", alike.mean, points, "similarity")
    yield _reading("geometry.layers.cka_neighbours", alike.neighbours, points, "similarity")


@dataclass(frozen=True, slots=True)
class _Cloud:
    """Points of one layer that differ, how often each is there, and what `centred` says of them."""

    x_MD: NDArray[np.float32]
    count_M: NDArray[np.int64]
    near: Centred | None
    device: Device


def _of_cloud(
    at: str, cloud: _Cloud, items: GeometryItems, *, embedding: bool
) -> Iterable[Reading]:
    """Yield ranks, dimension and spectrum of one layer."""
    points = int(cloud.count_M.sum())
    dimension = None
    if not embedding:  # too few different points
        with suppress(DataError):
            dimension = two_nn(
                cloud.x_MD,
                halvings=0,
                queries=items.queries,
                differ=True,
                near_ND=cloud.near and cloud.near[0],
                device=cloud.device,
            ).dimension
    found = spectra(
        cloud.x_MD, cloud.count_M, clear=items.ranks[1], near=cloud.near, device=cloud.device
    )
    yield _reading(f"{at}.rankme", exp_entropy(found.singular_R, 1e-7), points, "dimensions")
    rank = exp_entropy(found.eigenvalues_R)
    yield _reading(f"{at}.effective_rank", rank, points, "dimensions")
    if dimension is not None:
        yield _reading(f"{at}.dimension", dimension, points, "dimensions")
    with suppress(DataError):  # a spectrum that ends before the window does
        power = power_law(found.eigenvalues_R, first=items.ranks[0], last=items.ranks[1])
        yield _reading(f"{at}.alpha", power.alpha, points, "slope")
        yield _reading(f"{at}.alpha_r2", power.r2, points, "fraction")


def _cost_of_lens(items: GeometryItems) -> int:
    return _cost(items) + math.ceil(items.lens_cost * int(items.read.sum()))


@probe(name="lens", level=Level.MECHANISM, unit="nats", cost=_cost_of_lens)
def lens(view: ModelView, items: GeometryItems) -> Iterable[Reading]:
    """Divergence of each layer's logit lens from the answer, and the depth where it is small."""
    states_LND, rows = torch.from_numpy(items.streams(view)), len(items.rows)
    if not items.read[items.kept].all():
        states_LND = states_LND.index_select(1, items.read[items.kept].nonzero()[:, 0])
    found = lens_of_streams(view.model, states_LND, items.read.nonzero()[:, 0])
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
    rows_N = np.repeat(np.arange(len(items.rows)), items.rows.shape[1])
    for layer, logits_NE in zip(routed_layers(view.model), logits_LNE, strict=True):
        at, (n, experts) = f"routers.L{layer}", logits_NE.shape
        found = routing(logits_NE, chosen, kinds_N, rows_N=rows_N)
        plain = (
            ("entropy", found.entropy, "nats", math.log(experts)),
            ("effective_experts", found.effective_experts, "experts", math.nan),
            ("largest_load", float(found.load_E.max()), "fraction", 1 / experts),
            ("specialization", found.specialization, "nats", 0.0),
        )
        for name, value, unit, chance in plain:
            yield _reading(f"{at}.{name}", value, n, unit, chance, found.se[name])
        knows: list[tuple[str, Sequence[str] | NDArray[np.str_] | None, Any]] = [
            ("class_specialization", items.classes_N, None),
            ("level_specialization", items.levels_N, None),
            ("level_beyond_token", items.levels_N, kinds_N),
        ]
        for name, labels_N, given_N in knows:
            if labels_N is not None:
                seen = routing(logits_NE, chosen, labels_N, given_N=given_N, rows_N=rows_N)
                error = seen.se["specialization"]
                yield _reading(f"{at}.{name}", seen.specialization, n, "nats", 0.0, error)


def _reading(
    metric: str,
    value: float,
    n: int,
    unit: str,
    chance: float = math.nan,
    se: float = math.nan,
) -> Reading:
    return Reading(metric, value, se, n=n, chance=chance, unit=unit, level=Level.MECHANISM)
