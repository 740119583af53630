"""The command `nucleate replay`: decide again from the record, and compare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nucleate.train.control.replay import Replayed


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run with a policy.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Derive every decision of a run from its record again; exit 1 where one differs."""
    from nucleate.store import Run
    from nucleate.train.control.replay import replay as derive

    found = derive(Run.open(run))
    if as_json:
        typer.echo(json.dumps([_data(each) for each in found], ensure_ascii=False))
    else:
        for each in found:
            typer.echo(_line(each))
        same = sum(each.same for each in found)
        typer.echo(f"{same} of {len(found)} decisions follow from the record")
    if not all(each.same for each in found):
        raise typer.Exit(1)


def _data(each: Replayed) -> dict[str, Any]:
    shown = each.recorded or each.derived
    assert shown is not None
    return {
        "rule": shown.rule,
        "step": shown.step.step,
        "tokens": shown.step.tokens,
        "pulls": shown.pulls,
        "evidence": shown.evidence,
        "recorded": each.recorded is not None,
        "derived": each.derived is not None,
        "same": each.same,
    }


def _line(each: Replayed) -> str:
    data = _data(each)
    word = "same" if each.same else "differs" if each.recorded and each.derived else "missing"
    pulls = ", ".join(f"{lever} → {to}" for lever, to in data["pulls"].items())
    why = ", ".join(f"{key} {_short(value)}" for key, value in data["evidence"].items())
    return f"{word:8} {data['tokens']:>12,} tokens  {data['rule']}: {pulls}  ({why})"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
