"""Single lines of the terminal view of a table of curves; no name can steer the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nucleate.core import Verdict
from nucleate.views.braille import braille_lines
from nucleate.views.detect.changes import Change
from nucleate.views.detect.numbers import signed, spaced
from nucleate.views.detect.readings import readings
from nucleate.views.labels import number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SPARK, WIDEST = 10, 100
"""Cells of a small curve; columns used at most."""

INDENT = 2


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return text from pieces with or without a style; no markup, no control characters."""
    from rich.text import Text

    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((_harmless(words), style) for words, style in pairs))


def say(out: Console, *parts: str | tuple[str, str], indent: int = 0, wrap: bool = True) -> None:
    """Print one paragraph, indented as a block."""
    words = styled(*parts)
    if not wrap:
        out.print(words, soft_wrap=True)
        return
    for line in words.wrap(out, max(out.width - indent, 1)):
        out.print(styled(" " * indent) + line, no_wrap=True)


def heading(out: Console, title: str, note: str = "") -> None:
    """Print the head of a section after an empty line."""
    out.print()
    say(out, (title, "bold underline"), "  " if note else "", (note, "dim"))


def and_more(out: Console, num: int) -> None:
    """Say that entries were left out, where some were."""
    if num:
        say(out, (f"… {spaced(num)} more, --all", "dim"))


def entry(out: Console, row: Change, style: str) -> None:
    """Print a curve's name, its verdict at the right, and the curve itself in braille."""
    room = min(out.width, WIDEST) - SPARK - len(row.says) - 3
    name = clipped(row.name, room)
    at, values, _ = readings(row.curve)
    small = braille_lines(list(zip(at.tolist(), values.tolist(), strict=True)), SPARK, 1)[0]
    gap = " " * (room - len(name) + 1)
    line = styled((name, "bold" if row.sharp else ""), gap, (row.says, style), "  ", small)
    out.print(line, no_wrap=True, overflow="crop")


def distrust(out: Console, row: Change) -> None:
    """Say under a curve that it is flagged, where it is."""
    if row.flags:
        say(out, (f"flagged: {', '.join(row.flags)}", "yellow"), indent=INDENT)


def clipped(name: str, room: int) -> str:
    """Return a name that fits, its middle left out: both ends tell metrics apart."""
    flat = _harmless(name)
    if len(flat) <= room:
        return flat
    head = (room - 1) // 2
    return f"{flat[:head]}…{flat[len(flat) - (room - 1 - head) :]}"


def columns(widths: Sequence[int], cells: Sequence[str]) -> str:
    """Set cells in columns; one that is too wide pushes the rest to the right."""
    line = " " * INDENT
    for width, cell in zip(widths, cells, strict=True):
        line += f"{cell:<{width}} "
    return line.rstrip()


def width_of(row: Change) -> str:
    """Return the width with its interval, no less than the readings can show."""
    width = row.row.width
    if row.verdict is Verdict.KINK or not math.isfinite(width):
        return "–"
    lo, hi = row.width_interval
    if row.sharp and max(width, hi if math.isfinite(hi) else width) < row.gap:
        return f"≤ {number(row.gap)}"
    if math.isfinite(lo) and math.isfinite(hi):
        return f"{number(width)} ({number(lo)}–{number(hi)})"
    return number(width)


def amplitude_of(row: Change) -> str:
    """Return how much changed; for a kink the change of slope."""
    shown = signed(row.row.amplitude)
    return f"{shown}/decade" if row.verdict is Verdict.KINK else shown


def _harmless(words: str) -> str:
    """Return text without line breaks and without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
