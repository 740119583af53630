"""The command `nucleate replay`: decide again from the record, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nucleate.core import Decision
    from nucleate.store import Run
    from nucleate.train.control.replay import Replayed


def replay(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run with a policy.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Derive every decision of a run from its record again. Exit 1 where one differs."""
    from nucleate.store import Run
    from nucleate.train.control.replay import replay as derive
    from nucleate.views.waiting import waiting

    opened = Run.open(run)
    with waiting(f"deciding again what {run} decided"):
        result = _data(opened, derive(opened))
    if as_json:
        from nucleate.core.printed import print_json

        print_json("replay", result)
    else:
        from nucleate.views.decisions import print_replay

        print_replay(result)
    if not result["same"]:
        raise typer.Exit(1)


def _data(run: Run, found: list[Replayed]) -> dict[str, Any]:
    """Return a replay as JSON types."""
    named = {each.rule for pair in found for each in (pair.recorded, pair.derived) if each}
    return {
        "run": str(run.path),
        "same": all(pair.same for pair in found),
        "decisions": [
            {
                "same": pair.same,
                "recorded": _decision(pair.recorded),
                "derived": _decision(pair.derived),
            }
            for pair in found
        ],
        "silent": [
            rule["name"] for rule in run.manifest.recipe["policy"] if rule["name"] not in named
        ],
    }


def _decision(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    return {
        "rule": decision.rule,
        "step": decision.step.step,
        "tokens": decision.step.tokens,
        "pulls": decision.pulls,
        "evidence": decision.evidence,
    }
