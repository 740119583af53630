"""Positions and values of metrics that nobody knows beforehand, as people read them."""

from __future__ import annotations

import math

from nucleate.core import Assessment
from nucleate.core.units import si, tokens
from nucleate.views.labels import number, span

UNITS = {"step": "steps", "tokens": "tokens", "epoch": "epochs"}

NEAR_ZERO = 0.0005
"""Fitted values below this are written as 0 beside values a hundred times as large."""


def unit(axis: str) -> str:
    """Return the plural of what an axis counts: ``step`` → ``steps``."""
    return UNITS.get(axis, axis)


def figure(value: float) -> str:
    """Write a value of any metric in two or three digits: ``.43``, ``12.5``, ``1.54M``, ``3e-5``.

    >>> [figure(value) for value in (0.434, 12.46, 1543908.0, -0.0031, 0.0)]
    ['.43', '12.5', '1.54M', '−.0031', '0']
    """
    size = abs(value)
    if not math.isfinite(value) or size >= 1000:
        shown = si(size)
    elif size == 0:
        return "0"
    elif size < 0.01:
        shown = f"{size:.2g}".replace("e-0", "e-").removeprefix("0")
    else:
        shown = number(size, 2 if size < 10 else 1 if size < 100 else 0)
    return ("−" if value < 0 else "") + shown


def signed(value: float) -> str:
    """Write an amplitude with its sign."""
    if not math.isfinite(value):
        return "–"
    return figure(value) if value < 0 else f"+{figure(value)}"


def between(interval: tuple[float, float]) -> str:
    """Write an interval of any metric: ``.41 to .52``."""
    lo, hi = interval
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return ""
    return f"{figure(lo)} to {figure(hi)}" if figure(lo) != figure(hi) else figure(lo)


def ends(found: Assessment) -> str:
    """Write the fitted values at both ends of a curve: ``.52 → .60``."""
    pair = (found.start, found.end)
    if not all(math.isfinite(value) for value in pair):
        return "–"
    largest = max(abs(value) for value in pair)
    # A fit to readings of exactly 0 ends at a rounding error, not at 3e-7.
    shown = [figure(0.0 if largest >= NEAR_ZERO * 100 > 100 * abs(v) else v) for v in pair]
    return " → ".join(shown)


def place(at: float, lo: float, hi: float) -> str:
    """Write a position with its interval: ``646k (613–681k)``."""
    if not math.isfinite(at):
        return "–"
    interval = span(lo, hi)
    return tokens(at) if interval == "–" else f"{tokens(at)} ({interval})"


def tick(value: float) -> str:
    """Write a round value on an axis: no digit that says nothing.

    >>> [tick(value) for value in (4.0, 0.5, 0.0, -2500.0)]
    ['4', '.5', '0', '−2.5k']
    """
    if abs(value) >= 1000:
        return figure(value)
    shown = f"{abs(value):g}".replace("e-0", "e-")
    return ("−" if value < 0 else "") + (shown.removeprefix("0") or "0")


def spaced(num: int) -> str:
    """Write a count with thin groups: ``44 600``."""
    return f"{num:,}".replace(",", " ")


def many(num: int, what: str) -> str:
    """Write a count with its noun: ``1 run``, ``4 runs``."""
    return f"{spaced(num)} {what}{'s' if num != 1 else ''}"
