"""Several scanned models as one page: scores beside each other, curves over each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from nucleate.views.document import content_policy, environment, sources, write_document
from nucleate.views.labels import plain_name
from nucleate.views.overlay import MOST_COLOURS, overlay
from nucleate.views.scan_scores import score_rows, written
from nucleate.views.scan_terminal import axis_of, model_names

if TYPE_CHECKING:
    from nucleate.store import Run


def write_comparison(runs: Sequence[Run], path: str | Path, patterns: Sequence[str] = ()) -> Path:
    """Write the page and return its path.

    Args:
        runs: Run folders of scans.
        path: The file to write; folders above it are created.
        patterns: Show the metrics that match one of these.

    Raises:
        RunFolderError: The file cannot be written.
    """
    return write_document(render_comparison(runs, patterns), path)


def render_comparison(runs: Sequence[Run], patterns: Sequence[str] = ()) -> str:
    """Return the comparison as one HTML page; the same runs give the same bytes."""
    made = environment()
    style = sources(made, "report.css", "scans.css")
    script = sources(made, "report.js")
    rows = score_rows(runs, patterns)
    names = model_names(runs)
    return made.get_template("scans.html.j2").render(
        names=list(enumerate(names)),
        axis=axis_of(runs[0]),
        colours=[f"m{number_ % MOST_COLOURS}" for number_ in range(len(runs))],
        rows=[(row, [written(cell) for cell in row.cells]) for row in rows],
        charts=_charts(runs, names, [row.metric for row in rows if row.primary or patterns]),
        facts=[(name, _facts(run)) for name, run in zip(names, runs, strict=True)],
        style=style,
        script=script,
        policy=content_policy(style, script),
    )


def _facts(run: Run) -> dict[str, str]:
    recipe = run.manifest.recipe
    places = {step.step for step, _ in run.readings()}
    told = [e.text for e in run.events() if e.kind not in ("note", "resumed", "no estimate")]
    return {
        "source": str(recipe.get("scan", "")),
        "suite": ", ".join(recipe.get("sets") or [str(recipe.get("suite", ""))]),
        "checkpoints": str(len(places)),
        "left out": "; ".join(told) or "none",
    }


def _charts(
    runs: Sequence[Run], names: Sequence[str], metrics: Sequence[str]
) -> list[tuple[str, str, Markup]]:
    """Return level, name and chart of each metric of which any model has a curve."""
    curves = [run.curves() for run in runs]
    axes = [axis_of(run) for run in runs]
    if len(set(axes)) > 1:
        return []  # steps of one model beside tokens of another would mislead
    out = []
    for metric in metrics:
        own = [(n, each[metric]) for n, each in enumerate(curves) if metric in each]
        drawn = overlay(own, names, axes[0], metric)
        if drawn:
            level = str(own[0][1].level)
            out.append((level, plain_name(metric), drawn))
    return out
