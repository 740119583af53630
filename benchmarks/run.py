"""Measure speed as ratios of medians, both sides interleaved in one process.

Run with ``make bench``. Absolute times depend on the machine and its load; ratios much less.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from benchmarks.store import STEPS as STORE_STEPS
from benchmarks.store import compare as compare_stores
from benchmarks.store_load import many_at_once
from nucleate.corpora.packing import BatchStream
from nucleate.models import build
from nucleate.store import Manifest, RunWriter
from nucleate.train.loop import Loop
from nucleate.train.optimizers import make_optimizers
from nucleate.train.presets import demo_recipe
from nucleate.train.recipe import Recipe
from nucleate.train.schedule import lr_share
from nucleate.train.workload import Workload, build_workload

BLOCKS, STEPS = 24, 12


def main() -> None:
    """Print one line per benchmark."""
    for kind in ("adamw", "muon"):
        recipe = demo_recipe().model_copy(
            update={"optimizer": demo_recipe().optimizer.model_copy(update={"kind": kind})}
        )
        _loop_against_minimal(recipe)
    compare_stores(steps=STORE_STEPS, turns=3)
    print(many_at_once(seconds=60.0))


def _loop_against_minimal(recipe: Recipe) -> None:
    workload = build_workload(recipe)
    tokens = STEPS * recipe.rows * recipe.context
    with (
        tempfile.TemporaryDirectory() as folder,
        RunWriter.create(Path(folder) / "run", Manifest("bench")) as writer,
    ):
        loop = Loop(recipe, workload, writer, observed=False)
        ratios, speeds = _interleaved(loop.advance, _minimal(recipe, workload), tokens)
    low, high = sorted(ratios)[len(ratios) // 4], sorted(ratios)[3 * len(ratios) // 4]
    print(
        f"reference loop / minimal loop, {recipe.optimizer.kind}: {median(ratios):.3f}× tokens/s "
        f"(quartiles {low:.3f}-{high:.3f}, {BLOCKS} paired blocks of {STEPS} steps; "
        f"{median(speeds):,.0f} tokens/s, {torch.get_num_threads()} threads)"
    )


def _interleaved(
    ours: Callable[[], None], other: Callable[[], None], tokens: int
) -> tuple[list[float], list[float]]:
    """Time both in turn, the order swapped every time; return ratios of speed and our speeds."""
    ratios, speeds = [], []
    for block in range(-2, BLOCKS):
        first, second = (ours, other) if block % 2 else (other, ours)
        times = {}
        for side in (first, second):
            begin = time.perf_counter()
            for _ in range(STEPS):
                side()
            times[side] = time.perf_counter() - begin
        if block >= 0:
            ratios.append(times[other] / times[ours])
            speeds.append(tokens / times[ours])
    return ratios, speeds


def _minimal(recipe: Recipe, workload: Workload) -> Callable[[], None]:
    """The loop that one would write by hand: same model, batches, optimiser, schedule, clipping."""
    model: Any = build(recipe.model, len(workload.tokenizer), recipe.seed)
    model.train()
    optimizers = list(make_optimizers(model, recipe.optimizer).values())
    peaks = [(group, group["lr"]) for opt in optimizers for group in opt.param_groups]
    parameters = list(model.parameters())
    stream = BatchStream(workload.shards, recipe.rows, recipe.context)

    def step() -> None:
        share = lr_share(recipe.schedule, stream.tokens_served, recipe.tokens)
        for group, peak in peaks:
            group["lr"] = peak * share
        ids = torch.from_numpy(stream.next())
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return step


if __name__ == "__main__":
    sys.exit(main())
