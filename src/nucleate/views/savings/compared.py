"""Two ways of training side by side, printed in a terminal: what differs, and how surely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nucleate.core.units import si, tokens
from nucleate.views.labels import change, number, probability
from nucleate.views.narrow import fitting
from nucleate.views.savings.words import amount, label

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


WIDE = 110
"""Characters of a terminal in which a metric and its measure stand on one line."""


def print_comparison(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `nucleate.compare` found.

    Args:
        found: Its result.
        console: Where to print; standard output by default.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    seeds = ", ".join(map(str, found["seeds"]))
    out.print()
    out.print(Text(f"{len(found['seeds'])} paired seeds: {seeds}", style="bold"), soft_wrap=True)
    for line in lines(found):
        out.print(Text(line), soft_wrap=True)
    out.print()
    out.print(fitting(_table(found, narrow=out.width < WIDE), out))
    for path in found["left_out"]:
        out.print(Text(f"left out, its seed is in one set only: {path}", style="yellow"))


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return what is said of costs and of the saving, in sentences."""
    cost = found["cost"]
    spent = [sum(found["flops"][which]) / len(found["seeds"]) for which in ("base", "treated")]
    length = [sum(found["tokens"][which]) / len(found["seeds"]) for which in ("base", "treated")]
    said = [
        f"cost: {si(spent[0])} FLOPs ({tokens(length[0])} tokens) → {si(spent[1])} FLOPs "
        f"({tokens(length[1])} tokens), a ratio of {cost['value']:.3g} at whatever quality"
    ]
    saving = found["saving"]
    if "problem" in saving:
        said.append(f"saving: none can be given: {saving['problem']}")
    else:
        reach = f"{saving['missed']} missed, {saving['beyond']} beyond the frontier"
        said.append(
            f"at equal {found['quality']}: {amount(saving['saving']['value'])} "
            f"({label(saving['saving'])}; {saving['how']}; {reach}; p {probability(saving['p'])})"
        )
        said.append(
            "measured on the probes that the runs were watched with: no claim under the protocol"
        )
    if found["how"]:
        said.append(found["how"])
    return said


def _on_two_lines(metric: str) -> str:
    """Put the measure of a metric beneath it, rather than cut either off."""
    stem, dot, measure = metric.rpartition(".")
    return f"{stem}\n {dot}{measure}" if dot else metric


def _table(found: Mapping[str, Any], *, narrow: bool) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("metric", "base", "treated", "difference", "95 %", "p", "Holm"):
        name = column == "metric"
        table.add_column(
            column, justify="left" if name else "right", no_wrap=not name, overflow="fold"
        )
    for row in found["rows"]:
        interval = row["student"]
        bounds = "–"
        if interval["lo"] is not None:
            bounds = f"{change(interval['lo'], '')} to {change(interval['hi'], '')}"
        table.add_row(
            _on_two_lines(row["metric"]) if narrow else row["metric"],
            number(row["base"], 3),
            number(row["treated"], 3),
            change(row["bca"]["value"], ""),
            bounds,
            probability(row["p"]),
            probability(row["holm"]),
        )
    return table
