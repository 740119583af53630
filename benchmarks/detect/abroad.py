"""The detector on curves of another make: ``python -m benchmarks.detect.abroad``.

``--generator foreign`` draws from the second generator, ``--generator elsewhere`` from the third.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

from multiprocessing import get_context

import numpy as np

from benchmarks.detect import elsewhere, foreign
from benchmarks.detect.curves import Curve
from benchmarks.detect.evaluate import match
from benchmarks.detect.grids import draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.run import TURNS
from benchmarks.detect.tables import rate
from nucleate.detect import MAX_WIDTH, assess
from nucleate.detect.assess import NUM_BOOTSTRAP
from nucleate.detect.cache import GridCache

EACH = {"smooth": 20, "schedule": 5, "spike": 5, "step": 5, "kink": 5}
"""Curves of each sort on one grid."""

GENERATORS = {"foreign": (foreign, 9), "elsewhere": (elsewhere, 10)}
"""Generators by name, each with the last number of its seeds."""

CHANGED = ("step", "kink")
"""Sorts that hold a change to be found; any claim on the others is false."""


def evaluate(task: tuple[str, int, int]) -> Counter[str]:
    """Return counts over the curves of one grid."""
    name, seed, index = task
    generator, stream = GENERATORS[name]
    rng = np.random.default_rng([seed, index, stream])
    grid = draw_grid(rng, TURNS[index % len(TURNS)])
    cache, counts = GridCache(MAX_WIDTH, 0, NUM_BOOTSTRAP), Counter[str]()
    for what in generator.SORTS:
        for _ in range(EACH[what]):
            try:
                curve = generator.draw(rng, what, grid)
            except DoesNotFitError:
                break
            found = assess(curve.steps, curve.values, curve.stderr, cache=cache).transitions
            hits = match([t.at for t in curve.changes], [(t.at, t.lo, t.hi) for t in found])
            seen = [hit for hit in hits if hit is not None]
            counts[f"{what} curves"] += 1
            counts[f"{what} claimed"] += bool(found)
            counts[f"{what} found"] += len(seen)
            if what == "smooth" and found:
                counts[f"on {curve.family}"] += 1
            if curve.lr is not None:
                counts[f"{what} told"] += bool(_told(curve, cache))
            if curve.changes:
                counts["claims"] += len(found)
                counts["right"] += len(seen)
            if what == "step":
                counts["covered"] += sum(hit[0] for hit in seen)
    return counts


def _told(curve: Curve, cache: GridCache) -> tuple:
    """Return the claims of the detector when it is given the learning rate."""
    found = assess(curve.steps, curve.values, curve.stderr, cache=cache, lr=curve.lr)
    return tuple(found.transitions)


def main() -> None:
    """Evaluate on many grids and print one line for each rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generator", choices=GENERATORS, default="foreign")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--grids", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    tasks = [(given.generator, given.seed, index) for index in range(given.grids)]
    total: Counter[str] = Counter()
    with get_context("spawn").Pool(given.workers) as pool:
        for counts in pool.imap_unordered(evaluate, tasks):
            total.update(counts)
    sorts = GENERATORS[given.generator][0].SORTS
    for what in (sort for sort in sorts if sort not in CHANGED):
        num = total[f"{what} curves"]
        print(f"{what} curves claimed: {rate(total[f'{what} claimed'], num)} of {num}")
        if what == "schedule":
            print(f"  told the learning rate: {rate(total[f'{what} told'], num)} of {num}")
    on = ", ".join(f"{key[3:]} {num}" for key, num in total.most_common() if key[:3] == "on ")
    print(f"  smooth curves claimed by family: {on or 'none'}")
    for what in CHANGED:
        num = total[f"{what} curves"]
        print(f"{what}s found: {rate(total[f'{what} found'], num)} of {num}")
    print(f"precision on curves with a change: {rate(total['right'], total['claims'])}")
    print(f"intervals of steps that hold the truth: {rate(total['covered'], total['step found'])}")


if __name__ == "__main__":
    main()
