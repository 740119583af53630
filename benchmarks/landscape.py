"""Local learning coefficients beside devinterp: values, and cost of a draw against a training pass.

    python -m benchmarks.landscape

A small model is trained on the story world and measured at several checkpoints with the same
settings by both; then one forward and backward pass, our draw and devinterp's draw are timed in
turn. Without ``pip install devinterp==2.0.1`` only our side runs, and it is said so.
"""

from __future__ import annotations

import argparse
import copy
import io
import statistics
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch

from nucleate.corpora.storyworld import Mixture, StoryShards, make_world, vocabulary
from nucleate.models import ModelSettings, build
from nucleate.probes.landscape import SGLD, llc, token_loss

CHECKPOINTS = (0, 100, 300, 900)
CONTEXT, BATCH = 32, 16
SHAPE = ModelSettings(layers=1, width=32, heads=2, context=CONTEXT)
SETTINGS = SGLD(
    step_size=1e-5, nbeta=300.0, localization=3000.0, draws=100, burn_in=100, batch_size=BATCH
)
WHY_NOT = "devinterp is not installed (pip install devinterp==2.0.1): only our side runs"


def main() -> None:
    """Train, measure, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="of timing")
    parser.add_argument("--sizes", nargs="*", default=["tiny", "small"], help="of timed models")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    try:
        import devinterp  # noqa: F401

        both = True
    except ImportError:
        both = False
        print(WHY_NOT)
    rows_NT = held_out(512)
    print(f"{SETTINGS}\n{'step':>6s} {'loss':>7s} {'ours':>16s} {'R-hat':>6s} {'devinterp':>16s}")
    for step, model in trained(rows_NT):
        found = llc(model, token_loss, rows_NT, SETTINGS, ceiling=np.log(model.config.vocab_size))
        ours = found.refused or f"{found.llc:8.2f} ± {found.se:5.2f}"
        line = f"{step:6d} {found.loss:7.3f} {ours:>16s} {found.rhat:6.2f}"
        print(line + (f" {theirs(model, rows_NT, SETTINGS):>16s}" if both else ""), flush=True)
    for size in wish.sizes:
        timed(size, 32, rows_NT, wish.rounds, both)


def held_out(rows: int) -> torch.Tensor:
    """Return rows of stories that training never sees, shape ``(N, T)``."""
    return torch.from_numpy(stories(7_000_003)[: rows * CONTEXT].reshape(rows, CONTEXT))


def stories(seed: int) -> np.ndarray:
    world = make_world(0)
    words = vocabulary(world.towns)
    ids = {word: place for place, word in enumerate(words)}
    shards = StoryShards(world, Mixture(), ids, len(words), seed=seed)
    return np.concatenate([shards.shard(i) for i in range(40)]).astype(np.int64)


def trained(rows_NT: torch.Tensor) -> list[tuple[int, Any]]:
    """Return copies of a model at `CHECKPOINTS` optimiser steps."""
    tokens = stories(0)
    model = build(SHAPE, int(max(tokens.max(), rows_NT.max())) + 1, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    rng, kept = np.random.default_rng(0), []
    for step in range(max(CHECKPOINTS) + 1):
        if step in CHECKPOINTS:
            kept.append((step, copy.deepcopy(model).eval()))
        starts = rng.integers(0, len(tokens) - CONTEXT, BATCH)
        ids_BT = torch.from_numpy(np.stack([tokens[s : s + CONTEXT] for s in starts]))
        optimizer.zero_grad()
        token_loss(model, ids_BT).backward()
        optimizer.step()
    return kept


def theirs(model: Any, rows_NT: torch.Tensor, settings: SGLD) -> str:
    """Return devinterp's estimate with the same settings, as text.

    Its own mean is over all steps; here that over the draws is taken from its trace.
    """
    found = run_devinterp(model, rows_NT, settings)
    draws_CD = found.loss_trace.values[:, settings.burn_in :]
    chains_C = settings.nbeta * (draws_CD.mean(1) - float(found.init_loss))
    return f"{chains_C.mean():8.2f} ± {chains_C.std(ddof=1) / settings.chains**0.5:5.2f}"


def run_devinterp(model: Any, rows_NT: torch.Tensor, settings: SGLD) -> Any:
    from datasets import Dataset, disable_progress_bars
    from devinterp.slt.llc import llc as their_llc

    disable_progress_bars()
    data = Dataset.from_dict({"input_ids": rows_NT.tolist()}).with_format("torch")
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return their_llc(
            copy.deepcopy(model),
            data,
            {},
            lr=settings.step_size,
            n_beta=settings.nbeta,
            localization=settings.localization,
            num_chains=settings.chains,
            num_draws=settings.draws,
            num_burnin_steps=settings.burn_in,
            num_init_loss_batches=len(rows_NT) // settings.batch_size,
            batch_size=settings.batch_size,
            device="cpu",
        )


def timed(size: str, batch: int, rows_NT: torch.Tensor, rounds: int, both: bool) -> None:
    """Time a pass, our draw and theirs in turn, in seconds of processor; print medians of ratios.

    Of a draw the difference between a long and a short run counts, so that setting up does not.
    """
    model = build(ModelSettings(size=size), int(rows_NT.max()) + 1, 0).eval()
    rows_NT = rows_NT[: 2 * batch]
    ways = {"ours": lambda s: llc(model, token_loss, rows_NT, s, batched=False)}
    if both:
        ways["devinterp"] = lambda s: run_devinterp(model, rows_NT, s)
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        base = _pass(model, rows_NT[:batch])
        for name, way in ways.items():
            ratios[name].append(_draw(way, batch) / base)
    found = ", ".join(f"{name} {statistics.median(r):.2f} ×" for name, r in ratios.items())
    print(f"a draw of {size}, batch {batch} × {CONTEXT}, against one pass: {found}", flush=True)


def _pass(model: Any, ids_BT: torch.Tensor, times: int = 20) -> float:
    leaves = list(model.parameters())
    start = time.process_time()
    for _ in range(times):
        torch.autograd.grad(token_loss(model, ids_BT), leaves)
    return (time.process_time() - start) / times


def _draw(way: Any, batch: int, times: int = 20) -> float:
    seconds = []
    for draws in (5, 5 + times):
        start = time.process_time()
        way(SGLD(1e-6, 10.0, 1.0, chains=1, draws=draws, burn_in=0, batch_size=batch))
        seconds.append(time.process_time() - start)
    return (seconds[1] - seconds[0]) / times


if __name__ == "__main__":
    main()
