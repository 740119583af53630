"""In a narrow terminal tables become lines, and no word of them is lost."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from nucleate.views.narrow import fitting, needed


def made() -> Table:
    table = Table("metric", "verdict", "at", box=None, padding=(0, 1), pad_edge=False)
    table.columns[2].no_wrap = True
    table.add_row("Syntax", "", "")
    table.add_row("agreement.attractor", "transition candidate", "650k (613–681k)")
    return table


def printed(width: int) -> str:
    out = StringIO()
    console = Console(file=out, width=width)
    console.print(fitting(made(), console))
    return out.getvalue()


def test_what_a_table_needs() -> None:
    assert needed(made()) == 19 + 10 + 15 + 3 * 2  # candidate is the longest word of a verdict


def test_where_it_fits_it_stays_a_table() -> None:
    assert printed(50).splitlines()[0].split() == ["metric", "verdict", "at"]
    assert len(printed(50).splitlines()) == 4


@pytest.mark.parametrize("width", [40, 49])
def test_where_it_does_not_every_word_is_there(width: int) -> None:
    lines = [line.rstrip() for line in printed(width).splitlines()]
    assert lines[:3] == ["metric", "Syntax", "agreement.attractor"]
    assert lines[3].startswith("  verdict: transition candidate; at:")
    assert " ".join(" ".join(lines[3:]).split()) == (
        "verdict: transition candidate; at: 650k (613–681k)"
    )
