"""A table where it fits; in a terminal too narrow for it, its rows beneath each other, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

NARROW = 72
"""Characters from which on tables are laid out as tables: they are made for 80."""


def fitting(table: Table, console: Console) -> RenderableType:
    """Return a table, or its rows as lines where the terminal would cut columns off.

    A row becomes its first cell, and under it ``column: cell`` for every other that is not empty.

    Args:
        table: A table of text.
        console: Where it will be printed.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if console.width >= NARROW or needed(table) <= console.width:
        return table
    heads = [str(column.header) for column in table.columns]
    lines: list[RenderableType] = [Text(heads[0], style=table.header_style)] if heads[0] else []
    for cells in zip(*(column.cells for column in table.columns), strict=True):
        first, *rest = (cell if isinstance(cell, Text) else Text(str(cell)) for cell in cells)
        lines.append(first)
        parts = [
            Text.assemble((f"{head}: " if head else "", "dim"), cell)
            for head, cell in zip(heads[1:], rest, strict=True)
            if cell.plain.strip()
        ]
        if parts:
            lines.append(Padding(Text("; ").join(parts), (0, 0, 0, 2)))
    return Group(*lines)


def needed(table: Table) -> int:
    """Return how many characters a table needs to break no word, and no cell that says so."""
    from rich.cells import cell_len

    width = 0
    for column in table.columns:
        texts = [str(column.header), *(str(cell) for cell in column.cells)]
        parts = [part for text in texts for part in _unbroken(text, whole=column.no_wrap)]
        inside = max((cell_len(part) for part in parts), default=0)
        width += max(inside, column.min_width or 0) + table.padding[1] + table.padding[3]
    return width


def _unbroken(text: str, *, whole: bool) -> list[str]:
    return text.splitlines() if whole else text.split()
