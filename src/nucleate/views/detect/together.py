"""What several metrics and runs say together, for the terminal, as JSON, and for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nucleate.views import svg
from nucleate.views.detect.lines import INDENT, and_more, clipped, columns, heading, say
from nucleate.views.detect.numbers import place, unit

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.detect.together import Mark, Part, Result, Together

MARK_WIDTHS = (44, 24)
MOST_RESULTS = 3
"""Results of one question that the terminal shows unless all are asked for."""


def as_plain(together: Together | None) -> dict[str, Any] | None:
    """Return everything that was found, as plain types."""
    return asdict(together) if together is not None else None


def print_together(
    out: Console, together: Together | None, axis: str, *, several: bool, everything: bool
) -> None:
    """Print what was shown, then in one line what was not; every refusal only when all is asked.

    Args:
        several: Whether the source holds more than one curve.
    """
    if together is None or not (several or everything):
        return
    heading(out, "Taken together", f"places in {unit(axis)}")
    if together.grouping:
        say(out, (together.grouping, "dim"))
    for part in together.parts:
        listed = part.results if everything else [one for one in part.results if one.shown]
        shown = listed if everything else listed[:MOST_RESULTS]
        if not shown:
            continue
        say(out, (part.question, "bold"), f" {part.caveat}".rstrip())
        for result in shown:
            _print_result(out, result, short=part.name == "states")
        and_more(out, len(listed) - len(shown))
    quiet = [part for part in together.parts if not any(one.shown for one in part.results)]
    if everything:
        for part in quiet:
            if part.refused:
                say(out, (f"{part.name}: {part.refused}", "dim"))
    elif quiet:
        names = ", ".join(f"{part.name} ({why(part)})" for part in quiet)
        say(out, (f"Nothing shown by {names}.", "dim"))


def why(part: Part) -> str:
    """Say in a few words why nothing was shown."""
    if part.refused:
        return "not asked"
    num = len(part.results)
    return "asked once" if num == 1 else f"asked {num} times"


def _print_result(out: Console, result: Result, *, short: bool) -> None:
    say(out, (result.about, "cyan"), ": ", (result.verdict, ""), indent=INDENT)
    if short:
        places = ", ".join(place(mark.at, mark.lo, mark.hi) for mark in result.marks)
        say(out, (f"{places}: {result.note}" if places else result.note, "dim"), indent=INDENT * 2)
        return
    for mark in result.marks:
        name = clipped(mark.name, MARK_WIDTHS[0])
        say(out, columns(MARK_WIDTHS, (name, place(mark.at, mark.lo, mark.hi))), indent=INDENT)
    say(out, (result.note, "dim"), indent=INDENT * 2)


@dataclass(frozen=True, slots=True)
class Row:
    """A place in a result, as the page shows it: what lies there, where, and drawn on a strip."""

    name: str
    where: str
    runs: int
    strip: Markup


def rows(marks: Sequence[Mark], domain: tuple[float, float] | None) -> list[Row]:
    """Return the places of a result for the page."""
    return [
        Row(mark.name, place(mark.at, mark.lo, mark.hi), mark.runs, strip(mark, domain))
        for mark in marks
    ]


def strip(mark: Mark, domain: tuple[float, float] | None) -> Markup:
    """Draw a place with its interval on the axis of the source; nothing where there is no axis."""
    if domain is None or not domain[0] < domain[1] or not mark.at > 0:
        return Markup("")
    x = svg.Scale(*domain, 4.0, 236.0, log=True)
    parts = [svg.line(4, 9, 236, 9, class_="grid")]
    if math.isfinite(mark.lo) and math.isfinite(mark.hi) and mark.lo > 0:
        parts.append(svg.line(x.clip(mark.lo), 9, x.clip(mark.hi), 9, class_="whisker lv-reading"))
    parts.append(svg.tag("circle", cx=x.clip(mark.at), cy=9.0, r=3.5, class_="dot lv-reading"))
    return svg.tag("svg", *parts, viewBox="0 0 240 18", class_="lane long", aria_hidden="true")
