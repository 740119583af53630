"""A small curve in braille characters: two dots across and four down in every cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the braille dots, by row and column of a cell."""


def braille_lines(pairs: Sequence[tuple[float, float]], width: int, height: int) -> list[str]:
    """Draw ``(tokens, value)`` pairs over log tokens; returns `height` rows of `width` characters.

    Values that fall into one column of dots are averaged; the y axis spans the values drawn.
    """
    usable = [(math.log10(t), v) for t, v in pairs if t > 0 and math.isfinite(v)]
    if not usable:
        return [" " * width] * height
    left, right = usable[0][0], usable[-1][0]
    columns: dict[int, list[float]] = {}
    for x, value in usable:
        share = (x - left) / (right - left) if right > left else 1.0
        columns.setdefault(min(int(share * 2 * width), 2 * width - 1), []).append(value)
    means = {column: sum(values) / len(values) for column, values in columns.items()}
    low, high = min(means.values()), max(means.values())
    cells = [[0] * width for _ in range(height)]
    for column, value in means.items():
        share = (high - value) / (high - low) if high > low else 0.5
        row = min(int(share * 4 * height), 4 * height - 1)
        cells[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells]
