"""What training would cost, printed in a terminal: readable at 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.views.cost.numbers import percent, power, shown
from nucleate.views.narrow import fitting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_cost(
    data: Mapping[str, Any], console: Console | None = None, *, page: str | Path | None = None
) -> None:
    """Print a scenario: what follows, what was assumed, what is left out.

    Args:
        data: A scenario of schema ``nucleate.cost/1``.
        console: Where to print; standard output by default.
        page: Path of the page, named in the last line.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    out.print()
    out.print(Text.assemble((data["title"], "bold"), "  a scenario, not a result"))
    out.print()
    out.print(fitting(_figures("modelled", "how", data["outputs"]), out))
    if data["parts"]:
        out.print()
        out.print(fitting(_parts(data["parts"]), out))
    if data["saving"]:
        out.print()
        out.print(fitting(_saving(data["saving"]), out))
        out.print(Text(_assumed(data["saving"])))
        out.print(Text(data["saving"]["warning"], style="yellow"))
    out.print()
    out.print(fitting(_figures("assumed", "source", data["inputs"]), out))
    out.print()
    for note in data["notes"]:
        out.print(Text(note, style="dim"))
    out.print(Text("Not in it: " + "; ".join(data["left_out"]) + ".", style="dim"))
    for reference in data["references"]:
        out.print(Text(f"[{reference}]", style="dim"))
    if page is not None:
        out.print()
        out.print(Text.assemble("page  ", (str(page), "bold")), soft_wrap=True)


def _figures(mark: str, why: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table()
    table.add_column(mark.capitalize(), min_width=22)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column(why, style="dim", overflow="fold")
    for row in rows:
        said = row["why"] if row["mark"] == mark else f"{row['mark']}: {row['why']}"
        table.add_row(row["name"], shown(row["value"], row["unit"], row["key"]), said)
    return table


def _assumed(saving: Mapping[str, Any]) -> str:
    span = f"{percent(saving['lo'])} to {percent(saving['hi'])}"
    return f"Assumed: a saving of {percent(saving['point'])}, interval {span}."


def _parts(parts: Mapping[str, float]) -> Table:
    table = _table()
    table.add_column("FLOPs by part", min_width=22)
    table.add_column("modelled", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    whole = sum(parts.values())
    for part, flops in sorted(parts.items(), key=lambda item: -item[1]):
        table.add_row(part.replace("_", " "), power(flops), percent(flops / whole))
    return table


def _saving(saving: Mapping[str, Any]) -> Table:
    table = _table()
    table.add_column("What if, modelled", min_width=17)
    table.add_column("without", justify="right")
    for name in ("lo", "point", "hi"):
        table.add_column(f"saving {percent(saving[name])}", justify="right")
    for row in saving["rows"]:
        cells = [row[name] for name in ("without", "lo", "point", "hi")]
        table.add_row(row["name"], *(shown(cell, row["unit"], row["key"]) for cell in cells))
    return table


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
