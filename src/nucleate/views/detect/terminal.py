"""What a table of curves shows, printed in a terminal: readable at 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nucleate.core import Flag, Kind, Verdict
from nucleate.views.detect import sentences
from nucleate.views.detect.agreement import agreements
from nucleate.views.detect.changes import Change, changes, counts, disturbances, strongest
from nucleate.views.detect.lines import (
    INDENT,
    amplitude_of,
    and_more,
    clipped,
    columns,
    distrust,
    entry,
    heading,
    say,
    width_of,
)
from nucleate.views.detect.numbers import ends, many, place, unit
from nucleate.views.detect.together import print_together
from nucleate.views.labels import probability, span
from nucleate.views.terminal import STYLES

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.detect import Findings

MOST_SHARP, MOST_BROAD, MOST_OTHER = 20, 8, 8
"""Entries listed of each kind unless all are asked for."""

SHARP_HEADS = ("at (95 %)", "width", "change", "start → end", "p", "q")
SHARP_WIDTHS = (20, 14, 12, 15, 6, 6)
BROAD_HEADS = ("onset (95 %)", "half done at", "width", "start → end")
BROAD_WIDTHS = (20, 22, 10, 15)
RUN_WIDTHS = (30, 14, 30)


def print_findings(
    findings: Findings,
    console: Console | None = None,
    *,
    max_width: float,
    everything: bool = False,
    report: str = "",
) -> None:
    """Print what was found: how the source was read, flags, sharp changes, the rest.

    Args:
        findings: What to print.
        console: Where to; standard output by default.
        max_width: Widest change that was allowed to be called sharp, in decades.
        everything: List every curve instead of the first of each kind.
        report: Path of the page, named in the last line.
    """
    from rich.console import Console

    out = console or Console()
    rows = changes(findings)
    axis = findings.book.axis
    broad = [row for row in rows if row.verdict is Verdict.BROAD_RISE]
    sharp = [row for row in rows if row.sharp]
    artefacts = [row for row in rows if row.verdict is Verdict.METRIC_ARTEFACT]
    _print_head(out, findings)
    _print_flags(out, findings.flags, everything)
    out.print()
    for sentence in sentences.story(rows, axis, max_width):
        say(out, sentence)
    _print_sharp(out, "Sharp changes", sharp, axis, everything)
    _print_runs(out, rows, everything)
    _print_sharp(out, "Sharp in the metric alone", artefacts, axis, everything)
    _print_broad(out, broad, axis, everything)
    _print_others(out, rows, everything)
    _print_disturbances(out, findings, everything)
    several = len(findings.book) > 1
    print_together(out, findings.together, axis, several=several, everything=everything)
    if report:
        out.print()
        say(out, "report  ", (report, "bold"), wrap=False)


def _print_head(out: Console, findings: Findings) -> None:
    book = findings.book
    out.print()
    say(out, (book.source, "bold"), wrap=False)
    say(out, (sentences.size_of(book), "dim"))
    for note in book.notes:
        say(out, (note, "dim"))


def _print_flags(out: Console, flags: Sequence[Flag], everything: bool) -> None:
    if not flags:
        return
    out.print()
    say(out, ("Before you read on", "bold yellow"))
    shown = flags if everything else flags[:MOST_OTHER]
    for flag in shown:
        say(out, (flag.kind, "yellow"), f": {flag.text}", indent=INDENT)
    and_more(out, len(flags) - len(shown))


def _print_sharp(
    out: Console, title: str, rows: Sequence[Change], axis: str, everything: bool
) -> None:
    if not rows:
        return
    heading(out, title, f"at in {unit(axis)}, 10–90 % width in decades")
    say(out, (columns(SHARP_WIDTHS, SHARP_HEADS), "dim"))
    shown = rows if everything else rows[:MOST_SHARP]
    for row in shown:
        entry(out, row, STYLES.get(row.verdict, ""))
        cells = [
            place(row.row.at, row.row.lo, row.row.hi),
            width_of(row),
            amplitude_of(row),
            ends(row.found),
            probability(row.row.p),
            probability(row.row.q),
        ]
        say(out, columns(SHARP_WIDTHS, cells))
        distrust(out, row)
    and_more(out, len(rows) - len(shown))


def _print_runs(out: Console, rows: Sequence[Change], everything: bool) -> None:
    """Say in how many runs a metric changes sharply; the story says it of a single metric."""
    found = [each for each in agreements(rows) if each.num_sharp]
    if len(found) < 2:
        return
    heading(out, "Across runs", "metrics that change sharply in one run at least")
    say(out, (columns(RUN_WIDTHS, ("metric", "sharp in", "at, range over these")), "dim"))
    shown = found if everything else found[:MOST_OTHER]
    for each in shown:
        name = clipped(each.metric, RUN_WIDTHS[0])
        share = f"{each.num_sharp} of {each.num_runs}"
        say(out, columns(RUN_WIDTHS, (name, share, each.where)))
    and_more(out, len(found) - len(shown))


def _print_broad(out: Console, rows: Sequence[Change], axis: str, everything: bool) -> None:
    if not rows:
        return
    order = ", the narrowest first" if len(rows) > 1 else ""
    heading(out, "Broad, not shown to be sharp", f"in {unit(axis)}{order}")
    say(out, (columns(BROAD_WIDTHS, BROAD_HEADS), "dim"))
    shown = rows if everything else rows[:MOST_BROAD]
    for row in shown:
        entry(out, row, "")
        cells = [
            span(*row.onset_interval),
            place(row.row.at, row.row.lo, row.row.hi),
            width_of(row),
            ends(row.found),
        ]
        say(out, columns(BROAD_WIDTHS, cells))
        distrust(out, row)
    and_more(out, len(rows) - len(shown))


def _print_others(out: Console, rows: Sequence[Change], everything: bool) -> None:
    """Name the curves of which nothing more is said, by what is said of them."""
    said = counts(rows)
    for says in (says for says in sentences.NOTHING_MORE if says in said):
        members = [row for row in strongest(rows) if row.says == says]
        heading(out, f"{many(len(members), 'curve')} {sentences.KINDS[says][len(members) > 1]}")
        shown = members if everything else members[:MOST_OTHER]
        say(out, ", ".join(sentences.with_count(row) for row in shown), indent=INDENT)
        and_more(out, len(members) - len(shown))


def _print_disturbances(out: Console, findings: Findings, everything: bool) -> None:
    found = list(disturbances(findings))
    if not found:
        return
    spikes = sum(change.kind is Kind.SPIKE for _, change in found)
    kinds = ((spikes, "spike"), (len(found) - spikes, "restart"))
    note = " and ".join(many(num, kind) for num, kind in kinds if num)
    heading(out, "Set aside", f"{note}: the curve left its trend and came back")
    shown = found if everything else found[:MOST_OTHER]
    several = len(findings.book.runs) > 1
    for run, change in shown:
        words = sentences.disturbance(run, change, findings.book.axis, several)
        say(out, words, indent=INDENT)
    and_more(out, len(found) - len(shown))
