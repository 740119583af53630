"""A sign of life on standard error while something takes long: one line, in a terminal only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

SOON = 1.0
"""Seconds of work before anything is said."""


@contextmanager
def waiting(
    what: str, *, after: float = SOON, console: Console | None = None, quiet: bool = False
) -> Iterator[Callable[[str], None]]:
    """Say what is being done when it takes more than a moment; the line is gone afterwards.

    Args:
        what: What is being done: ``reading runs/a``.
        after: Seconds before it is said.
        console: Where to say it; standard error by default.
        quiet: Say nothing.

    Yields:
        Called with what is being done now, it replaces the line.

    Example:
        >>> with waiting("counting") as say:
        ...     say("counting to ten")
    """
    from rich.console import Console
    from rich.text import Text

    console = console or Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda now: None
        return
    shown = console.status(Text(what))
    later = Timer(after, shown.start)
    later.daemon = True
    later.start()
    try:
        yield lambda now: shown.update(Text(now))
    finally:
        later.cancel()
        later.join()
        shown.stop()
