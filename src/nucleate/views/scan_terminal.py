"""What a scan shows, printed in a terminal: changes along the series, and scores where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core.units import tokens
from nucleate.views.labels import level_name, number
from nucleate.views.narrow import fitting
from nucleate.views.scan_scores import ScoreRow, clear, score_rows, shown, shown_difference
from nucleate.views.terminal import summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nucleate.core import Event
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

FAILED = "probe failed"
"""Kind of the events whose text begins with the name of a probe."""

DAMAGE = ("note", "resumed")
"""Kinds of events that are no reason to distrust a checkpoint."""


def scan_summary(
    run: Run,
    analysis: Analysis | None = None,
    console: Console | None = None,
    *,
    report: str | Path | None = None,
) -> None:
    """Print what a scan shows: the changes of a series, or the scores of a single checkpoint.

    Args:
        run: The run folder.
        analysis: Its analysis, if that is at hand.
        console: Where to print; standard output by default.
        report: Path of the report, named in the last line.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    rows = score_rows([run])
    places = {cell.step for row in rows for cell in row.cells if cell}
    several = any(len(curve.steps) > 1 for curve in run.curves().values())
    if several:
        summary(analysis or run, out)
        rows = [row for row in rows if row.primary]
    else:
        out.print()
        out.print(Text(run.manifest.name, style="bold"))
    if rows:
        out.print()
        at = tokens(max(step.tokens for step in places))
        where = f"at {at} {axis_of(run)}, " if several else ""
        note = f"{where}± 95 % over items"
        out.print(Text.assemble(("Scores", "bold underline"), "  ", (note, "dim")))
        out.print(fitting(scores_table(rows, [run.manifest.name]), out))
    for line in event_lines(run.events()):
        out.print(Text(line, style="yellow"), soft_wrap=True)
    if report is not None:
        out.print()
        out.print(Text.assemble("report  ", (str(report), "bold")), soft_wrap=True)


def event_lines(events: Sequence[Event]) -> list[str]:
    """Return what went wrong, each reason once: with the probes and the checkpoints it befell."""
    reasons: dict[tuple[str, str], tuple[list[str], set[int]]] = {}
    for event in events:
        if event.kind in DAMAGE:
            continue
        probe, _, reason = event.text.partition(": ") if event.kind == FAILED else ("", "", "")
        probes, steps = reasons.setdefault((event.kind, reason or event.text), ([], set()))
        if reason and probe not in probes:
            probes.append(probe)
        steps.add(event.step.step)
    return [
        f"{': '.join(part for part in (kind, ', '.join(probes), text) if part)}"
        + (f" ({len(steps)} checkpoints)" if len(steps) > 1 else "")
        for (kind, text), (probes, steps) in reasons.items()
    ]


def compare_scans(
    runs: Sequence[Run],
    *,
    patterns: Sequence[str] = (),
    console: Console | None = None,
    report: str | Path | None = None,
) -> None:
    """Print the scores of several scanned models beside each other, where their series end.

    Args:
        runs: Run folders of scans.
        patterns: Show the metrics that match one of these; those that stand for a level if empty.
        console: Where to print; standard output by default.
        report: Path of the page, named in the last line.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    names = model_names(runs)
    note = "value ± 95 %; beneath, the difference to the first, bold where it is clear of 0"
    out.print(Text(note, style="dim"))
    rows = score_rows(runs, patterns)
    chosen = [row for row in rows if row.primary or patterns] or rows
    out.print(fitting(scores_table(chosen, names), out))
    if not patterns:
        out.print(Text("--metric '*' shows every metric", style="dim"))
    if report is not None:
        out.print()
        out.print(Text.assemble("page  ", (str(report), "bold")), soft_wrap=True)


def model_names(runs: Sequence[Run]) -> list[str]:
    """Return the names of the models, with the folder where two share a name."""
    names = [run.manifest.name for run in runs]
    return [
        f"{name} ({run.path.name})" if names.count(name) > 1 else name
        for name, run in zip(names, runs, strict=True)
    ]


def axis_of(run: Run) -> str:
    """Return what the positions of a run count."""
    return "steps" if run.manifest.recipe.get("axis") == "step" else "tokens"


def scores_table(rows: Sequence[ScoreRow], names: Sequence[str]) -> Table:
    """Return the rows as a table for the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("metric", overflow="fold")
    table.add_column("chance", justify="right")
    table.add_column("n", justify="right")
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    level = ""
    for row in rows:
        if row.level != level:
            level = row.level
            table.add_row(Text(level_name(level), style="dim italic"))
        cells = []
        for cell in row.cells:
            text = Text(shown(cell))
            if difference := shown_difference(cell):
                text.append(f"\n{difference}", style="bold" if clear(cell) else "dim")
            cells.append(text)
        style = "bold" if row.primary else ""
        table.add_row(Text(row.name, style=style), number(row.chance), str(row.items), *cells)
    return table
