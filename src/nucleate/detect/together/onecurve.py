"""Is each accuracy one curve of its continuous companion, in all runs that hold both?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nucleate.core import Curve, CurveBook
from nucleate.detect.companions import continuous
from nucleate.detect.family import by_logarithm
from nucleate.detect.runs.collapse import CANNOT_TELL, MIN_RUNS, collapse_test
from nucleate.detect.together.results import Part, Result

COLLAPSE = ("collapse", "Is the accuracy one curve of its companion, in every run?")

MOST_ACCURACIES, MOST_READINGS = 8, 2_000


def collapses(book: CurveBook, seed: int) -> Part:
    """Test every accuracy with a companion and a number of items, over all runs that hold both."""
    why = f"a collapse needs an accuracy with its margin or loss in at least {MIN_RUNS} runs"
    names = dict.fromkeys(name for curves in book.runs.values() for name in curves)
    pairs = [(name, pair[0]) for name in names if (pair := continuous(name, names))]
    results: list[Result] = []
    for accuracy, companion in pairs:
        both = [curves for curves in book.runs.values() if {accuracy, companion} <= set(curves)]
        if len(both) < MIN_RUNS:
            continue
        why = "a collapse needs accuracies in [0, 1] with the number of items behind them"
        if len(results) < MOST_ACCURACIES:
            found = _collapse([(c[accuracy], c[companion]) for c in both], seed)
            results += [found] if found is not None else []
    return Part(*COLLAPSE, tuple(results)) if results else Part(*COLLAPSE, refused=why)


def _collapse(pairs: Sequence[tuple[Curve, Curve]], seed: int) -> Result | None:
    rows: list[tuple[float, float, float, float, float, float]] = []
    for run, (accuracy, companion) in enumerate(pairs):
        items, by_log = _items(accuracy), by_logarithm(companion)
        others = dict(zip(companion.tokens.tolist(), zip(companion.values, companion.se)))  # noqa: B905
        for place, value, n in zip(accuracy.tokens.tolist(), accuracy.values, items, strict=True):
            if place in others:
                x, se = others[place]
                x, se = (math.log(x), se / x) if by_log and x > 0 else (x, se)
                rows.append((x, value, run, n, se, place))
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    table = table[np.isfinite(table[:, :2]).all(axis=1) & (table[:, 3] > 0)]
    if len(table) > MOST_READINGS:
        table = table[:: math.ceil(len(table) / MOST_READINGS)]
    if not len(table) or table[:, 1].min() < 0 or table[:, 1].max() > 1:
        return None
    found = collapse_test(
        table[:, 0],
        table[:, 1],
        table[:, 2],
        n=table[:, 3],
        companion_stderr=table[:, 4],
        positions=table[:, 5],
        seed=seed,
    )
    accuracy, companion = pairs[0]
    return Result(
        about=f"{accuracy.metric} over {companion.metric}",
        verdict=found.verdict,
        note=found.note,
        shown=found.verdict != CANNOT_TELL,
        figures={
            "p": found.p,
            "scatter": found.scatter,
            "excess": found.excess,
            "rise": found.rise,
            "by_position": found.by_position,
            "runs": found.num_runs,
            "readings": found.num_readings,
        },
    )


def _items(curve: Curve) -> list[float]:
    """Return the items behind each reading: as counted, else as a binomial error implies them."""
    if any(curve.counts):
        return [float(n) for n in curve.counts]
    return [
        max(1.0, round(p * (1 - p) / se**2)) if 0 < p < 1 and math.isfinite(se) and se > 0 else 0.0
        for p, se in zip(curve.values, curve.se, strict=True)
    ]
