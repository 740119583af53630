"""What holding heads out of training did to when an ability came, as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nucleate.core.units import tokens
from nucleate.views.labels import change, number, probability, span
from nucleate.views.narrow import fitting

if TYPE_CHECKING:
    from rich.console import Console

EVENTS = {"off_chance": "off chance", "halfway": "halfway"}
ASKED = {"all heads": "all heads", "held out": "held out"}

Row = tuple[str, ...]

SEED_HEADER: Row = ("seed", "arm", "asked", "off chance", "halfway", "detector", "ends")
DELAY_HEADER: Row = ("arms", "asked", "event", "decades", "95 %", "late/early/?", "p", "p, Holm")


def print_causal(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the result of `nucleate.studies.causal.study.causal`.

    Args:
        found: The result.
        console: Where to print; standard output by default.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    for title, header, rows in (
        (f"When {found['metric']} came, in tokens", SEED_HEADER, seed_rows(found)),
        ("Later by so many decades of tokens, over seeds", DELAY_HEADER, delay_rows(found)),
    ):
        out.print()
        out.print(Text(title, style="bold"))
        out.print(fitting(_table(header, rows), out))
    for line in notes(found):
        out.print(Text(line))


def seed_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a row for each seed, arm and way of asking, with the columns of `SEED_HEADER`."""
    for seed in found["seeds"]:
        for name, arm in seed["arms"].items():
            for asked, words in ASKED.items():
                if asked in arm:
                    yield str(seed["seed"]), name, words, *_came(arm[asked])


def delay_rows(found: Mapping[str, Any]) -> Iterator[Row]:
    """Yield a row for each comparison of two arms, with the columns of `DELAY_HEADER`."""
    for each in found["delays"]:
        known = each["median"] is not None
        single = [_decades(value) for value in each["decades"]]
        yield (
            f"{each['from']} → {each['to']}",
            ASKED[each["asked"]],
            EVENTS[each["event"]],
            _decades(each["median"]) if known else ", ".join(single),
            f"{_decades(each['lo'])} to {_decades(each['hi'])}",
            f"{each['later']}/{each['earlier']}/{each['undecided']}",
            probability(each["p"]),
            probability(each["p_holm"]) if "p_holm" in each else "–",
        )


def notes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader must know of the comparison, one sentence each."""
    for seed in found["seeds"]:
        arms = {name: ", ".join(arm["heads"]) for name, arm in seed["arms"].items()}
        yield (
            f"Seed {seed['seed']}: from {tokens(seed['start'])} tokens on the candidate arm trains "
            f"without {arms['candidate']}, the control arm without {arms['control']}."
        )
    yield "Asked with all heads, or with those heads held out here too; ? are undecided seeds."
    yield f"p is one-sided (later); Holm's counts all {len(found['delays'])} comparisons."
    if found["left_out"]:
        yield f"{found['left_out']} runs had no head with the role and were left out."
    for seed in found["seeds"]:
        if not seed["matched"]:
            yield f"Seed {seed['seed']}: control heads of other layers; its own had too few."
        if not seed["idle"]:
            yield f"Seed {seed['seed']}: a control head has another role; none was without any."


def _came(told: Mapping[str, Any]) -> Row:
    judged, last = told["detector"], told["final"]
    dated = judged["at"] is not None and judged["lo"] is not None
    word = f" {tokens(judged['at'])}" if judged["at"] is not None else ""
    ends = f" ({span(judged['lo'], judged['hi'])})" if dated and judged["hi"] is not None else ""
    return (
        _place(told["off_chance"]),
        _place(told["halfway"]),
        f"{judged['verdict']}{word}{ends}" if word else "not dated",
        number(last["value"]),
    )


def _place(timing: Mapping[str, Any]) -> str:
    if timing["hi"] is None:
        return f"not by {tokens(timing['lo'])}"
    if not timing["lo"]:
        return f"by {tokens(timing['hi'])}"
    return span(timing["lo"], timing["hi"])


def _decades(value: Any) -> str:
    if value is None:
        return "–"
    return {"inf": "∞", "-inf": "-∞"}.get(value) or change(value, "")


def _table(header: Row, rows: Iterator[Row]) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
