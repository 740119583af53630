"""In-context Markov chains: uniform, then unigram, then bigram, and one layer never gets there.

    python -m benchmarks.markov --seeds 3

A transformer reads sequences, each from a Markov chain of its own, and has to find out the chain
from the sequence (Edelman et al. 2024, arXiv:2402.11004). It is the cheapest training run with a
known order of strategies: first all states alike, then states by how often they came (unigram),
then by what followed the present one (bigram), which takes two layers. Printed for each seed are
where the model was closest to the unigram strategy, where it had come halfway from there to the
bigram strategy, and what `nucleate.transitions` makes of the two curves. `--curves FILE.csv` keeps
them, so that a later detector can read them again: `nucleate detect FILE.csv`.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import nucleate
from nucleate.models import ModelSettings, build
from nucleate.probes.landscape import token_loss

# Suffixes: B rows, T tokens, K states.

STATES, LENGTH, BATCH, FIRST = 3, 64, 32, 16
"""The strategies are compared after at least `FIRST` tokens."""


@dataclass(frozen=True)
class Run:
    """Divergence from each strategy (nats) where it was measured, and tokens seen until there."""

    tokens: np.ndarray
    unigram: np.ndarray
    bigram: np.ndarray


def main() -> None:
    """Train seeds of two layers and one of one layer; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--curves", type=Path, help="a table to write the curves to")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = [("run", "tokens", "unigram_kl", "bigram_kl")]
    for layers, seeds in ((2, wish.seeds), (1, 1)):
        for seed in range(seeds):
            run = train(layers, seed, wish.steps, wish.width, wish.lr)
            print(f"{layers} layers, seed {seed}: {described(run)}", flush=True)
            name = f"{layers} layers seed {seed}"
            rows += [(name, *row) for row in zip(run.tokens, run.unigram, run.bigram, strict=True)]
            if wish.curves:
                with wish.curves.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerows(rows)


def described(run: Run) -> str:
    closest = int(run.unigram.argmin())
    gap = run.bigram[closest] / 2
    after = [place for place in range(closest, len(run.tokens)) if run.bigram[place] < gap]
    halfway = (
        f"halfway to bigram at {run.tokens[after[0]]:,}" if after else "never halfway to bigram"
    )
    ends = f"ends {run.unigram[-1]:.3f} from unigram, {run.bigram[-1]:.3f} from bigram"
    found = []
    for name, values in (("unigram", run.unigram), ("bigram", run.bigram)):
        for change in nucleate.transitions(run.tokens, -np.log(values)):
            at = f"{change.lo:,.0f}–{change.hi:,.0f}"
            found.append(f"{name} {change.verdict} at {change.at:,.0f} ({at})")
    dated = "; ".join(found) or "no transition"
    return (
        f"closest to unigram ({run.unigram[closest]:.3f}) at {run.tokens[closest]:,} tokens, "
        f"{halfway}; {ends}; {dated}"
    )


def train(layers: int, seed: int, steps: int, width: int, lr: float) -> Run:
    """Train from scratch and measure at about 12 points per decade of steps."""
    shape = ModelSettings(layers=layers, width=width, heads=2, context=LENGTH)
    model = build(shape, STATES, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    rng = np.random.default_rng((seed, 1))
    held_out = sequences(np.random.default_rng(10_000_019), 128)
    points = {round(10**u) for u in np.arange(0.5, math.log10(steps) + 0.01, 1 / 12)}
    rows = []
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, step / 50)
        ids_BT = torch.from_numpy(sequences(rng, BATCH))
        optimizer.zero_grad()
        token_loss(model, ids_BT).backward()
        optimizer.step()
        if step in points:
            rows.append((step * BATCH * LENGTH, *divergences(model, held_out)))
    tokens, unigram, bigram = (np.array(column) for column in zip(*rows, strict=True))
    return Run(tokens, unigram, bigram)


def sequences(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Draw sequences, each from a chain whose rows are uniform on the simplex, shape ``(B, T)``."""
    upto_BKK = rng.dirichlet(np.ones(STATES), (rows, STATES)).cumsum(-1)
    out = np.empty((rows, LENGTH), dtype=np.int64)
    out[:, 0] = rng.integers(0, STATES, rows)
    uniform = rng.uniform(size=(rows, LENGTH))
    every = np.arange(rows)
    for t in range(1, LENGTH):
        below_BK = upto_BKK[every, out[:, t - 1]] < uniform[:, t, None]
        out[:, t] = np.minimum(below_BK.sum(1), STATES - 1)
    return out


def strategies(ids_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what either strategy says of the next token after each position, ``(B, T, K)``.

    Both count with one added: for the bigram that is the posterior mean under the uniform prior.
    """
    seen_BTK = np.eye(STATES)[ids_BT]
    unigram = 1 + seen_BTK.cumsum(1)
    pairs_BTKK = np.zeros((*ids_BT.shape, STATES, STATES))
    pairs_BTKK[:, 1:] = seen_BTK[:, :-1, :, None] * seen_BTK[:, 1:, None, :]
    counts_BTKK = 1 + pairs_BTKK.cumsum(1)
    bigram = np.take_along_axis(counts_BTKK, ids_BT[..., None, None], axis=2)[:, :, 0]
    return unigram / unigram.sum(-1, keepdims=True), bigram / bigram.sum(-1, keepdims=True)


@torch.no_grad()
def divergences(model: torch.nn.Module, ids_BT: np.ndarray) -> tuple[float, float]:
    """Return mean ``KL(strategy ‖ model)`` of unigram and bigram, nats."""
    log_q = torch.log_softmax(model(input_ids=torch.from_numpy(ids_BT)).logits, -1).numpy()
    return tuple(  # type: ignore[return-value]
        float((p * (np.log(p) - log_q)).sum(-1)[:, FIRST:].mean()) for p in strategies(ids_BT)
    )


if __name__ == "__main__":
    main()
