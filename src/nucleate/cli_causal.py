"""The command `nucleate causal`: train runs again without the heads that carry an ability."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nucleate.cli_scan import Interrupted


def causal(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Finished runs, one for each seed.")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the re-runs.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE", help="Hold out the heads of this role (entity link and name mover)."
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="METRIC", help="The ability, an accuracy.")
    ] = "state.holder.accuracy",
    start: Annotated[
        int | None,
        typer.Option(
            "--from", min=1, metavar="TOKENS", help="Hold out from here on (half of its onset)."
        ),
    ] = None,
    stop: Annotated[
        int | None,
        typer.Option("--until", min=1, metavar="TOKENS", help="Let back here (never)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print results only.")] = False,
) -> None:
    """Train runs again without the heads that carry an ability. Does it come later?"""
    from nucleate.studies.causal.heads import ENTITY
    from nucleate.studies.causal.study import causal as experiment

    def say(text: str) -> None:
        if not (quiet or as_json):
            typer.echo(text)

    folder = out or Path("runs") / "causal"
    try:
        found = experiment(
            runs, folder, roles=role or ENTITY, metric=metric, start=start, stop=stop, say=say
        )
    except KeyboardInterrupt:
        raise Interrupted(shlex.join(["nucleate", *sys.argv[1:]])) from None
    if as_json:
        from nucleate.core.printed import print_json

        print_json("causal", found)
        return
    from nucleate.views.causal import print_causal

    print_causal(found)
    if not quiet:
        typer.echo(f"\nresult  {folder / 'causal.json'}")
