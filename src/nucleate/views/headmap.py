"""Layer × head map of one role: how strong its score is in every head, and who holds it."""

from __future__ import annotations

import math

from markupsafe import Markup

from nucleate.core.heads import HeadTable, label
from nucleate.views import svg
from nucleate.views.labels import number

WIDTH, LEFT, TOP = 340.0, 34.0, 22.0
CELL = 34.0
"""Largest height of a cell, in pixels."""
INK = 0.55
"""Opacity of the strongest cell; numbers stay readable on it, in light and in dark."""
WORDS = 8
"""Heads of a layer up to which every cell has its number."""


def head_map(table: HeadTable, role: str) -> Markup:
    """Draw the score of a role over layers (downwards) and heads; a frame marks who holds it."""
    scores = table.scores[table.asked[role][0]]
    layers, heads = scores.values_LH.shape
    held = set(table.holders(role))
    wide = (WIDTH - LEFT) / heads
    high = min(CELL, wide)
    above_LH = scores.values_LH - scores.chance
    most = max((float(x) for x in above_LH.flat if math.isfinite(x)), default=0.0)
    cells, frames, words = [], [], []
    for layer in range(layers):
        y = TOP + layer * high
        words.append(
            svg.text(LEFT - 7, y + high / 2 + 4, f"L{layer}", class_="tick", text_anchor="end")
        )
        for head in range(heads):
            x, above = LEFT + head * wide, float(above_LH[layer, head])
            share = max(0.0, above / most) if most > 0 and math.isfinite(above) else 0.0
            cells.append(
                svg.rect(
                    x + 1,
                    y + 1,
                    wide - 2,
                    high - 2,
                    rx=3,
                    class_="cell lv-mechanism",
                    fill_opacity=f"{INK * share:.3f}",
                )
            )
            if label(layer, head) in held:
                frames.append(svg.rect(x + 1, y + 1, wide - 2, high - 2, rx=3, class_="held"))
            if heads <= WORDS:
                value = number(float(scores.values_LH[layer, head]))
                words.append(
                    svg.text(
                        x + wide / 2,
                        y + high / 2 + 4,
                        value,
                        class_="cell-word",
                        text_anchor="middle",
                    )
                )
    names = [
        svg.text(
            LEFT + (head + 0.5) * wide, TOP - 8, f"H{head}", class_="tick", text_anchor="middle"
        )
        for head in range(0, heads, 1 if heads <= 16 else 4)
    ]
    return svg.tag(
        "svg",
        *(svg.group(part) for part in (cells, frames, words, names) if part),
        viewBox=f"0 0 {WIDTH:g} {TOP + layers * high + 2:g}",
        class_="chart panel headmap",
        role="img",
        aria_label=f"{role}: score of every head; held by {', '.join(sorted(held)) or 'none'}",
    )
