"""Grokking of modular addition: memorised first, understood later, and when each can be seen.

    python -m benchmarks.grokking                     # a smaller prime and a Llama layer, minutes
    python -m benchmarks.grokking --plain --prime 113 --share 0.3 --width 128 --epochs 20000 \
        --per-decade 32 --seeds 2 --curves grokking.csv                   # as published

A one-layer transformer learns ``a + b mod p`` from a share of all pairs, in full batches with
strong weight decay (Nanda et al. 2023, arXiv:2301.05217). `--plain` takes their transformer, their
initial weights, ten epochs of warm-up and a loss in double precision instead of a Llama layer.

Excluded loss is the loss on the training pairs without the final frequencies of ``a + b`` in the
logits: it rises while the general solution forms, under a training loss that has long been flat.
Restricted loss is the loss on all pairs with nothing but these frequencies and the mean logits. As
in the paper, memorisation ends where excluded loss is lowest, and clean-up is when test loss
falls. Printed are that epoch and others by which people date the end of memorisation (training
accuracy .99, training loss .01, the highest sum of squared weights), then where excluded loss has
half risen, restricted loss half fallen, and test accuracy passes a half and .99, the frequencies
that the final model uses, and what `nucleate.transitions` makes of the curves. `--curves FILE.csv`
keeps them, so that a later detector can read them again. Ctrl-C ends a seed early and describes it.
"""

from __future__ import annotations

import argparse
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
from benchmarks.plain_transformer import PlainTransformer
from nucleate.models import ModelSettings, build
from nucleate.probes.geometry import effective_rank

# Suffixes: N pairs, P residues, V tokens.

COLUMNS = (
    "train_accuracy",
    "test_accuracy",
    "train_loss",
    "test_loss",
    "squared_weights",
    "excluded_loss",
    "restricted_loss",
)


@dataclass
class Task:
    """All pairs with their answers, and which of them are trained on."""

    p: int
    pairs_N3: torch.Tensor
    answers_N: torch.Tensor
    trained_N: torch.Tensor


@dataclass
class Curves:
    """What was measured at each point, and the weights there."""

    epochs: list[int] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    squared_weights: list[float] = field(default_factory=list)
    rank: list[float] = field(default_factory=list)
    weights: list[dict[str, torch.Tensor]] = field(default_factory=list)
    excluded_loss: list[float] = field(default_factory=list)
    restricted_loss: list[float] = field(default_factory=list)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plain", action="store_true", help="the published transformer, no Llama")
    parser.add_argument("--prime", type=int, default=59)
    parser.add_argument("--share", type=float, default=0.4, help="of pairs that are trained on")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=6000)
    parser.add_argument("--decay", type=float, default=1.0, help="weight decay")
    parser.add_argument("--per-decade", type=int, default=16, help="points in a decade of epochs")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--curves", type=Path, help="a table to write the curves to")
    wish = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[tuple[object, ...]] = [("run", "step", *COLUMNS)]
    for seed in range(wish.first_seed, wish.first_seed + wish.seeds):
        curves, keys = train(wish, seed)
        describe(curves, keys, seed)
        columns = (curves.epochs, *(getattr(curves, name) for name in COLUMNS))
        rows += [(f"seed {seed}", *row) for row in zip(*columns, strict=True)]
        if wish.curves:
            with wish.curves.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(rows)


def drawn_task(p: int, share: float, seed: int) -> Task:
    """Return all pairs of residues and a random share of them to train on."""
    pairs_N3 = torch.cartesian_prod(torch.arange(p), torch.arange(p), torch.tensor([p]))
    shuffled = torch.randperm(p * p, generator=torch.Generator().manual_seed(seed))
    trained_N = torch.zeros(p * p, dtype=torch.bool)
    trained_N[shuffled[: int(share * p * p)]] = True
    return Task(p, pairs_N3, (pairs_N3[:, 0] + pairs_N3[:, 1]) % p, trained_N)


def train(wish: Any, seed: int) -> tuple[Curves, list[int]]:
    """Train one seed; return its curves and the frequencies that the final model uses."""
    task = drawn_task(wish.prime, wish.share, seed)
    model: Any
    if wish.plain:
        model = PlainTransformer(wish.prime, wish.width, heads=4, seed=seed)
    else:
        shape = ModelSettings(
            layers=1, width=wish.width, heads=4, mlp_width=4 * wish.width, context=8, init_std=0.05
        )
        model = build(shape, wish.prime + 1, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=wish.decay, fused=wish.plain
    )
    grid = np.arange(1, math.log10(wish.epochs) + 1e-9, 1 / wish.per_decade)
    points = {round(10**u) for u in grid}
    curves = Curves()
    asked_N3, right_N = task.pairs_N3[task.trained_N], task.answers_N[task.trained_N]
    try:
        for epoch in range(1, wish.epochs + 1):
            if wish.plain:
                optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, (epoch - 1) / 10)
            optimizer.zero_grad()
            logits = answer(model, asked_N3, wish.prime)
            if wish.plain:
                logits = logits.double()
            nn.functional.cross_entropy(logits, right_N).backward()
            optimizer.step()
            if epoch in points:
                measure(curves, epoch, model, task)
    except KeyboardInterrupt:
        print(f"seed {seed} ended at epoch {epoch:,}", file=sys.stderr)
    keys = key_frequencies(logits_at(curves.weights[-1], model, task), task.p)
    for weights in curves.weights:
        logits_NP = logits_at(weights, model, task)
        curves.excluded_loss.append(excluded_loss(logits_NP, keys, task.trained_N.numpy(), task.p))
        curves.restricted_loss.append(restricted_loss(logits_NP, keys, task.p))
    return curves, keys


