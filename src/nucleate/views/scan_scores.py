"""What scanned models score where their series ends: one row per metric, one column per model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from nucleate.core import Curve, Reading, Step, UserError, measure_of
from nucleate.core.errors import Words
from nucleate.views.labels import level_rank, number, plain_name, plus_minus, stem_of

if TYPE_CHECKING:
    from nucleate.store import Run

BESIDE = ("accuracy", "acc_norm", "recall", "score", "value")
"""Measures that stand for a stem, the first that was measured; else whichever comes first."""

QUESTIONS = ("suite", "sets", "texts")
"""What two scans must share for a metric of one name to ask the same of both."""

PER_TOKEN = ("nll", "gap_nll", "kl")
"""Measures per token, which models of different tokenizers do not share."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A metric of one model at the last checkpoint at which it was measured.

    Attributes:
        reading: Without its items.
        step: Where it was taken.
        difference: To the first model, with its standard error, paired where the items are the
            same; None for the first model, and where a standard error is not known.
    """

    reading: Reading
    step: Step
    difference: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One metric over several models; a model that lacks it has None."""

    metric: str
    level: str
    unit: str
    chance: float
    primary: bool
    cells: tuple[Cell | None, ...]

    @property
    def name(self) -> str:
        """Plain words for the metric; an accuracy goes without saying."""
        return plain_name(self.metric)

    @property
    def level_index(self) -> int:
        """Place of the level in the customary order."""
        return level_rank(self.level)

    @property
    def items(self) -> int:
        """How many items the first model that has the metric was asked."""
        return next(cell.reading.n for cell in self.cells if cell)


def is_scan(run: Run) -> bool:
    """Tell whether a run folder was written by a scan."""
    return "scan" in run.manifest.recipe


def scores_at_end(
    run: Run, curves: Iterable[Curve]
) -> list[tuple[ScoreRow, list[dict[str, str | bool]]]]:
    """Return what a scanned series scores where it ends; everything where there is one reading."""
    single = all(len(curve.steps) == 1 for curve in curves)
    if not (is_scan(run) or single):
        return []
    return [
        (row, [written(cell) for cell in row.cells])
        for row in score_rows([run])
        if row.primary or single
    ]


def score_rows(runs: Sequence[Run], patterns: Sequence[str] = ()) -> list[ScoreRow]:
    """Return the metrics of scanned models, by level, the one that stands for each level first.

    Args:
        runs: Open run folders.
        patterns: Show the metrics that match one of these; else one measure of each stem.
    """
    last: dict[str, list[tuple[Step, Reading] | None]] = {}
    for number_, run in enumerate(runs):
        for step, reading in run.readings():
            cells = last.setdefault(reading.metric, [None] * len(runs))
            before = cells[number_]
            if before is None or step.tokens >= before[0].tokens:
                cells[number_] = (step, reading)
    chosen = _chosen(list(last), patterns)
    stems = {stem for run in runs for stem in run.manifest.primary.values()}
    rows = [_row(metric, last[metric], runs, stems) for metric in chosen]
    return sorted(rows, key=lambda row: (level_rank(row.level), not row.primary, row.metric))


def _chosen(metrics: list[str], patterns: Sequence[str]) -> list[str]:
    if patterns:
        found = [metric for metric in metrics if any(fnmatch(metric, p) for p in patterns)]
        if not found:
            raise no_metric(patterns)
        return found
    by_stem: dict[str, list[str]] = {}
    for metric in metrics:
        by_stem.setdefault(stem_of(metric), []).append(metric)
    return [
        next((f"{stem}.{m}" for m in BESIDE if f"{stem}.{m}" in own), own[0])
        for stem, own in by_stem.items()
    ]


def no_metric(patterns: Sequence[str]) -> UserError:
    """Return the error that no metric has such a name."""
    return UserError(
        "no metric of these runs has such a name",
        where="--metric",
        got=Words(", ".join(patterns)),
        fix="nucleate show RUN names a run's metrics; quote a pattern",
    )


