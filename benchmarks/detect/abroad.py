"""The detector on curves of the second generator: ``python -m benchmarks.detect.abroad``."""

from __future__ import annotations

import argparse
import os
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

from multiprocessing import get_context

import numpy as np

from benchmarks.detect.evaluate import match
from benchmarks.detect.foreign import SORTS, draw
from benchmarks.detect.grids import draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.run import TURNS
from benchmarks.detect.tables import rate
from nucleate.detect import MAX_WIDTH, assess
from nucleate.detect.assess import NUM_BOOTSTRAP
from nucleate.detect.cache import GridCache

EACH = {"smooth": 20, "spike": 5, "step": 5, "kink": 5}
"""Curves of each sort on one grid."""


def evaluate(task: tuple[int, int]) -> Counter[str]:
    """Return counts over the curves of one grid."""
    seed, index = task
    rng = np.random.default_rng([seed, index, 9])
    grid = draw_grid(rng, TURNS[index % len(TURNS)])
    cache, counts = GridCache(MAX_WIDTH, 0, NUM_BOOTSTRAP), Counter[str]()
    for what in SORTS:
        for _ in range(EACH[what]):
            try:
                curve = draw(rng, what, grid)
            except DoesNotFitError:
                break
            found = assess(curve.steps, curve.values, cache=cache).transitions
            hits = match([t.at for t in curve.changes], [(t.at, t.lo, t.hi) for t in found])
            seen = [hit for hit in hits if hit is not None]
            counts[f"{what} curves"] += 1
            counts[f"{what} claimed"] += bool(found)
            counts[f"{what} found"] += len(seen)
            if curve.changes:
                counts["claims"] += len(found)
                counts["right"] += len(seen)
            if what == "step":
                counts["covered"] += sum(hit[0] for hit in seen)
    return counts


def main() -> None:
    """Evaluate on many grids and print one line for each rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grids", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    tasks = [(given.seed, index) for index in range(given.grids)]
    total: Counter[str] = Counter()
    with get_context("spawn").Pool(given.workers) as pool:
        for counts in pool.imap_unordered(evaluate, tasks):
            total.update(counts)
    for what in ("smooth", "spike"):
        print(f"{what} curves claimed: {rate(total[f'{what} claimed'], total[f'{what} curves'])}")
    for what in ("step", "kink"):
        print(f"{what}s found: {rate(total[f'{what} found'], total[f'{what} curves'])}")
    print(f"precision on curves with a change: {rate(total['right'], total['claims'])}")
    print(f"intervals of steps that hold the truth: {rate(total['covered'], total['step found'])}")


if __name__ == "__main__":
    main()
