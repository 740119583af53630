"""Generated curves as the network sees them, with the places of their changes, kept in files."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.detect.curves import CHANGES, CLEAR, NUISANCES, Curve, Grid, draw, draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.run import TURNS
from benchmarks.detect.training import varied
from nucleate.detect.network.picture import BINS, picture
from nucleate.detect.series import Series, clean

SORTS = (*(sort for sort in NUISANCES if sort != "cut restart"), *CHANGES)
"""What is drawn; whether a restart that the readings cut off is a step, they cannot tell."""

SHARES = {"smooth": 3.0, "spike": 2.0, **dict.fromkeys(CHANGES, 1.5)}
"""How often a sort is drawn, relative to 1."""

SPIKED = {"smooth": 2.0, "spike": 5.0, "restart": 1.5, **dict.fromkeys(CHANGES, 2.5)}
"""The same for curves on which every change has a spike beside it; other sorts are left out."""

PER_GRID = 16
FAINT = 5.0
"""Signal-to-noise of the least clear changes; most are at least `CLEAR`."""

VARIED = ("smooth", "spike", "step", "kink", "two steps")
"""Sorts that `varied` draws too."""


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


def make(
    seed: int,
    num: int,
    *,
    smooth: bool = False,
    spiked: bool = False,
    share_varied: float = 0.0,
) -> Draws:
    """Draw at least `num` curves: of all sorts, or smooth ones only; a share of them varied.

    Where they are `spiked`, every change has a spike beside it.
    """
    rng = np.random.default_rng([seed, 77])
    share = np.array([SPIKED.get(s, 0.0) if spiked else SHARES.get(s, 1.0) for s in SORTS])
    share[1:] *= not smooth
    rows: list[tuple] = []
    turn = 0
    while len(rows) < num:
        grid = draw_grid(rng, TURNS[turn % len(TURNS)])
        turn += 1
        for _ in range(PER_GRID):
            sort = int(rng.choice(len(SORTS), p=share / share.sum()))
            other = SORTS[sort] in VARIED and share_varied > 0.0 and rng.random() < share_varied
            row = _one(rng, grid, sort, other, spiked)
            if row is not None:
                rows.append(row)
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return Draws(*columns)


def _one(
    rng: np.random.Generator, grid: Grid, sort: int, is_varied: bool, spiked: bool
) -> tuple | None:
    least = CLEAR if rng.random() < 0.85 else FAINT
    try:
        if is_varied:
            curve = varied.draw(rng, SORTS[sort], grid, least, spiked=spiked)
        else:
            beside = "spike" if spiked else None
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


def load(
    folder: Path,
    seeds: list[int],
    num: int,
    *,
    smooth: bool = False,
    spiked: bool = False,
    share_varied: float = 0.0,
    workers: int = 2,
) -> Draws:
    """Return the curves of all seeds; those that are not in `folder` are drawn and kept there."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = "smooth" if smooth else "spiked" if spiked else "draws"
    name = ("varied-" if share_varied else "") + kind
    files = [folder / f"{name}-{seed}-{num}.npz" for seed in seeds]
    todo = [
        (seed, num, smooth, spiked, share_varied, file)
        for seed, file in zip(seeds, files, strict=True)
        if not file.exists()
    ]
    if todo:
        with get_context("spawn").Pool(workers) as pool:
            pool.starmap(_keep, todo)
    parts = [np.load(file) for file in files]
    return Draws(
        *(np.concatenate([part[key] for part in parts]) for key in Draws.__dataclass_fields__)
    )


def _keep(seed: int, num: int, smooth: bool, spiked: bool, share_varied: float, file: Path) -> None:
    draws = make(seed, num, smooth=smooth, spiked=spiked, share_varied=share_varied)
    np.savez(file, **{key: getattr(draws, key) for key in Draws.__dataclass_fields__})
