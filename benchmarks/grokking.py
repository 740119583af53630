"""Grokking of modular addition: memorised first, understood later, and when each can be seen.

    python -m benchmarks.grokking                     # a smaller prime, minutes
    python -m benchmarks.grokking --prime 113 --share 0.3 --width 128 --epochs 20000  # published

A one-layer transformer learns ``a + b mod p`` from a share of all pairs, in full batches with
strong weight decay (Nanda et al. 2023, arXiv:2301.05217). Printed are the epochs at which training
accuracy passes .99, excluded loss has risen and test accuracy passes a half and .99, the
frequencies that the final model uses, and what `nucleate.transitions` makes of the curves.
Excluded loss is the loss on the training pairs without the final frequencies of ``a + b`` in the
logits: it rises while the general solution forms, under a training loss that has long been flat.
`--curves FILE.csv` keeps the curves, so that a later detector can read them again.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import nucleate
from nucleate.models import ModelSettings, build
from nucleate.probes.geometry import effective_rank

# Suffixes: N pairs, P residues.


@dataclass
class Curves:
    """What was measured at each point."""

    epochs: list[int] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    rank: list[float] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prime", type=int, default=59)
    parser.add_argument("--share", type=float, default=0.4, help="of pairs that are trained on")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6000)
    parser.add_argument("--decay", type=float, default=1.0, help="weight decay")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--curves", type=Path, help="a table to write the curves to")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = [
        ("run", "step", "train_accuracy", "test_accuracy", "test_loss", "excluded_loss")
    ]
    for seed in range(wish.seeds):
        curves, trained_N = train(wish, seed)
        excluded = describe(curves, trained_N, wish.prime, seed)
        columns = (curves.epochs, curves.train_accuracy, curves.test_accuracy, curves.test_loss)
        rows += [(f"seed {seed}", *row) for row in zip(*columns, excluded, strict=True)]
    if wish.curves:
        with wish.curves.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def train(wish: Any, seed: int) -> tuple[Curves, np.ndarray]:
    p = wish.prime
    pairs_N3 = torch.cartesian_prod(torch.arange(p), torch.arange(p), torch.tensor([p]))
    answers_N = (pairs_N3[:, 0] + pairs_N3[:, 1]) % p
    shuffled = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed))
    trained_N = torch.zeros(p * p, dtype=torch.bool)
    trained_N[shuffled[: int(wish.share * p * p)]] = True
    shape = ModelSettings(
        layers=1, width=wish.width, heads=4, mlp_width=4 * wish.width, context=8, init_std=0.05
    )
    model = build(shape, p + 1, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=wish.decay
    )
    points = {round(10**u) for u in np.arange(1, math.log10(wish.epochs) + 1e-9, 1 / 16)}
    curves, asked_N3, right_N = Curves(), pairs_N3[trained_N], answers_N[trained_N]
    for epoch in range(1, wish.epochs + 1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(answer(model, asked_N3, p), right_N).backward()
        optimizer.step()
        if epoch in points:
            measure(curves, epoch, model, pairs_N3, answers_N, trained_N, p)
            seen, new = curves.train_accuracy[-1], curves.test_accuracy[-1]
            print(f"epoch {epoch:,}: training {seen:.3f}, test {new:.3f}", file=sys.stderr)
    return curves, trained_N.numpy()


def answer(model: Any, asked_N3: torch.Tensor, p: int) -> torch.Tensor:
    """Return the logits of the residues after ``a b =``, shape ``(N, P)``."""
    logits: torch.Tensor = model(input_ids=asked_N3, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1, :p]


@torch.no_grad()
def measure(
    curves: Curves,
    epoch: int,
    model: Any,
    pairs_N3: torch.Tensor,
    answers_N: torch.Tensor,
    trained_N: torch.Tensor,
    p: int,
) -> None:
    logits_NP = answer(model, pairs_N3, p)
    hits_N = logits_NP.argmax(-1) == answers_N
    losses_N = nn.functional.cross_entropy(logits_NP, answers_N, reduction="none")
    curves.epochs.append(epoch)
    curves.train_accuracy.append(float(hits_N[trained_N].double().mean()))
    curves.test_accuracy.append(float(hits_N[~trained_N].double().mean()))
    curves.test_loss.append(float(losses_N[~trained_N].mean()))
    curves.rank.append(effective_rank(model.get_input_embeddings().weight[:p].numpy()))
    curves.logits.append(copy.deepcopy(logits_NP.numpy()))


def waves(p: int, k: int) -> np.ndarray:
    """Return cosine and sine of frequency k in ``a + b``, unit length, ``(2, N)``."""
    sums = np.add.outer(np.arange(p), np.arange(p)).ravel()
    both = np.stack([np.cos(2 * math.pi * k * sums / p), np.sin(2 * math.pi * k * sums / p)])
    return both / np.linalg.norm(both, axis=1, keepdims=True)


def key_frequencies(logits_NP: np.ndarray, p: int) -> list[int]:
    """Return the frequencies of ``a + b`` that hold at least 5 % of the logits' variance."""
    centred = logits_NP - logits_NP.mean(0)
    total = float((centred**2).sum())
    shares = [
        float(((waves(p, k) @ centred) ** 2).sum()) / total for k in range(1, (p - 1) // 2 + 1)
    ]
    return [k for k, share in enumerate(shares, 1) if share >= 0.05]


def excluded_loss(logits_NP: np.ndarray, keys: list[int], trained_N: np.ndarray, p: int) -> float:
    """Return the loss on the training pairs without some frequencies of ``a + b``, nats."""
    left = logits_NP.astype(np.float64)
    for k in keys:
        basis = waves(p, k)
        left = left - basis.T @ (basis @ left)
    log_p = left - np.logaddexp.reduce(left, axis=1, keepdims=True)
    right = np.add.outer(np.arange(p), np.arange(p)).ravel() % p
    return float(-log_p[np.arange(p * p), right][trained_N].mean())


def describe(curves: Curves, trained_N: np.ndarray, p: int, seed: int) -> list[float]:
    """Print what was seen; return the excluded loss at each point."""
    epochs, keys = np.array(curves.epochs), key_frequencies(curves.logits[-1], p)
    excluded = np.array([excluded_loss(x, keys, trained_N, p) for x in curves.logits])
    lowest = int(excluded.argmin())
    print(f"seed {seed}: frequencies {keys}")
    print(f"  training accuracy .99 at {first(epochs, curves.train_accuracy, 0.99)}")
    level = (excluded[lowest] + excluded[lowest:].max()) / 2
    risen = first(epochs[lowest:], excluded[lowest:], level)
    print(
        f"  excluded loss lowest at {epochs[lowest]:,} ({excluded[lowest]:.3f}), "
        f"half risen at {risen}"
    )
    print(
        f"  test accuracy .5 at {first(epochs, curves.test_accuracy, 0.5)}, "
        f".99 at {first(epochs, curves.test_accuracy, 0.99)}; ends {curves.test_accuracy[-1]:.3f}"
    )
    rank = curves.rank
    print(
        f"  effective rank of the embedding {rank[0]:.1f}, highest {max(rank):.1f}, {rank[-1]:.1f}"
    )
    for name, values in (
        ("test accuracy", curves.test_accuracy),
        ("minus test loss", [-x for x in curves.test_loss]),
        ("excluded loss", excluded.tolist()),
    ):
        changes = nucleate.transitions(epochs, values)
        told = [f"{c.verdict} at {c.at:,.0f} ({c.lo:,.0f}–{c.hi:,.0f})" for c in changes]
        print(f"  {name}: {'; '.join(told) or 'no transition'}", flush=True)
    return [float(x) for x in excluded]


def first(epochs: np.ndarray, values: Any, level: float) -> str:
    there = np.flatnonzero(np.asarray(values) >= level)
    return f"{epochs[there[0]]:,}" if len(there) else "never"


if __name__ == "__main__":
    main()
