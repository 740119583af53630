"""Ask the checkpoints of an arm once more, with the heads held out here too, as in training.

An arm's own readings are taken with all its heads. Where its heads were held out of training they
hold what they held before, and put that into a network that has grown without them: so both ways
of asking are confounded, each by something else, and both are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from nucleate.core import Curve, Reading, Step
from nucleate.core.heads import unlabel
from nucleate.models import find_checkpoints, load_checkpoint
from nucleate.models.interventions import ablated, mean_outputs
from nucleate.probes.registry import Probe
from nucleate.probes.view import ModelView
from nucleate.store import Run
from nucleate.train.recipe import Recipe
from nucleate.train.workload import Workload, build_workload

ROWS = 32
"""Rows of training data whose mean the heads say."""


def curve_without(run: Run, recipe: Recipe, heads: Sequence[str], metric: str) -> Curve:
    """Return a metric over the checkpoints of a run, with some heads saying only their mean.

    Args:
        run: An arm.
        recipe: Its recipe.
        heads: Which heads.
        metric: A metric of its suite.

    Raises:
        KeyError: No probe of the suite yields the metric.
    """
    workload = build_workload(recipe)
    rows_BT = _rows(workload, recipe)
    probe, items = _asking(workload, metric, run, recipe)
    found: list[tuple[Step, Reading]] = []
    for step, folder in find_checkpoints(run.path / "checkpoints"):
        model: Any = load_checkpoint(folder).model
        with torch.no_grad():
            means = mean_outputs(model, rows_BT)
            with ablated(model, [unlabel(head) for head in heads], means):
                readings = {x.metric: x for x in probe.measure(ModelView(model), items)}
        found.append((step, readings[metric]))
    return Curve.from_readings(found)


def _rows(workload: Workload, recipe: Recipe) -> torch.Tensor:
    stream = workload.shards.shard(0)[: ROWS * recipe.context]
    return torch.from_numpy(stream.reshape(-1, recipe.context))


def _asking(workload: Workload, metric: str, run: Run, recipe: Recipe) -> tuple[Probe, Any]:
    """Return the probe that yields a metric, and its items."""
    _, folder = find_checkpoints(run.path / "checkpoints")[0]
    model = load_checkpoint(folder).model
    stem = metric.split(".")[0]
    parts = sorted(workload.suite.parts, key=lambda part: part[0].name != stem)
    for probe, items in parts:
        with torch.no_grad():
            if any(x.metric == metric for x in probe.measure(ModelView(model), items)):
                return probe, items
    raise KeyError(f"no probe yields {metric!r}")
