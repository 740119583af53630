"""What is asked inside a network beside its heads: representations, routers, landscape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import CheckpointError
from nucleate.models import flops_per_token
from nucleate.probes.geometry.probes import GeometryItems
from nucleate.probes.landscape.probes import LandscapeItems
from nucleate.probes.landscape.sgld import SGLD
from nucleate.probes.registry import Probe, get_probe

GEOMETRY = ("geometry", "lens", "routers")
LANDSCAPE = ("llc", "hessian", "noise_scale")

LENS_POINTS = 512
"""Most positions that the lens reads of all rows: each costs the output head once a layer."""

LIGHT = SGLD(
    step_size=1e-5, nbeta=300, localization=3000, chains=2, draws=100, burn_in=100, batch_size=8
)
"""Chains for looks during a run: fewer and in smaller batches than for one model at leisure."""


def lens_cost(config: Any, context: int) -> float:
    """Return what the lens costs for each position it reads, in tokens of a whole pass.

    The output head runs once for every layer (the last one's is the pass's own). Where FLOPs of
    an architecture are not known, each of them counts as a pass: more than it is.

    Args:
        config: Config of the model.
        context: Length of sequences that the pass is booked at, in tokens.
    """
    layers = int(getattr(config, "num_hidden_layers", 1))
    try:
        parts = flops_per_token(config, context)
    except CheckpointError:
        return float(layers)
    return layers * parts["head"] / sum(parts.values())


def inside_parts(
    names: Sequence[str],
    rows: NDArray[np.int64],
    classes: Mapping[int, str] | None = None,
    levels: NDArray[np.str_] | None = None,
    lens_cost: float = 0.0,
) -> tuple[tuple[Probe, Any], ...]:
    """Return probes with their items, for a suite.

    Args:
        names: Of `GEOMETRY` and `LANDSCAPE`.
        rows: Held-out token ids, shape ``(R, T)``.
        classes: Class of each token id, for the specialisation of experts; ids that are missing
            are a class of their own.
        levels: Level that decides the word after each position, shape ``(R, T)``; likewise.
        lens_cost: See `lens_cost`.
    """
    parts: list[tuple[Probe, Any]] = []
    streams = GeometryItems(rows, lens_points=LENS_POINTS, lens_cost=lens_cost)
    for name in dict.fromkeys(names):
        # What probes cost is summed over different items: one pass serves geometry and lens.
        items: Any = streams
        if name == "routers":
            items = GeometryItems(rows, classes=classes, levels=levels)
        elif name in LANDSCAPE:
            items = LandscapeItems(rows, LIGHT)
        parts.append((get_probe(name), items))
    return tuple(parts)
