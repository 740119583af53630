"""Several runs side by side as JSON: a stable schema, numbers unrounded.

The object that ``nucleate table --json`` and ``nucleate demo --seeds N --json`` print (rules for
all commands: `nucleate.core.printed`):

``schema``
    ``nucleate.table/1``.
``of``
    ``seeds``: where each metric changes in runs of one recipe. ``scans``: what models score where
    their series end.
``runs``
    ``run`` (folder) and ``name``, in the order of the command line.
``rows``
    Of seeds: ``metric``, ``level``, ``runs`` (how many measured it), ``changed`` (in how many it
    changed), ``onset``, ``at`` (positions) and ``width`` (decades), each with ``median``, ``min``
    and ``max`` over the runs in which it changed, ``interval`` (the lowest and the highest end of
    their 95 % intervals) and ``verdicts`` (in how many runs each is passed).
    Of scans: ``metric``, ``name``, ``level``, ``unit``, ``chance``, ``primary`` (stands for its
    level) and ``cells``, one for each model: ``value``, ``se``, ``n``, ``step``, ``tokens``,
    ``difference`` to the first model and its ``difference_se``; null where it was not measured.
``report``
    The page that was written; null where none was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.views.scan_scores import Cell, ScoreRow, score_rows
from nucleate.views.studytable import StudyRow, chosen_rows

if TYPE_CHECKING:
    from nucleate.store import Run


def seeds_data(runs: Sequence[Run], patterns: Sequence[str] = ()) -> dict[str, Any]:
    """Return the table over several seeds, see the schema above.

    Args:
        runs: Open run folders that differ in their seeds only.
        patterns: Show the metrics that match one of these; those that stand for a level if empty.
    """
    rows = [seed_data(row) for row in chosen_rows(runs, patterns)]
    return {"of": "seeds", "runs": _named(runs), "rows": rows, "report": None}


def scans_data(
    runs: Sequence[Run], patterns: Sequence[str] = (), *, report: Path | None = None
) -> dict[str, Any]:
    """Return the table over several scanned models, see the schema above.

    Args:
        runs: Open run folders of scans.
        patterns: Show the metrics that match one of these; one measure of each if empty.
        report: The page that was written.
    """
    rows = [score_data(row) for row in score_rows(runs, patterns)]
    page = str(report) if report is not None else None
    return {"of": "scans", "runs": _named(runs), "rows": rows, "report": page}


def seed_data(row: StudyRow) -> dict[str, Any]:
    """Return one metric over several seeds."""
    return {
        "metric": row.metric,
        "level": row.level,
        "runs": row.num_runs,
        "changed": row.num_changed,
        "onset": _spread(row.onset),
        "at": _spread(row.at),
        "width": _spread(row.width),
        "interval": row.interval,
        "verdicts": dict(row.verdicts),
    }


def score_data(row: ScoreRow) -> dict[str, Any]:
    """Return one metric over several models."""
    return {
        "metric": row.metric,
        "name": row.name,
        "level": row.level,
        "unit": row.unit,
        "chance": row.chance,
        "primary": row.primary,
        "cells": [_cell(cell) for cell in row.cells],
    }


def _cell(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    difference, error = cell.difference or (None, None)
    return {
        "value": cell.reading.value,
        "se": cell.reading.se,
        "n": cell.reading.n,
        "step": cell.step.step,
        "tokens": cell.step.tokens,
        "difference": difference,
        "difference_se": error,
    }


def _spread(values: tuple[float, float, float] | None) -> dict[str, float] | None:
    if values is None:
        return None
    return dict(zip(("median", "min", "max"), values, strict=True))


def _named(runs: Sequence[Run]) -> list[dict[str, str]]:
    return [{"run": str(run.path), "name": run.manifest.name} for run in runs]
