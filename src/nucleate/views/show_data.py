"""What a run shows as JSON: a stable schema, numbers unrounded.

The object that ``nucleate show --json``, ``nucleate train --json`` and ``nucleate demo --json``
print (rules for all commands: `nucleate.core.printed`):

``schema``
    ``nucleate.show/1``.
``run``, ``name``, ``status``, ``axis``
    Run folder, name, ``running``, ``finished`` or ``interrupted``, what positions count
    (``tokens``, or ``step`` where a scan knows no more).
``last``
    Where the run stands: ``step``, ``tokens``, ``flops``, ``wall`` (seconds), ``lr``.
``story``
    The sentences at the top of every view.
``primary``
    The metric that stands for each level.
``curves``
    By metric: the keys of a curve of ``nucleate detect --json``, and ``name`` (plain words),
    ``level`` and ``says`` (the verdict as the tables write it).
``phases``
    ``phase``, ``begin``, ``end``, ``begin_percent``, ``end_percent``, ``begin_percent_interval``,
    ``scores`` (by level: ``value``, 0 to 1, and ``plus_minus``) and ``why``.
``scores``
    What a scan scores where it ends: the rows of ``nucleate table --json`` over one model.
``events``
    ``kind``, ``step``, ``tokens``, ``text``.
``report``
    The page that was written; null where none was.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.views.analysis import Analysis, analyse
from nucleate.views.detect.data import curve_data
from nucleate.views.labels import metric_name
from nucleate.views.rows import overall

if TYPE_CHECKING:
    from nucleate.store import Run


def show_data(run: Run, *, report: str | Path | None = None) -> dict[str, Any]:
    """Return what a run shows, see the schema above.

    Args:
        run: An open run folder.
        report: Path of a page that was written about it.
    """
    from nucleate.views.scan_scores import is_scan, score_rows
    from nucleate.views.table_data import score_data

    found = analyse(run)
    return {
        "run": str(run.path),
        "name": found.name,
        "status": found.status,
        "axis": run.manifest.recipe.get("axis", "tokens"),
        "last": asdict(found.last),
        "story": found.story,
        "primary": {str(level): metric for level, metric in found.primary.items()},
        "curves": [_curve(found, metric) for metric in sorted(found.assessments)],
        "phases": [asdict(row) for row in found.claims],
        "scores": [score_data(row) for row in score_rows([run])] if is_scan(run) else [],
        "events": [
            {
                "kind": event.kind,
                "step": event.step.step,
                "tokens": event.step.tokens,
                "text": event.text,
            }
            for event in run.events()
        ],
        "report": str(report) if report is not None else None,
    }


def _curve(found: Analysis, metric: str) -> dict[str, Any]:
    curve, assessment = found.curves[metric], found.assessments[metric]
    return {
        **curve_data("", curve, assessment),
        "name": metric_name(metric),
        "level": str(curve.level),
        "says": overall(assessment, curve).says,
    }
