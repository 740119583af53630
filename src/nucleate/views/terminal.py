"""What a run shows, printed in a terminal after it: readable at 80 columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core import Verdict
from nucleate.core.units import seconds, si, tokens
from nucleate.views.labels import (
    SHARP,
    level_name,
    level_rank,
    measure_name,
    number,
    plus_minus,
    probability,
    span,
    stem_of,
)
from nucleate.views.live import LiveView, Progress
from nucleate.views.narrow import fitting
from nucleate.views.rows import VerdictRow, grouped, verdict_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nucleate.detect import ClaimRow
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

MOST_LEVELS = 5
"""Levels beside each other in the phase table: more do not fit 80 columns."""

__all__ = ["LiveView", "Progress", "summary"]

STYLES = {
    Verdict.TRANSITION_CANDIDATE: "bold green",
    Verdict.STEP_LIKE: "green",
    Verdict.KINK: "cyan",
    Verdict.METRIC_ARTEFACT: "yellow",
}


def summary(
    run: Run | Analysis, console: Console | None = None, *, report: str | Path | None = None
) -> None:
    """Print what a run shows: the story, sharp changes, phases, what is not sharp.

    Args:
        run: A run folder, or its analysis if that is at hand.
        console: Where to print; standard output by default.
        report: Path of the report, named in the last line.
    """
    from rich.console import Console
    from rich.text import Text

    from nucleate.views.analysis import Analysis, analyse

    found = run if isinstance(run, Analysis) else analyse(run)
    out = console or Console()
    head = Text(found.name, style="bold")
    head.append(f"  {found.status} at {tokens(found.last.tokens)} {found.axis}", style="dim")
    if found.last.flops:
        head.append(f", {si(found.last.flops)}FLOP", style="dim")
    if found.last.wall:
        head.append(f", {seconds(found.last.wall)}", style="dim")
    out.print()
    out.print(head)
    out.print()
    for sentence in found.story:
        out.print(Text(sentence))
    rows = verdict_rows(found)
    _print_sharp(out, [row for row in rows if row.sharp], found.axis)
    _print_phases(out, found)
    _print_rest(out, rows)
    if report is not None:
        out.print()
        out.print(Text.assemble("report  ", (str(report), "bold")), soft_wrap=True)


def _print_sharp(out: Console, rows: list[VerdictRow], axis: str) -> None:
    from rich.text import Text

    _heading(out, "Sharp changes", f"at (95 % interval) in {axis}; 10–90 % width in decades")
    if not rows:
        out.print(Text("none: no curve holds a change that a smooth trend cannot explain"))
        return
    table = _table("metric", "verdict", "at", "dec.", "q")
    level = ""
    for name, row in _one_per_stem(rows):
        if row.level != level:
            level = row.level
            table.add_row(Text(level_name(level), style="dim italic"))
        table.add_row(
            Text(name),
            Text(str(row.verdict), style=STYLES.get(row.verdict, "")),
            f"{tokens(row.at)} ({span(row.lo, row.hi)})",
            number(row.width) if row.width else "–",
            probability(row.q if row.q is not None else row.p),
        )
    out.print(fitting(table, out))


def _one_per_stem(rows: list[VerdictRow]) -> list[tuple[str, VerdictRow]]:
    """Show the accuracy alone where its margin says the same; name the measure where one differs.

    A change of a margin is left out when the accuracy of the same stem is a candidate: the verdict
    already says that both agree. The report lists every measure.
    """
    agreed = {
        stem_of(row.metric)
        for row in rows
        if row.verdict is Verdict.TRANSITION_CANDIDATE and row.metric.endswith(".accuracy")
    }
    shown = []
    for row in rows:
        stem = stem_of(row.metric)
        if stem not in agreed:
            shown.append((f"{stem} ({measure_name(row.metric)})", row))
        elif row.metric.endswith(".accuracy"):
            shown.append((stem, row))
    return shown


def _print_phases(out: Console, found: Analysis) -> None:
    from rich.text import Text

    if not found.claims:
        return
    _heading(out, "Phases", "score of each level at the end of the phase, ± 95 %")
    levels = sorted({level for row in found.claims for level in row.scores}, key=level_rank)
    shown = levels[:MOST_LEVELS]
    table = _table("phase", "% done", *[_short(level) for level in shown])
    for row in found.claims:
        scores = [_score(row, level) for level in shown]
        table.add_row(Text(row.phase), percent(row), *scores)
    out.print(fitting(table, out))
    if any(row.phase == "unresolved" for row in found.claims):
        note = "unresolved: the evidence carries no name for this stretch"
        out.print(Text(note, style="dim"))


def _short(level: str) -> str:
    """Return a level's name in at most seven characters."""
    name = level_name(level)
    return name if len(name) <= 7 else f"{name[:6]}."


def percent(row: ClaimRow) -> str:
    """Return the share of training of a phase: ``2–8``."""
    return f"{row.begin_percent:.0f}–{row.end_percent:.0f}"


def _score(row: ClaimRow, level: str) -> str:
    estimate = row.scores.get(level)
    if estimate is None:
        return "–"
    if estimate.plus_minus is None:
        return number(estimate.value)
    return f"{number(estimate.value)}±{plus_minus(estimate.plus_minus)}"


def _print_rest(out: Console, rows: list[VerdictRow]) -> None:
    """Say of every other metric why it is not called sharp."""
    from rich.text import Text

    groups = [(what, metrics) for what, metrics in grouped(rows) if what not in SHARP]
    if not groups:
        return
    _heading(out, "Not sharp", "")
    table = _table("what", "metrics", justify_rest="left")
    for what, metrics in groups:
        table.add_row(Text(what, style="dim"), Text(", ".join(metrics)))
    out.print(fitting(table, out))


def _heading(out: Console, title: str, note: str) -> None:
    from rich.text import Text

    out.print()
    out.print(Text.assemble((title, "bold underline"), "  " if note else "", (note, "dim")))


def _table(*columns: str, justify_rest: str = "right") -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    left = 2 if "verdict" in columns else 1
    for index, column in enumerate(columns):
        right = index >= left and justify_rest == "right"
        table.add_column(
            column,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=column in ("verdict", "at"),
        )
    return table
