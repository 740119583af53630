"""Generated curves as the network sees them, with the places of their changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np

from benchmarks.detect.curves import CHANGES, CLEAR, NUISANCES, Curve, Grid, draw, draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.run import TURNS
from benchmarks.detect.training import broad, varied
from nucleate.detect.network.picture import BINS, picture
from nucleate.detect.series import Series, clean

SORTS = (*(sort for sort in NUISANCES if sort != "cut restart"), *CHANGES)
"""What is drawn; whether a restart that the readings cut off is a step, they cannot tell."""

SHARES = {"smooth": 3.0, "spike": 2.0, **dict.fromkeys(CHANGES, 1.5)}
"""How often a sort is drawn, relative to 1."""

Seed = int | Sequence[int]

TURNS_HARD = ("regular", "jittered", "gaps", "missing", "pythia", "regular", "jittered")
TURNS_HARD += ("gaps", "missing", "all pythia", "dense", "regular", "jittered")
"""Kinds of grids of the hard curves: fewer long ones, on which changes are seen most easily."""

SHORT = 40
"""Grids with fewer readings are short: a third of the hard curves has such a one by choice."""

PER_GRID = 16
CHUNK = 512
FAINT = 5.0
"""Signal-to-noise of the least clear changes; most are at least `CLEAR`."""

VARIED = ("smooth", "spike", "step", "kink", "two steps")
"""Sorts that `varied` draws too."""


@dataclass(frozen=True)
class Mix:
    """What curves are drawn.

    Attributes:
        varied, broad: Share of the curves that are such ones; the others are the benchmark's.
        hard: Whether there are more of what is hardest to find: short grids, changes beside
            spikes, kinks; and spikes of several readings on short grids.
    """

    varied: float = 0.0
    broad: float = 0.0
    hard: bool = False


TRAINING = Mix(varied=0.2, broad=0.4)


@dataclass(frozen=True)
class Draws:
    """Curves with their truth.

    Attributes:
        picture: Shape ``(N, C, BINS)``.
        target: One where a step or cliff (0) or a kink (1) is, shape ``(N, 2, BINS)``.
        span: Decades, shape ``(N,)``.
        sort: Index into `SORTS`, shape ``(N,)``.
        size: Number of readings, shape ``(N,)``.
    """

    picture: np.ndarray
    target: np.ndarray
    span: np.ndarray
    sort: np.ndarray
    size: np.ndarray


def seen(rng: np.random.Generator, curve: Curve) -> Series:
    """Return a curve cleaned; its learning rate is told to two in five, constant ones to some."""
    lr = curve.lr
    if lr is None and rng.random() < 0.15:
        lr = np.ones(curve.steps.size)
    elif rng.random() < 0.6:
        lr = None
    return clean(curve.steps, curve.values, curve.stderr, lr)


def target(curve: Curve, series: Series) -> np.ndarray:
    """Return where the changes of a curve are, shape ``(2, BINS)``."""
    x = series.x if series.dense is None else series.dense.x
    out = np.zeros((2, BINS), dtype=np.float32)
    for change in curve.changes:
        place = int((np.log10(change.at) - x[0]) / (x[-1] - x[0]) * BINS)
        out[int(change.kind == "kink"), min(max(place, 0), BINS - 1)] = 1.0
    return out


def make(seed: Seed, num: int, *, smooth: bool = False, mix: Mix = TRAINING) -> Draws:
    """Draw at least `num` curves, of all sorts or smooth ones only."""
    rng = np.random.default_rng(seed)
    share = np.array([SHARES.get(sort, 1.0) for sort in SORTS])
    share[1:] *= not smooth
    if mix.hard:
        share[SORTS.index("kink")] *= 1.5
    rows: list[tuple] = []
    turns = TURNS_HARD if mix.hard else TURNS
    turn = int(rng.integers(len(turns)))
    while len(rows) < num:
        kind = turns[turn % len(turns)]
        grid = _short(rng, kind) if mix.hard and rng.random() < 1 / 3 else draw_grid(rng, kind)
        turn += 1
        for _ in range(PER_GRID):
            sort = int(rng.choice(len(SORTS), p=share / share.sum()))
            row = _one(rng, grid, sort, mix)
            if row is not None:
                rows.append(row)
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return Draws(*columns)


def _short(rng: np.random.Generator, kind: str) -> Grid:
    grid = draw_grid(rng, kind)
    while kind not in ("pythia", "all pythia", "dense") and grid.there.sum() >= SHORT:
        grid = draw_grid(rng, kind)
    return grid


def _one(rng: np.random.Generator, grid: Grid, sort: int, mix: Mix) -> tuple | None:
    least = CLEAR if rng.random() < 0.85 else FAINT
    kind = rng.random()
    beside = "spike" if mix.hard and SORTS[sort] in CHANGES and rng.random() < 0.15 else None
    try:
        if kind < mix.broad:
            curve = broad.draw(rng, SORTS[sort], grid, least, beside, long_spikes=mix.hard)
        elif kind < mix.broad + mix.varied and SORTS[sort] in VARIED:
            curve = varied.draw(rng, SORTS[sort], grid, least)
        else:
            curve = draw(rng, SORTS[sort], grid, least_snr=least, beside=beside)
    except DoesNotFitError:
        return None
    series = seen(rng, curve)
    size = series.x.size if series.dense is None else series.dense.x.size
    x = series.x if series.dense is None else series.dense.x
    return (
        picture(series).astype(np.float16),
        target(curve, series).astype(np.uint8),
        float(x[-1] - x[0]),
        sort,
        size,
    )


def joined(*parts: Draws) -> Draws:
    """Return the curves of several draws as one."""
    return Draws(
        *(
            np.concatenate([getattr(part, key) for part in parts])
            for key in Draws.__dataclass_fields__
        )
    )


def chunks(seed: int, num: int, workers: int, *, smooth: bool, mix: Mix) -> Draws:
    """Draw at least `num` curves in several processes; the same whatever their number."""
    tasks = [(seed, number) for number in range(-(-num // CHUNK))]
    with get_context("spawn").Pool(workers) as pool:
        draw_one = partial(make, num=CHUNK, smooth=smooth, mix=mix)
        return joined(*pool.imap(draw_one, tasks))
