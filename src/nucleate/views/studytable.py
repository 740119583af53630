"""One table over several runs of one recipe: where each metric changes, and how often so."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core import Assessment, companion
from nucleate.core.units import tokens
from nucleate.views.labels import SHARP, level_name, level_rank, number, span
from nucleate.views.narrow import fitting
from nucleate.views.rows import overall
from nucleate.views.scan_scores import no_metric
from nucleate.views.waiting import waiting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

WIDE = 100
"""Characters of a terminal in which names of metrics are not broken."""

HEADER = ("level", "metric", "onset", "at", "interval", "width", "verdicts")


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One metric over several runs.

    Attributes:
        num_runs: Runs that measured it.
        num_changed: Of these, the runs in which it changed; the numbers below are theirs alone.
        onset, at, width: ``(median, smallest, largest)`` in tokens, tokens and decades; None when
            no run changed.
        interval: Smallest lower and largest upper end of the runs' 95 % intervals, tokens.
        verdicts: ``(what is said, in how many runs)``, the most frequent first.
    """

    level: str
    metric: str
    num_runs: int
    num_changed: int
    onset: tuple[float, float, float] | None
    at: tuple[float, float, float] | None
    width: tuple[float, float, float] | None
    interval: tuple[float, float] | None
    verdicts: tuple[tuple[str, int], ...]

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of `HEADER`."""
        some = f" in {self.num_changed}/{self.num_runs}" if self.num_changed < self.num_runs else ""
        return (
            level_name(self.level),
            self.metric,
            _positions(self.onset) + (some if self.num_changed else ""),
            _positions(self.at),
            span(*self.interval) if self.interval else "–",
            _widths(self.width),
            ", ".join(f"{count}/{self.num_runs} {verdict}" for verdict, count in self.verdicts),
        )


def print_study_table(
    runs: Sequence[str | Path],
    *,
    patterns: Sequence[str] = (),
    markdown: bool = False,
    console: Console | None = None,
) -> None:
    """Print the table of the levels' primary metrics over several run folders.

    Args:
        runs: Run folders that differ in their seeds only.
        patterns: Show the metrics that match one of these instead (``state.*``, ``refrain*``).
        markdown: Print plain Markdown instead of a table for the terminal.
        console: Where to print; standard output by default.

    Raises:
        RunFolderError: One of them is no run folder.
    """
    from rich.console import Console

    from nucleate.store import Run

    rows = chosen_rows([Run.open(run) for run in runs], patterns)
    out = console or Console()
    if markdown:
        out.print(to_markdown(rows), markup=False, highlight=False, soft_wrap=True)
    else:
        out.print(fitting(to_rich(rows, narrow=out.width < WIDE), out))


def chosen_rows(runs: Sequence[Run], patterns: Sequence[str] = ()) -> list[StudyRow]:
    """Analyse runs, with a sign of life, and return the rows that were asked for.

    Args:
        runs: Open run folders that differ in their seeds only.
        patterns: The metrics that match one of these; those that stand for a level if empty.
    """
    from nucleate.views.analysis import analyse

    found = []
    with waiting("analysing runs") as say:
        for place, run in enumerate(runs, 1):
            say(f"analysing {run.path} ({place} of {len(runs)})")
            found.append(analyse(run))
    rows = study_rows(found, only_primary=not patterns)
    if patterns:
        rows = [row for row in rows if any(fnmatch(row.metric, each) for each in patterns)]
        if not rows:
            raise no_metric(patterns)
    return rows


def study_rows(runs: Sequence[Analysis], *, only_primary: bool = False) -> list[StudyRow]:
    """Return one row for each metric that any run measured, by level, then by location.

    A run in which a metric did not change is counted, never averaged away.

    Args:
        runs: Analyses of runs that differ in their seeds only.
        only_primary: Leave out metrics that stand for no level in any run, but for the margins
            beside its accuracies.
    """
    levels = {metric: str(curve.level) for run in runs for metric, curve in run.curves.items()}
    if only_primary:
        own = {metric for run in runs for metric in run.primary.values()}
        chosen = own | {other for metric in own if (other := companion(metric))}
        levels = {metric: level for metric, level in levels.items() if metric in chosen}
    rows = [_row(metric, level, runs) for metric, level in levels.items()]
    return sorted(
        rows,
        key=lambda row: (level_rank(row.level), row.at[0] if row.at else math.inf, row.metric),
    )


def to_markdown(rows: Sequence[StudyRow]) -> str:
    """Return the rows as a Markdown table; tokens are medians with their range in brackets."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def to_rich(rows: Sequence[StudyRow], *, narrow: bool = False) -> Table:
    """Return the rows as a table for the terminal.

    Args:
        rows: The rows.
        narrow: Put the measure of a metric on a line of its own, rather than break within a word.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    for column in ("metric", "at", "interval", "width", "verdicts"):
        whole = ("metric", "interval", "width") if narrow else ("interval", "width")
        table.add_column(column, no_wrap=column in whole, overflow="fold")
    level = ""
    for row in rows:
        if row.level != level:
            level = row.level
            table.add_row(Text(level_name(level), style="dim italic"))
        _, metric, _, *rest = row.cells()
        if narrow:
            stem, dot, measure = metric.rpartition(".")
            metric = f"{stem}\n {dot}{measure}" if dot else metric
        sharp = row.verdicts and row.verdicts[0][0] in SHARP
        table.add_row(*(Text(cell, style="bold" if sharp else "") for cell in (metric, *rest)))
    return table


def _row(metric: str, level: str, runs: Sequence[Analysis]) -> StudyRow:
    found = [(run, run.assessments[metric]) for run in runs if metric in run.assessments]
    changed = [one for _, one in found if math.isfinite(one.at)]
    said = Counter(_says(run, one) for run, one in found)
    lows = [one.lo for one in changed if math.isfinite(one.lo)]
    highs = [one.hi for one in changed if math.isfinite(one.hi)]
    return StudyRow(
        level=level,
        metric=metric,
        num_runs=len(found),
        num_changed=len(changed),
        onset=_middle([one.onset for one in changed]),
        at=_middle([one.at for one in changed]),
        width=_middle([one.width for one in changed]),
        interval=(min(lows), max(highs)) if lows and highs else None,
        verdicts=tuple(sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _says(run: Analysis, found: Assessment) -> str:
    return overall(found, run.curves[found.metric]).says


def _middle(values: Sequence[float]) -> tuple[float, float, float] | None:
    finite = [value for value in values if math.isfinite(value)]
    return (statistics.median(finite), min(finite), max(finite)) if finite else None


def _positions(values: tuple[float, float, float] | None) -> str:
    if values is None:
        return "–"
    return f"{tokens(values[0])} ({span(values[1], values[2])})"


def _widths(values: tuple[float, float, float] | None) -> str:
    if values is None:
        return "–"
    return f"{number(values[0])} ({number(values[1])}–{number(values[2])})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