def _row(
    metric: str,
    cells: Sequence[tuple[Step, Reading] | None],
    runs: Sequence[Run],
    stems: set[str],
) -> ScoreRow:
    known = next(cell[1] for cell in cells if cell)
    return ScoreRow(
        metric=metric,
        level=str(known.level),
        unit=known.unit,
        chance=known.chance,
        primary=stem_of(metric) in stems or metric in stems,
        cells=tuple(
            Cell(cell[1], cell[0], _difference(metric, cells, runs, number_)) if cell else None
            for number_, cell in enumerate(cells)
        ),
    )


def _difference(
    metric: str,
    cells: Sequence[tuple[Step, Reading] | None],
    runs: Sequence[Run],
    number_: int,
) -> tuple[float, float] | None:
    """Return the difference to the first model and its standard error.

    Over the same items it is paired, item by item; items of one document are then taken as
    independent. Otherwise the errors of both models add up, which is never too narrow. There is
    none between answers to different questions, nor between losses per token of different tokens.
    """
    first, own = cells[0], cells[number_]
    if number_ == 0 or first is None or own is None or not _comparable(metric, runs, number_):
        return None
    plain = own[1].value - first[1].value, math.hypot(own[1].se, first[1].se)
    if not math.isfinite(plain[0]) or not same_items(runs[0], runs[number_]):
        return plain if all(math.isfinite(each) for each in plain) else None
    a = runs[0].items(metric, first[0].step).astype(np.float64)
    b = runs[number_].items(metric, own[0].step).astype(np.float64)
    means = all(
        each.size and math.isclose(float(each.mean()), cell[1].value, abs_tol=1e-6)
        for each, cell in ((a, first), (b, own))
    )  # an accuracy balanced over kinds of items is no mean of theirs
    gap = b - a if means and a.size == b.size else np.empty(0)
    if gap.size < 2 or not np.isfinite(gap).all():
        return plain if math.isfinite(plain[1]) else None
    return float(gap.mean()), float(gap.std(ddof=1) / math.sqrt(gap.size))


def _comparable(metric: str, runs: Sequence[Run], number_: int) -> bool:
    """Tell whether a metric of a model means the same as that of the first one."""
    if measure_of(metric) in PER_TOKEN:
        return same_items(runs[0], runs[number_])
    first, own = (runs[n].manifest.recipe for n in (0, number_))
    return all(first.get(key) == own.get(key) for key in QUESTIONS)


def same_items(one: Run, other: Run) -> bool:
    """Tell whether two scans asked the very same tokens: same suite, items and tokenizer."""
    keys = (*QUESTIONS, "data", "items", "seed", "levels", "context", "asked", "content")
    return all(one.manifest.recipe.get(k) == other.manifest.recipe.get(k) for k in keys)


def shown(cell: Cell | None) -> str:
    """Write a cell: value ± the half-width of its 95 % interval, where that is known."""
    from nucleate.detect.halfwidth import half_width

    if cell is None:
        return "–"
    value = number(cell.reading.value)
    one = cell.reading
    half = half_width(one.metric, one.value, one.se, one.n)
    return f"{value} ±{plus_minus(half)}" if half > 0 else value


def shown_difference(cell: Cell | None) -> str:
    """Write the difference of a cell to the first model; nothing where there is none."""
    if cell is None or cell.difference is None:
        return ""
    mean, error = cell.difference
    sign = "−" if mean < 0 else "+"
    gap = f"{sign}{number(abs(mean))}"
    return f"{gap} ±{plus_minus(1.96 * error)}" if error > 0 else gap


def written(cell: Cell | None) -> dict[str, str | bool]:
    """Return a cell as the pages write it."""
    return {"value": shown(cell), "difference": shown_difference(cell), "clear": clear(cell)}


def clear(cell: Cell | None) -> bool:
    """Tell whether the difference to the first model exceeds 1.96 of its standard errors."""
    if cell is None or cell.difference is None:
        return False
    mean, error = cell.difference
    return abs(mean) > 1.96 * error
