"""How high smooth curves score: what the network's p-values are read from.

python -m benchmarks.detect.training.calibrate WEIGHTS
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.detect.training.draws import SORTS, Mix, chunks, joined
from nucleate.detect.network.judge import SIZES
from nucleate.detect.network.network import Network

KEPT = 4000
"""Scores that are kept for each size of curve, evenly spaced in rank."""

KINDS = {3001: Mix(), 3101: Mix(varied=1.0), 3201: Mix(broad=1.0)}
"""Seeds of the smooth curves, and what they are."""


def main() -> None:
    """Add the sorted scores of smooth curves to a file of weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--curves", type=int, default=40_000, help="smooth curves of each kind")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    kept = np.load(options.weights)
    weights = {name: kept[name] for name in kept.files if not name.startswith("null.")}
    network = Network({name: value.astype(np.float32) for name, value in weights.items()})
    draws = joined(
        *(
            chunks(seed, options.curves, options.workers, smooth=True, mix=mix)
            for seed, mix in KINDS.items()
        )
    )
    assert set(draws.sort) == {SORTS.index("smooth")}
    best = np.concatenate(
        [
            network.logits(draws.picture[i : i + 256].astype(np.float32)).max(axis=1)
            for i in range(0, len(draws.sort), 256)
        ]
    )
    np.savez_compressed(options.weights, **weights, **null_scores(best, draws.size))


def null_scores(best: np.ndarray, size: np.ndarray) -> dict[str, np.ndarray]:
    """Return sorted scores by kind of change and number of readings.

    Args:
        best: Highest score of each curve as a step and as a kink, shape ``(N, 2)``.
        size: Readings of each curve, shape ``(N,)``.
    """
    out = {}
    stratum = np.searchsorted(SIZES, size, side="right")
    for number in range(len(SIZES) + 1):
        for column, kind in enumerate(("step", "kink")):
            scores = np.sort(best[stratum == number, column])
            rank = np.linspace(0, scores.size - 1, min(KEPT, scores.size)).round().astype(int)
            out[f"null.{kind}.{number}"] = scores[rank].astype(np.float32)
        print(f"stratum {number}: {np.sum(stratum == number)} smooth curves")
    return out


if __name__ == "__main__":
    main()