def answer(model: Any, asked_N3: torch.Tensor, p: int) -> torch.Tensor:
    """Return the logits after ``a b =``, ``(N, V)``; of a Llama only those of the residues."""
    if isinstance(model, PlainTransformer):
        return model(asked_N3)  # type: ignore[no-any-return]
    logits: torch.Tensor = model(input_ids=asked_N3, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1, :p]


@torch.no_grad()
def logits_at(weights: dict[str, torch.Tensor], model: Any, task: Task) -> np.ndarray:
    """Return the logits of the residues for all pairs under some weights, ``(N, P)``."""
    model.load_state_dict(weights)
    return np.asarray(answer(model, task.pairs_N3, task.p)[:, : task.p].numpy())


@torch.no_grad()
def measure(curves: Curves, epoch: int, model: Any, task: Task) -> None:
    logits_NP = answer(model, task.pairs_N3, task.p)[:, : task.p].double()
    hits_N = (logits_NP.argmax(-1) == task.answers_N).double()
    losses_N = nn.functional.cross_entropy(logits_NP, task.answers_N, reduction="none")
    curves.epochs.append(epoch)
    curves.train_accuracy.append(float(hits_N[task.trained_N].mean()))
    curves.test_accuracy.append(float(hits_N[~task.trained_N].mean()))
    curves.train_loss.append(float(losses_N[task.trained_N].mean()))
    curves.test_loss.append(float(losses_N[~task.trained_N].mean()))
    curves.squared_weights.append(sum(float((w**2).sum()) for w in model.parameters()))
    curves.rank.append(effective_rank(embedding(model)[: task.p].numpy()))
    curves.weights.append({name: value.clone() for name, value in model.state_dict().items()})
    print(
        f"epoch {epoch:,}: training {curves.train_accuracy[-1]:.3f} ({curves.train_loss[-1]:.2e}), "
        f"test {curves.test_accuracy[-1]:.3f} ({curves.test_loss[-1]:.2e})",
        file=sys.stderr,
    )


def embedding(model: Any) -> torch.Tensor:
    if isinstance(model, PlainTransformer):
        return model.embedding_VD.detach()
    weight: torch.Tensor = model.get_input_embeddings().weight.detach()
    return weight


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
    return float(losses(left - part(left, keys, p), p)[trained_N].mean())


def restricted_loss(logits_NP: np.ndarray, keys: list[int], p: int) -> float:
    """Return the loss on all pairs with the mean logits and some frequencies only, nats."""
    whole = logits_NP.astype(np.float64)
    return float(losses(whole.mean(0) + part(whole, keys, p), p).mean())


def part(logits_NP: np.ndarray, keys: list[int], p: int) -> np.ndarray:
    """Return the part of the logits that is made of some frequencies of ``a + b``."""
    if not keys:
        return np.zeros_like(logits_NP)
    basis = np.concatenate([waves(p, k) for k in keys])
    return np.asarray(basis.T @ (basis @ logits_NP))


def losses(logits_NP: np.ndarray, p: int) -> np.ndarray:
    right_N = torch.from_numpy(np.add.outer(np.arange(p), np.arange(p)).ravel() % p)
    return np.asarray(
        nn.functional.cross_entropy(torch.from_numpy(logits_NP), right_N, reduction="none").numpy()
    )


def describe(curves: Curves, keys: list[int], seed: int) -> None:
    """Print what was seen."""
    epochs, excluded = np.array(curves.epochs), np.array(curves.excluded_loss)
    lowest = int(excluded.argmin())
    highest = int(np.argmax(curves.squared_weights))
    print(f"seed {seed}: frequencies {keys}")
    print(
        f"  training accuracy .99 at {first(epochs, curves.train_accuracy, 0.99)}, training loss "
        f".01 at {first(epochs, np.negative(curves.train_loss), -0.01)}; "
        f"squared weights highest at {epochs[highest]:,}"
    )
    level = (excluded[lowest] + excluded[lowest:].max()) / 2
    print(
        f"  excluded loss lowest at {epochs[lowest]:,} ({excluded[lowest]:.3g}), half risen "
        f"({level:.3g}) at {first(epochs[lowest:], excluded[lowest:], level)}"
    )
    restricted = np.array(curves.restricted_loss)
    level = (restricted.max() + restricted[-1]) / 2
    top = int(restricted.argmax())
    print(
        f"  restricted loss highest at {epochs[top]:,} ({restricted[top]:.3g}), half fallen at "
        f"{first(epochs[top:], -restricted[top:], -level)}; "
        f"test loss highest at {epochs[int(np.argmax(curves.test_loss))]:,}"
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
        ("excluded loss", curves.excluded_loss),
    ):
        changes = nucleate.transitions(epochs, values)
        told = [f"{c.verdict} at {c.at:,.0f} ({c.lo:,.0f}–{c.hi:,.0f})" for c in changes]
        print(f"  {name}: {'; '.join(told) or 'no transition'}", flush=True)


def first(epochs: np.ndarray, values: Any, level: float) -> str:
    there = np.flatnonzero(np.asarray(values) >= level)
    return f"{epochs[there[0]]:,}" if len(there) else "never"


if __name__ == "__main__":
    main()
