"""The view of a training run while it runs: a panel in a terminal, plain lines in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from nucleate.core import Level, Step
from nucleate.core.units import seconds, si, tokens
from nucleate.views.braille import braille_lines
from nucleate.views.labels import level_name, level_rank, number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

FASTEST = 0.25
"""Seconds between two frames at least."""

SHARE = 0.005
"""Share of the time that drawing may take: a slow terminal gets fewer frames."""

PLAIN_EVERY = 5.0
"""Seconds between two lines where the output is no terminal."""

CHART_WIDTH, CHART_HEIGHT = 34, 5


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training run stands.

    Attributes:
        step: The present point in training.
        total_tokens: Length of the run.
        loss: Latest training loss, nats per token.
        tokens_per_second: Speed of a typical recent step.
        eta_seconds: Time left, looks included.
        phase: Provisional name of the present phase.
        scores: Latest score of each level, 0 (chance) to 1 (ceiling).
        losses: Recent ``(tokens, loss)`` pairs, oldest first.
        message: One line about what is happening (``probing``, ``checkpoint at 2M`` …).
    """

    step: Step
    total_tokens: int
    loss: float = math.nan
    tokens_per_second: float = math.nan
    eta_seconds: float = math.nan
    phase: str = ""
    scores: Mapping[Level, float] = field(default_factory=dict)
    losses: Sequence[tuple[float, float]] = ()
    message: str = ""


class LiveView:
    """Context manager that shows a run's Progress; `update` may be called as often as one likes.

    Args:
        title: Name of the run.
        console: Where to draw; standard output by default.
        quiet: Show nothing at all.

    Example:
        >>> with LiveView("runs/a", quiet=True) as view:
        ...     view.update(Progress(Step(1, 4096), total_tokens=6_000_000))
    """

    def __init__(
        self, title: str = "", *, console: Console | None = None, quiet: bool = False
    ) -> None:
        self._title = title
        self._console = console
        self._quiet = quiet
        self._live: Live | None = None
        self._last: Progress | None = None
        self._next = 0.0
        self._shown = False

    def __enter__(self) -> LiveView:
        if self._quiet:
            return self
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=sys.stdout)
        if self._console.is_terminal:
            from rich.live import Live

            # No refresh thread: it would take the GIL from training at moments of its own.
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._last is not None and not self._shown:
                self._show(self._last)
        finally:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def update(self, progress: Progress) -> None:
        """Take in the present state; it is drawn when the next frame is due."""
        if self._quiet:
            return
        self._last, self._shown = progress, False
        now = time.monotonic()
        if now < self._next:
            return
        self._show(progress)
        spent = time.monotonic() - now
        wait = max(FASTEST, spent / SHARE) if self._live else PLAIN_EVERY
        self._next = now + wait

    def _show(self, progress: Progress) -> None:
        self._shown = True
        try:
            self._draw(progress)
        except (BrokenPipeError, SystemExit):  # rich ends the program when nobody reads
            self._quiet, self._live = True, None

    def _draw(self, progress: Progress) -> None:
        if self._live is not None:
            self._live.update(panel(progress, self._title), refresh=True)
        elif self._console is not None:
            self._console.print(plain_line(progress), markup=False, highlight=False, soft_wrap=True)


def plain_line(progress: Progress) -> str:
    """Return one line for a log: share, tokens, loss, speed, time left, phase, scores."""
    share = _share(progress)
    parts = [
        f"{share:4.0%}",
        f"{tokens(progress.step.tokens)}/{tokens(progress.total_tokens)} tokens",
        f"step {progress.step.step}",
        f"loss {number(progress.loss, 3)}",
        f"{si(progress.tokens_per_second)} tokens/s",
        f"left {seconds(progress.eta_seconds)}",
    ]
    if progress.phase:
        parts.append(progress.phase)
    if progress.scores:
        ordered = sorted(progress.scores.items(), key=lambda pair: level_rank(pair[0]))
        parts.append(" ".join(f"{level} {number(score)}" for level, score in ordered))
    if progress.message:
        parts.append(progress.message)
    return " | ".join(" ".join(part.split()) for part in parts)


def panel(progress: Progress, title: str = "") -> RenderableType:
    """Return the panel of one frame."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    columns = Table.grid(padding=(0, 3))
    columns.add_row(_loss_chart(progress), _score_bars(progress))
    parts: list[RenderableType] = [_head(progress), Text(), columns]
    if progress.message:
        parts += [Text(), Text(" ".join(progress.message.split()), style="dim", no_wrap=True)]
    return Panel(
        Group(*parts),
        title=Text(title, style="bold") if title else None,
        title_align="left",
        border_style="dim",
        padding=(1, 2),
        width=80,
    )


def _head(progress: Progress) -> RenderableType:
    """Return the progress bar with its numbers."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    share = _share(progress)
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=1.0, completed=share, width=34),
        Text(f"{share:.0%}", style="bold"),
        Text(f"{tokens(progress.step.tokens)} of {tokens(progress.total_tokens)} tokens"),
    )
    line = Text()
    line.append(progress.phase or "no phase yet", style="bold")
    line.append(" (provisional)" if progress.phase else "", style="dim")
    line.append(f"   {si(progress.tokens_per_second)} tokens/s", style="dim")
    line.append(f"   {seconds(progress.eta_seconds)} left", style="dim")
    outer = Table.grid()
    outer.add_row(bar)
    outer.add_row(line)
    return outer


def _loss_chart(progress: Progress) -> RenderableType:
    from rich.text import Text

    text = Text()
    text.append("loss ", style="dim")
    text.append(f"{number(progress.loss, 3)} nats/token\n", style="bold")
    finite = [loss for _, loss in progress.losses if math.isfinite(loss)]
    for row in braille_lines(progress.losses, CHART_WIDTH, CHART_HEIGHT):
        text.append(row + "\n", style="cyan")
    if finite:
        extent = f"{number(min(finite))} to {number(max(finite))}, log tokens"
        text.append(extent, style="dim")
    return text


def _score_bars(progress: Progress) -> RenderableType:
    """Return each level's score as a bar of ten cells."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for level, score in sorted(progress.scores.items(), key=lambda pair: level_rank(pair[0])):
        known = math.isfinite(score)
        cells = round(10 * min(max(score, 0.0), 1.0)) if known else 0
        bar = Text("━" * cells, style="green")
        bar.append("━" * (10 - cells), style="bright_black")
        table.add_row(Text(level_name(level)), bar, Text(number(score), style="bold"))
    return table


def _share(progress: Progress) -> float:
    if progress.total_tokens <= 0:
        return 0.0
    return min(max(progress.step.tokens / progress.total_tokens, 0.0), 1.0)
