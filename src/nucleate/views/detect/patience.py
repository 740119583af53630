"""How long an analysis will take, and a sign of life on standard error while it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from nucleate.core.units import seconds

if TYPE_CHECKING:
    from nucleate.core import CurveBook

Result = TypeVar("Result")

MANY = 60
"""Curves beyond which the time is estimated before it is spent."""

LONG = 20.0
"""Seconds beyond which the estimate is said where nobody watches a terminal."""

SAMPLES = 3


def expected_seconds(book: CurveBook, *, max_width: float) -> float:
    """Estimate how long the curves of a book take, from a few of them.

    Curves on one grid of positions share what is computed from it, so that the first of them costs
    more than the rest.
    """
    from nucleate.detect.assess import ALPHA, NUM_BOOTSTRAP, assess
    from nucleate.detect.cache import GridCache

    curves = [curve for _, curve in book.curves()]
    grids = {(run, curve.tokens.tobytes()) for run, curve in book.curves()}
    if not curves:
        return 0.0
    first = again = 0.0
    picked = [curves[(2 * k + 1) * len(curves) // (2 * SAMPLES)] for k in range(SAMPLES)]
    for curve in picked:
        cache = GridCache(max_width, 0, NUM_BOOTSTRAP)
        for turn in range(2):
            begin = time.perf_counter()
            assess(curve.tokens, curve.values, curve.se, alpha=ALPHA, cache=cache)
            spent = time.perf_counter() - begin
            first, again = (first + spent, again) if turn == 0 else (first, again + spent)
    return (len(grids) * max(first - again, 0.0) + len(curves) * again) / SAMPLES


def patiently(
    book: CurveBook, work: Callable[[Callable[[int], None] | None], Result], *, max_width: float
) -> Result:
    """Do the work and say on standard error how long it will take, where that is long.

    Args:
        book: What is analysed; decides the estimate.
        work: The analysis; it is given what to call with the number of curves done, or None.
        max_width: Widest change that may be called sharp, in decades.
    """
    from rich.console import Console

    console = Console(stderr=True)
    expected = expected_seconds(book, max_width=max_width) if len(book) > MANY else 0.0
    about = f"assessing {len(book):,} curves".replace(",", " ")
    if expected:
        about += f", about {seconds(max(1.0, round(expected)))}"
    if not console.is_terminal:
        if expected > LONG:
            console.print(f"{about}; --metric PATTERN looks at fewer", markup=False, soft_wrap=True)
        return work(None)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(about, total=len(book))
        return work(lambda done: progress.update(task, completed=done))
