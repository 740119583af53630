"""How high smooth curves score: what the network's p-values are read from.

python -m benchmarks.detect.training.calibrate --draws FOLDER WEIGHTS
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.detect.training.draws import SORTS, joined, load
from nucleate.detect.network.judge import SIZES
from nucleate.detect.network.network import Network

KEPT = 4000
"""Scores that are kept for each size of curve, evenly spaced in rank."""


def main() -> None:
    """Add the sorted scores of smooth curves to a file of weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("--draws", type=Path, required=True, help="folder of generated curves")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--varied", type=int, default=2, help="seeds of varied curves")
    parser.add_argument("--curves", type=int, default=20_000, help="smooth curves of each seed")
    options = parser.parse_args()
    kept = np.load(options.weights)
    weights = {name: kept[name] for name in kept.files if not name.startswith("null.")}
    network = Network({name: value.astype(np.float32) for name, value in weights.items()})
    seeds = [3001 + i for i in range(options.seeds)]
    draws = load(options.draws, seeds, options.curves, smooth=True)
    if options.varied:
        seeds = [3101 + i for i in range(options.varied)]
        varied = load(options.draws, seeds, options.curves, smooth=True, share_varied=1.0)
        draws = joined(draws, varied)
    assert set(draws.sort) == {SORTS.index("smooth")}
    best = np.concatenate(
        [
            network.logits(draws.picture[i : i + 256].astype(np.float32)).max(axis=1)
            for i in range(0, len(draws.sort), 256)
        ]
    )
    stratum = np.searchsorted(SIZES, draws.size, side="right")
    for number in range(len(SIZES) + 1):
        for column, kind in enumerate(("step", "kink")):
            scores = np.sort(best[stratum == number, column])
            rank = np.linspace(0, scores.size - 1, min(KEPT, scores.size)).round().astype(int)
            weights[f"null.{kind}.{number}"] = scores[rank].astype(np.float32)
        print(f"stratum {number}: {np.sum(stratum == number)} smooth curves")
    np.savez_compressed(options.weights, **weights)


if __name__ == "__main__":
    main()
