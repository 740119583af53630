"""The view of a scan while it runs: a bar in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nucleate.core import Reading, measure_of
from nucleate.core.units import seconds
from nucleate.views.labels import number, stem_of
from nucleate.views.scan_scores import BESIDE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class ScanView:
    """Context manager that shows how far a scan is.

    Args:
        title: Name of the series.
        console: Where to draw; standard error by default.
        quiet: Show nothing at all.
    """

    def __init__(
        self, title: str = "", *, console: Console | None = None, quiet: bool = False
    ) -> None:
        self._title, self._console, self._quiet = title, console, quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._primary: frozenset[str] = frozenset()
        self._left: list[int] = []
        self._done = 0
        self._sizes: dict[str, int] = {}
        self._parts_done = 0.0
        self._begin = 0.0

    def __enter__(self) -> ScanView:
        if self._console is None and not self._quiet:
            from rich.console import Console

            self._console = Console(file=sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_check(self, name: str, done: int, total: int) -> None:
        """Show that a checkpoint's integrity has been looked at."""
        self._advance(f"checking {name}", done, total)

    def on_start(self, series: Any, suite: Any, left: Sequence[Any]) -> None:
        """Say what is to be done, and begin the bar."""
        self._primary = frozenset(suite.primary.values())
        self._total, self._begin, self._parts_done = len(left), time.monotonic(), 0.0
        already = len(series.members) - len(left)
        words = f"{series.name}: {len(left)} of {len(series.members)} checkpoints to score"
        if already:
            words += f", {already} done before"
        self._line(f"{words}; suite {suite.name}, {suite.forward_tokens:,} tokens each")
        if left:
            self._advance("scoring", 0, len(left))

    def on_note(self, text: str) -> None:
        """Print a sentence above the bar."""
        self._line(text)

    def on_part(self, member: Any, part: int, parts: int) -> None:
        """Move the bar by one part of a checkpoint."""
        self._parts_done += 1 / parts
        self._advance(f"scoring {member.name}", self._parts_done, self._total)

    def on_scored(self, member: Any, readings: Sequence[Reading], took: float) -> None:
        """Count a checkpoint; without a terminal, say so in a line."""
        self._done += 1
        self._parts_done = float(self._done)
        self._advance(f"scored {member.name}", self._done, self._total)
        if self._bar is None:
            scores = _scores(readings, self._primary)
            rate = (time.monotonic() - self._begin) / self._done
            left = f"left {seconds(rate * (self._total - self._done))}"
            parts = (f"{self._done}/{self._total}", member.name, f"{seconds(took)}", left, scores)
            self._line(" | ".join(part for part in parts if part))

    def _advance(self, what: str, done: float, total: int) -> None:
        if self._quiet or self._console is None or not self._console.is_terminal:
            return
        if self._bar is None:
            self._bar = _progress(self._console)
            self._bar.start()
            self._task = self._bar.add_task(what, total=total)
        assert self._task is not None
        self._bar.update(self._task, description=what, completed=done, total=total)

    def _line(self, text: str) -> None:
        if self._quiet or self._console is None:
            return
        console = self._bar.console if self._bar is not None else self._console
        console.print(" ".join(text.split()), markup=False, highlight=False, soft_wrap=True)


def _scores(readings: Sequence[Reading], primary: frozenset[str]) -> str:
    """Return the value that stands for each level, in the order of the suite."""
    best: dict[str, Reading] = {}
    for reading in readings:
        stem = stem_of(reading.metric)
        before = best.get(stem)
        if stem in primary and (before is None or _rank(reading) < _rank(before)):
            best[stem] = reading
    return " ".join(f"{reading.level} {number(reading.value)}" for reading in best.values())


def _rank(reading: Reading) -> int:
    measure = measure_of(reading.metric)
    return BESIDE.index(measure) if measure in BESIDE else len(BESIDE)


def _progress(console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
