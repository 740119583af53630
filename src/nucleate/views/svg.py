"""Scales, ticks and safe SVG elements: the drawing board of the report, no chart in it.

Every text and attribute goes through `markupsafe.escape`, so a metric's name cannot break out.
Coordinates are in user units (one CSS pixel when the chart is shown at its natural size).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps data ``lo..hi`` to pixels ``start..end``, linearly or by the logarithm.

    A log scale needs ``0 < lo < hi``; `positions` uses the same units as the data.
    """

    lo: float
    hi: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; values outside the domain land outside the range."""
        if self.log:
            share = math.log(value / self.lo) / math.log(self.hi / self.lo)
        else:
            share = (value - self.lo) / (self.hi - self.lo)
        return self.start + share * (self.end - self.start)

    def clip(self, value: float) -> float:
        """Return the pixel of the nearest value inside the domain."""
        return self(min(max(value, self.lo), self.hi))

    def ticks(self, most: int = 6) -> list[float]:
        """Return at most `most` round values inside the domain."""
        if self.log:
            return log_ticks(self.lo, self.hi, most)
        return linear_ticks(self.lo, self.hi, most)


def linear_ticks(lo: float, hi: float, most: int = 6) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten inside ``lo..hi``.

    >>> linear_ticks(0.0, 1.0, 6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not (math.isfinite(lo) and math.isfinite(hi)) or hi <= lo or most < 1:
        return []
    power = math.floor(math.log10((hi - lo) / most)) - 1
    for exponent in range(power, power + 4):
        for mantissa in (1, 2, 5):
            step = mantissa * 10.0**exponent
            first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
            if last - first + 1 <= most:
                # Rounding undoes 3 * 0.1 = 0.30000000000000004.
                return [round(k * step, max(0, 1 - exponent)) + 0.0 for k in range(first, last + 1)]
    return []


def log_ticks(lo: float, hi: float, most: int = 6) -> list[float]:
    """Return round values for a log axis: 1–2–5, else 1–3, else whole decades, thinned.

    >>> log_ticks(1e4, 1e6, 3)
    [10000.0, 100000.0, 1000000.0]
    """
    if not (0 < lo < hi < math.inf) or most < 1:
        return []
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        found = _mantissa_ticks(lo, hi, mantissas)
        if len(found) <= most and (found or mantissas != (1,)):
            return found
    decades = _mantissa_ticks(lo, hi, (1,))
    return decades[:: max(1, math.ceil(len(decades) / most))]


def log_minor(lo: float, hi: float) -> list[float]:
    """Return 1–9 times each power of ten inside ``lo..hi``, for unlabelled ticks."""
    if not (0 < lo < hi < math.inf) or hi / lo > 1e5:
        return []
    return _mantissa_ticks(lo, hi, tuple(range(1, 10)))


def _mantissa_ticks(lo: float, hi: float, mantissas: Sequence[int]) -> list[float]:
    exponents = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
    values = [float(f"{mantissa}e{exponent}") for exponent in exponents for mantissa in mantissas]
    return [value for value in values if lo * (1 - 1e-9) <= value <= hi * (1 + 1e-9)]


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return one element; children are escaped unless they are Markup.

    Underscores in attribute names become hyphens, a trailing one is dropped (``class_``); floats
    are rounded to a tenth of a pixel and None leaves an attribute out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            attribute = key.rstrip("_").replace("_", "-")
            parts.append(f'{attribute}="{escape(_plain(value))}"')
    body = Markup("").join(children)
    opening = " ".join(parts)
    return Markup(f"<{opening}>{body}</{name}>") if children else Markup(f"<{opening}/>")


def group(children: Iterable[str], **attributes: object) -> Markup:
    """Return a ``<g>`` of elements."""
    return tag("g", *children, **attributes) if (children := list(children)) else Markup("")


def text(x: float, y: float, content: str, **attributes: object) -> Markup:
    """Return a text element; `content` is escaped."""
    return tag("text", content, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def rect(x: float, y: float, width: float, height: float, **attributes: object) -> Markup:
    """Return a rectangle; negative sizes are drawn as nothing."""
    return tag("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), **attributes)


def path(xs: Sequence[float], ys: Sequence[float], **attributes: object) -> Markup:
    """Return a polyline through the finite points; a NaN opens a gap."""
    steps, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            steps.append(f"{pen}{_plain(float(x))} {_plain(float(y))}")
            pen = "L"
        else:
            pen = "M"
    return tag("path", d="".join(steps), **attributes) if steps else Markup("")


def band(
    xs: Sequence[float], lower: Sequence[float], upper: Sequence[float], **attributes: object
) -> Markup:
    """Return the area between two curves, in pieces where a bound is not finite."""
    pieces: list[list[tuple[float, float, float]]] = [[]]
    for point in zip(xs, lower, upper, strict=True):
        if all(math.isfinite(value) for value in point):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    outlines = []
    for piece in pieces:
        if len(piece) > 1:
            there = [f"{_plain(x)} {_plain(top)}" for x, _, top in piece]
            back = [f"{_plain(x)} {_plain(bottom)}" for x, bottom, _ in reversed(piece)]
            outlines.append("M" + "L".join(there + back) + "Z")
    return tag("path", d="".join(outlines), **attributes) if outlines else Markup("")


def spread(wanted: Sequence[float], gap: float, lo: float, hi: float) -> list[float]:
    """Move labels apart so that neighbours are `gap` apart, close to where they want to be.

    Labels that touch form a block, and each block sits at the mean of what its labels want; if
    there is too little room between `lo` and `hi` the gap shrinks.

    >>> spread([10.0, 11.0], 4.0, 0.0, 100.0)
    [8.5, 12.5]
    """
    count = len(wanted)
    if count == 0:
        return []
    gap = min(gap, (hi - lo) / max(count - 1, 1))
    order = sorted(range(count), key=lambda index: wanted[index])
    blocks: list[list[float]] = []  # [mean of (wanted - rank * gap), how many labels]
    for rank, index in enumerate(order):
        blocks.append([wanted[index] - rank * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            total = blocks[-1][1] + size
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + mean * size) / total, total]
    placed = [0.0] * count
    bases = [mean for mean, size in blocks for _ in range(int(size))]
    for rank, index in enumerate(order):
        base = min(max(bases[rank], lo), hi - (count - 1) * gap)
        placed[index] = base + rank * gap
    return placed


def _plain(value: object) -> str:
    if isinstance(value, float):
        shown = f"{value:.1f}"
        return shown[:-2] if shown.endswith(".0") else shown
    return str(value)
