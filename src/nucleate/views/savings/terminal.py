"""What a savings study found, printed in a terminal: the claim first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nucleate.views.labels import probability
from nucleate.views.narrow import fitting
from nucleate.views.savings.words import (
    bound,
    first_line,
    label,
    note,
    percent,
    quality_name,
    seen,
    thirty,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def savings_summary(
    result: Mapping[str, Any], console: Console | None = None, *, page: str = ""
) -> None:
    """Print a study.

    Args:
        result: What `study.json` holds.
        console: Where to print; standard output by default.
        page: Path of the page, named in the last line.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    out.print()
    out.print(Text(first_line(result), style="bold"), soft_wrap=True)
    out.print(Text(thirty(result)), soft_wrap=True)
    out.print(Text(seen(result), style="dim"), soft_wrap=True)
    for name, workload in result["workloads"].items():
        out.print()
        out.print(Text(f"{name} · at equal {quality_name(workload['quality'])}", style="bold"))
        out.print(fitting(_savings(result, workload), out))
        for arm, found in workload["contrasts"].items():
            if "how" in found and note(found):
                out.print(Text(f"against {arm}: {note(found)}", style="dim"), soft_wrap=True)
        if workload["floors"]:
            out.print(fitting(_floors(result, workload), out))
        for failed in workload["failed"]:
            out.print(Text(f"failed: {failed['key']}: {failed['why']}", style="yellow"))
    if page:
        out.print()
        out.print(Text.assemble("page  ", (page, "bold")), soft_wrap=True)


def _savings(result: Mapping[str, Any], workload: Mapping[str, Any]) -> Table:
    from rich.table import Table

    treated = result["treated"]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("arm", f"saving vs {result['baseline']}", "95 %", f"{treated} saves vs it", "p"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for name, found in workload["arms"].items():
        if "problem" in found:
            table.add_row(name, found["problem"], "", "", "")
            continue
        against = workload["contrasts"].get(name, {})
        own = against or found
        table.add_row(
            name,
            percent(found["saving"]["value"]),
            label(found["saving"]),
            _against(against),
            probability(own.get("p")),
        )
    return table


def _against(found: Mapping[str, Any]) -> str:
    """Write what is saved against a control; why there is no answer where there is none."""
    if "saving" not in found:
        return str(found.get("problem", ""))
    return f"{bound(found)}{percent(found['saving']['value'])}  {label(found['saving'])}"


def _floors(result: Mapping[str, Any], workload: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("floor", result["treated"], result["baseline"], "lower bound", "margin", ""):
        table.add_column(column, justify="left" if column == "floor" else "right")
    for floor in workload["floors"]:
        numbers = [floor[key] for key in ("treated", "baseline", "bound", "margin")]
        shown = ["–" if not isinstance(v, (int, float)) else f"{v:.3f}" for v in numbers]
        table.add_row(
            quality_name(floor["name"]), *shown, "holds" if floor["holds"] else "NOT SHOWN"
        )
    return table
