"""Draw grids, spread them over processes, print what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from multiprocessing import get_context

import numpy as np

from benchmarks.detect.curves import draw, draw_grid
from benchmarks.detect.evaluate import Row, Task, evaluate, measured
from benchmarks.detect.grids import KINDS
from benchmarks.detect.peers import available
from benchmarks.detect.tables import NOTE, cells, main_table, render
from nucleate.detect import assess, assess_curves

PANELS = 5
"""Panels on one grid."""

PER_GRID = 5
"""Curves of each sort on one grid."""

SMOOTH_SHARE = 4
"""Smooth curves per curve of any other sort: their rate is small, so it needs more of them."""

TURNS = ("regular", "jittered", "gaps", "dense", "missing", "regular", "pythia", "jittered")
TURNS += ("dense", "gaps", "missing", "all pythia")


def tasks(seed: int, replicates: int, peers: tuple[str, ...]) -> list[Task]:
    """Return one task per grid, for at least `replicates` curves of every sort."""
    assert set(TURNS) == set(KINDS)
    num = max(1, math.ceil(replicates / PER_GRID))
    each = min(PER_GRID, replicates)
    return [
        Task(seed, i, TURNS[i % len(TURNS)], each, SMOOTH_SHARE * each, PANELS, peers)
        for i in range(num)
    ]


def run(seed: int, replicates: int, *, peers: bool, workers: int) -> list[Row]:
    """Return everything that every detector said."""
    names = tuple(available()) if peers else ()
    todo = tasks(seed, replicates, names)
    return [row for rows in _spread(todo, workers) for row in rows]


def _spread(todo: list[Task], workers: int) -> Iterator[list[Row]]:
    if workers <= 1:
        yield from map(evaluate, todo)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(evaluate, todo)


def report(
    seed: int, replicates: int, *, peers: bool, workers: int, markdown: bool, by_cell: bool
) -> None:
    """Run everything and print it."""
    started = time.perf_counter()
    rows = run(seed, replicates, peers=peers, workers=workers)
    print(render(main_table(rows), markdown))
    if by_cell:
        for title, lines in cells(rows):
            print(f"\n{title}\n\n{render(lines, markdown)}")
    print(f"\n{NOTE} Seed {seed}, {replicates} replicates.")
    if peers:
        print(
            "Peers see dense curves averaged into 160 bins of log step; claspy and the sigmoid see "
            "every fourth curve; on panels peers have no control for families and see half."
        )
    print(*timings(seed), sep="\n")
    print(f"The whole benchmark took {time.perf_counter() - started:.0f} s.")


def timings(seed: int, metrics: int = 500) -> list[str]:
    """Time one large table and one long loss, in one process, nothing cached before."""
    rng = np.random.default_rng([seed, 1_000_000])
    grid = draw_grid(rng, "regular")
    while abs(grid.steps.size - 60) > 5:
        grid = draw_grid(rng, "regular")
    curves = {}
    for i in range(metrics):
        curve = draw(rng, "step" if i % 5 == 0 else "smooth", grid)
        name = f"m{i}.score"
        curves[name] = measured(name, curve)
    started = time.perf_counter()
    assess_curves(curves)
    table = time.perf_counter() - started
    steps = np.arange(1.0, 20_001.0)
    loss = 2.0 + 8.0 * (1 + steps / 50) ** -0.4 + 0.1 * rng.standard_normal(steps.size)
    started = time.perf_counter()
    assess(steps, loss)
    return [
        f"{metrics} metrics at {grid.steps.size} checkpoints: {table:.1f} s in one process.",
        f"A loss of 20,000 readings: {time.perf_counter() - started:.1f} s.",
    ]
