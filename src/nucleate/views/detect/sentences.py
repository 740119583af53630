"""What a table of curves shows, in plain sentences that claim no more than the verdicts do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.core import Kind, Transition, Verdict
from nucleate.core.units import tokens
from nucleate.views.detect.agreement import agreements
from nucleate.views.detect.changes import Change, counts, grid, strongest
from nucleate.views.detect.limits import resolution, spanning
from nucleate.views.detect.numbers import ends, many, place, signed, spaced, unit
from nucleate.views.labels import number, probability, span

if TYPE_CHECKING:
    from nucleate.core import CurveBook

KINDS = {
    "broad rise": ("rises broadly", "rise broadly"),
    "broad fall": ("falls broadly", "fall broadly"),
    "smooth": ("is not shown to change", "are not shown to change"),
    "moves, no verdict": (
        "moves by more than its error bars in no shape that could be tested",
        "move by more than their error bars in no shape that could be tested",
    ),
    "unresolved": ("has too few readings to say", "have too few readings to say"),
    "metric artefact": (
        "jumps where its continuous companion does not (metric artefact)",
        "jump where their continuous companions do not (metric artefact)",
    ),
}
"""What one curve does, and what several do, by what is said of them."""

NOTHING_MORE = ("moves, no verdict", "smooth", "unresolved")
"""What is said of curves that have no place and no width."""


def size_of(book: CurveBook) -> str:
    """Say how much there is: ``12 curves: 4 runs × 3 metrics, 27 readings each``."""
    num_metrics = len({curve.metric for _, curve in book.curves()})
    product = "×" if len(book) == len(book.runs) * num_metrics else "and"
    parts = many(len(book), "curve")
    if len(book.runs) > 1:
        parts += f": {many(len(book.runs), 'run')} {product} {many(num_metrics, 'metric')}"
    lengths = [len(curve.values) for _, curve in book.curves()]
    if not lengths:
        return parts
    low, high = min(lengths), max(lengths)
    readings = spaced(low) if low == high else f"{spaced(low)}–{spaced(high)}"
    domain = extent(book)
    where = f", {unit(book.axis)} {span(*domain)}" if domain else ""
    return f"{parts}, {readings} readings{' each' * (len(book) > 1)}{where}"


def extent(book: CurveBook) -> tuple[float, float] | None:
    """Return the first positive and the last position of all curves."""
    places = [curve.tokens for _, curve in book.curves()]
    joined = np.concatenate(places) if places else np.empty(0)
    joined = joined[np.isfinite(joined) & (joined > 0)]
    return (float(joined.min()), float(joined.max())) if joined.size else None


def story(rows: Sequence[Change], axis: str, max_width: float) -> list[str]:
    """Return the finding: what is sharp, what is not, and what limits both.

    Args:
        rows: From `changes`.
        axis: What positions count.
        max_width: Widest change that was allowed to be called sharp, in decades.
    """
    curves = strongest(rows)
    if not curves:
        return ["There is no curve to look at."]
    limits = [resolution(rows, max_width), spanning(curves)]
    lines = [_headline(curves, axis), _flagged(curves), _rest(curves), *limits]
    return [line for line in lines if line]


def _flagged(curves: Sequence[Change]) -> str:
    """Say how many of the sharp changes there is reason to distrust."""
    sharp = [row for row in curves if row.sharp]
    doubted = [row for row in sharp if row.flags]
    if not doubted:
        return ""
    kinds = ", ".join(dict.fromkeys(kind for row in doubted for kind in row.flags))
    be = "is" if len(doubted) == 1 else "are"
    who = "It is" if len(sharp) == 1 else f"{len(doubted)} of these {len(sharp)} {be}"
    return f"{who} flagged ({kinds}): read the reasons first."


def _headline(curves: Sequence[Change], axis: str) -> str:
    sharp = [row for row in curves if row.sharp]
    if all(row.verdict is Verdict.UNRESOLVED for row in curves):
        return _too_few(curves)
    if len(curves) == 1 and not sharp:
        return _single(curves[0], axis)
    if not sharp:
        return f"None of the {len(curves)} curves is shown to change sharply."
    first = sharp[0]
    tested = first.row.q if first.row.q is not None else first.row.p
    where = place(first.row.at, first.row.lo, first.row.hi)
    what = f"at {where} {unit(axis)}, {first.verdict}, q {probability(tested)}"
    if len(curves) == 1:
        return f"{first.title} changes sharply {what}."
    if len(sharp) == 1:
        return f"1 of {len(curves)} curves changes sharply: {first.name} {what}."
    strong = f"the strongest evidence is for {first.name} {what}."
    if len({row.metric for row in sharp}) == 1:
        own = next(each for each in agreements(curves) if each.metric == first.metric)
        share = f"{own.num_sharp} of {own.num_runs} runs"
        return f"{first.title} changes sharply in {share}, at {own.where}; {strong}"
    return f"{len(sharp)} of {len(curves)} curves change sharply; {strong}"


def with_count(row: Change) -> str:
    """Return the name of a curve, with its readings where they were too few."""
    few = row.verdict is Verdict.UNRESOLVED
    return f"{row.name}: {many(len(row.curve.values), 'reading')}" if few else row.name


def disturbance(run: str, change: Transition, axis: str, several: bool) -> str:
    """Describe one spike or restart: ``loss (seed 3): spike at 12.1k steps, +.42``."""
    name = f"{change.metric} ({run})" if run and several else change.metric
    kind = {Kind.SPIKE: "spike", Kind.RESTART: "restart"}.get(change.kind, str(change.kind))
    words = f"{name}: {kind} at {tokens(change.at)} {unit(axis)}"
    return f"{words}, {signed(change.amplitude)}" if math.isfinite(change.amplitude) else words


def _single(row: Change, axis: str) -> str:
    """Say of a lone curve without a sharp change what it does."""
    verb = KINDS.get(row.says, (row.says, row.says))[0]
    if row.verdict is not Verdict.BROAD_RISE:
        return f"{row.title} {verb}."
    change = f"from {ends(row.found).replace(' → ', ' to ')}"
    onset = span(*row.onset_interval)
    begin = "" if onset == "–" else f", onset within {onset} {unit(axis)}"
    return (
        f"{row.title} {verb}, {change} over {number(row.row.width)} decades{begin}; "
        "no sharp change is shown."
    )


def _too_few(curves: Sequence[Change]) -> str:
    """Say of curves that are all too short what they would need."""
    from nucleate.detect.series import MIN_POINTS

    lengths = [float(grid(row.curve).size) for row in curves]
    low, high = round(min(lengths)), round(max(lengths))
    usable = str(low) if low == high else f"{low} to {high}"
    return (
        f"No curve has enough readings to say anything: {usable} usable ones, "
        f"{MIN_POINTS} are needed."
    )


def _rest(curves: Sequence[Change]) -> str:
    """Say what the curves without a sharp change do."""
    said = counts(curves)
    few = said.get("unresolved", 0)
    if few == len(curves) or len(curves) == 1:
        return ""
    parts = [
        f"{num} {KINDS[says][num > 1]}"
        for says, num in said.items()
        if says in KINDS and says != "unresolved"
    ]
    sentence = f"Not sharp: {_listed(parts)}." if parts else ""
    if few:
        sentence += f" {few} {KINDS['unresolved'][few > 1]}."
    return sentence.strip()


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
