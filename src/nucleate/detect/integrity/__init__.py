"""Integrity: reasons to distrust a source before any conclusion is drawn from it."""

from __future__ import annotations

from nucleate.core import CurveBook, Flag
from nucleate.detect.integrity.classes import class_collapse
from nucleate.detect.integrity.duplicates import duplicate_checkpoints
from nucleate.detect.integrity.grouping import together
from nucleate.detect.integrity.leakage import leakage
from nucleate.detect.integrity.outliers import outlier_runs
from nucleate.detect.integrity.panel import Panel, directions, panels
from nucleate.detect.integrity.quality import impossible_values
from nucleate.detect.integrity.shared import shared_values
from nucleate.detect.integrity.swapped import swapped_checkpoints

__all__ = [
    "Panel",
    "class_collapse",
    "directions",
    "duplicate_checkpoints",
    "impossible_values",
    "integrity_flags",
    "leakage",
    "outlier_runs",
    "panels",
    "shared_values",
    "swapped_checkpoints",
]


def integrity_flags(book: CurveBook) -> tuple[Flag, ...]:
    """Return every reason to distrust a source, run by run, then between runs.

    Long runs are thinned to 400 positions, evenly in their logarithm, except for the comparison
    between runs, which averages them; a source without a flag is not thereby proved sound.

    Args:
        book: Curves by run and metric, on one axis.

    >>> integrity_flags(CurveBook("empty.csv", "step", {}))
    ()
    """
    tables = panels(book)
    flags = together([flag for panel in tables for flag in duplicate_checkpoints(panel)])
    suspicious = [
        flag for panel in tables for flag in (*swapped_checkpoints(panel), *leakage(panel))
    ]
    values: list[Flag] = []
    for panel in tables:
        collapsed = class_collapse(panel)
        values.extend(collapsed)
        known = {metric for flag in collapsed for metric in flag.metrics}
        values.extend(impossible_values(panel, skip=known))
    return (
        *flags,
        *suspicious,
        *together(values),
        *shared_values(tables),
        *outlier_runs(book),
    )
