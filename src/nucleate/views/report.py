"""The report: one HTML file that needs no network, no fonts and no JavaScript to be complete."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.core.units import seconds, si, tokens
from nucleate.views.charts import ladder
from nucleate.views.decisions import told
from nucleate.views.document import content_policy, environment, sources, write_document
from nucleate.views.downloads import downloads
from nucleate.views.facts import costs, created, happenings, reproduce, settings_text
from nucleate.views.frame import token_domain
from nucleate.views.heads import head_story
from nucleate.views.losschart import loss_chart
from nucleate.views.methods import paper
from nucleate.views.panels import families, lane, panel
from nucleate.views.rows import MOVED, by_metric, grouped, verdict_rows
from nucleate.views.scan_scores import is_scan, scores_at_end
from nucleate.views.together import together

if TYPE_CHECKING:
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

NAME = "report.html"

NAMED = 12
"""Metrics of one verdict that are named above the table before the rest is only counted."""


def write_report(run_path: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run folder and return its path.

    Args:
        run_path: The run folder.
        out: The file to write; ``report.html`` inside the run folder by default.

    Raises:
        RunFolderError: No run folder, or the file cannot be written.

    Example:
        >>> write_report("runs/a")                              # doctest: +SKIP
    """
    from nucleate.store import Run

    run = Run.open(run_path)
    path = Path(out) if out is not None else run.path / NAME
    return write_document(render_report(run), path)


def render_report(run: Run, analysis: Analysis | None = None) -> str:
    """Return the report of a run as one HTML page; the same run gives the same bytes."""
    from nucleate.views.analysis import analyse

    found = analysis or analyse(run)
    made = environment()
    parts = ("report", "heads") if run.has_heads else ("report",)
    style = sources(made, *(f"{name}.css" for name in parts))
    script = sources(made, *(f"{name}.js" for name in parts))
    return made.get_template("report.html.j2").render(
        **_content(run, found),
        style=style,
        script=script,
        policy=content_policy(style, script),
    )


def _content(run: Run, found: Analysis) -> dict[str, Any]:
    """Return everything that the template says; all of it is escaped there."""
    rows = verdict_rows(found)
    curves = list(found.curves.values())
    domain = token_domain(curves)
    steps, losses = run.losses()
    heads = head_story(run, found)
    return {
        "found": found,
        "manifest": run.manifest,
        "created": created(run.manifest.created),
        "figures": _figures(run, found),
        "ladder": ladder(found),
        "rows": rows,
        "several": any(len(curve.steps) > 1 for curve in curves),
        "scores": scores_at_end(run, found.curves.values()),
        "lanes": {id(row): lane(domain, row) for row in rows} if domain else {},
        "grouped": grouped(rows),
        "moved": MOVED,
        "named": NAMED,
        "first": by_metric(rows),
        "unresolved": any(phase.name == "unresolved" for phase in found.phases),
        "levels": [str(level) for level in found.primary],
        "groups": _groups(found, [row.metric for row in rows]),
        "loss": loss_chart(steps, losses),
        "final_loss": losses[-1] if losses else math.nan,
        "heads": heads,
        "together": together(found, heads),
        "paper": paper(run, found),
        "downloads": downloads(run, found),
        "costs": costs(run.ledger()),
        "decisions": told(run.decisions()),
        "events": happenings(run.events()),
        "attempts": run.attempts(),
        "damaged": run.damaged,
        "settings": settings_text(run.manifest.recipe),
        "environment": settings_text(
            {**run.manifest.environment, "nucleate": run.manifest.nucleate}
        ),
        "seeds": run.manifest.seeds,
        "reproduce": reproduce(run.manifest),
        "at_zero": any(step.tokens <= 0 for curve in curves for step in curve.steps),
    }


def _groups(found: Analysis, order: Sequence[str]) -> Mapping[str, list[tuple[Any, str]]]:
    """Return the panels by level."""
    out: dict[str, list[tuple[Any, str]]] = {}
    for family in families(found.curves, order):
        out.setdefault(family.level, []).append((family, panel(found, family)))
    return out


def _figures(run: Run, found: Analysis) -> list[tuple[str, str]]:
    """Return the run's key figures as (name, value), those that are known."""
    last = found.last
    out = [(found.axis, tokens(last.tokens))] if last.tokens > 0 else []
    if is_scan(run):
        count = len({step.step for step, _ in run.readings()})
        out.append(("checkpoint" if count == 1 else "checkpoints", str(count)))
    if last.flops:
        out.append(("FLOPs, modelled", si(last.flops)))
    if last.wall:
        out.append(("time", seconds(last.wall)))
        if not is_scan(run):
            out.append(("tokens per second", si(last.tokens / last.wall)))
    share = costs(run.ledger()).probe_share
    if math.isfinite(share):
        out.append(("spent on probes", f"{share:.1%}"))
    taken = run.curves()  # all that were taken; of the heads, the table judges no summaries
    readings = sum(len(curve.steps) for curve in taken.values())
    out.append(("metrics", str(len(taken))))
    out.append(("readings", f"{readings:,}".replace(",", " ")))
    return out
