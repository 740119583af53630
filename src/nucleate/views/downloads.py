"""What the report carries to be saved: readings, changes and losses as tables, charts as SVG.

Each is a link to a data URL, so that it works in one file, without network and JavaScript.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.core import UserError
from nucleate.views.figure.choose import sheet
from nucleate.views.figure.sheet import standalone
from nucleate.views.rows import verdict_rows

if TYPE_CHECKING:
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

PLAIN = 120_000
"""Bytes above which a table is compressed; every reader of CSV opens ``.csv.gz``."""

MOST = 1_400_000
"""Bytes that one link may hold: browsers refuse links beyond two million characters."""

WIDTH = 170.0
"""Width of the charts, in millimetres."""

CHANGES = (
    *("metric", "level", "verdict", "at", "lo", "hi", "width_decades"),
    *("amplitude", "unit", "p", "q"),
)


@dataclass(frozen=True, slots=True)
class Download:
    """One link.

    Attributes:
        what: Plain words.
        name: Name of the file.
        href: Its content, as a data URL; empty where it is too large for a link.
        size: In bytes, as saved.
    """

    what: str
    name: str
    href: str
    size: int

    @property
    def shown(self) -> str:
        """Its size for people."""
        return f"{max(1, round(self.size / 1000))} kB"


def downloads(run: Run, found: Analysis) -> list[Download]:
    """Return what can be saved from the report of a run."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", found.name).strip("-")[:60] or "run"
    out = []
    if found.curves:
        out.append(_table("Readings", f"{name}.readings.csv", _readings(run)))
        out.append(_table("Verdicts", f"{name}.verdicts.csv", _changes(found)))
    steps, losses = run.losses()
    if losses:
        pairs = zip(steps, losses, strict=True)
        rows = [(step.step, step.tokens, step.lr, loss) for step, loss in pairs]
        table = [("step", "tokens", "lr", "loss"), *rows]
        out.append(_table("Training loss", f"{name}.loss.csv", table))
    for chart in ("ladder", "loss", "heads"):
        try:
            drawn = standalone(sheet(run, found, chart, WIDTH), WIDTH)
        except (UserError, ValueError):
            continue
        title = {"ladder": "The ladder", "loss": "Loss", "heads": "Heads"}[chart]
        out.append(_link(f"{title}, SVG", f"{name}.{chart}.svg", "image/svg+xml", drawn.encode()))
    return out


def _readings(run: Run) -> Iterable[Sequence[object]]:
    yield ("metric", "level", "unit", "step", "tokens", "flops", "value", "se", "n", "chance")
    for step, reading in run.readings():
        yield (
            *(reading.metric, str(reading.level), reading.unit, step.step, step.tokens, step.flops),
            *(reading.value, reading.se, reading.n, reading.chance),
        )


def _changes(found: Analysis) -> Iterable[Sequence[object]]:
    yield CHANGES
    for row in verdict_rows(found):
        yield (
            *(row.metric, row.level, str(row.verdict), row.at, row.lo, row.hi, row.width),
            *(row.amplitude, row.amplitude_unit, row.p, row.q),
        )


def _table(what: str, name: str, rows: Iterable[Sequence[object]]) -> Download:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    content = text.getvalue().encode("utf-8", "replace")
    if len(content) > PLAIN:
        packed = gzip.compress(content, mtime=0)
        return _link(f"{what}, CSV, compressed", f"{name}.gz", "application/gzip", packed)
    return _link(f"{what}, CSV", name, "text/csv", content)


def _cell(value: object) -> object:
    """Return a cell; a number that is none is empty, and no text can act in a spreadsheet.

    A text that begins like a formula would be calculated there, so an apostrophe stands before it.
    """
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value


def _link(what: str, name: str, kind: str, content: bytes) -> Download:
    href = (
        f"data:{kind};base64,{base64.b64encode(content).decode()}" if len(content) <= MOST else ""
    )
    return Download(what, name, href, len(content))
