"""The commands on run folders: `nucleate doctor`, `nucleate export` and `nucleate import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]


def doctor(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    mend: Annotated[
        bool, typer.Option("--mend", help="Put run.json back from the log where it is damaged.")
    ] = False,
) -> None:
    """Say what of a run folder is whole and what is not; exit 1 where something is damaged."""
    from nucleate.store.doctor import examine
    from nucleate.store.doctor import mend as put_back
    from nucleate.views.doctor import as_data, print_examination

    done = put_back(run) if mend else []
    found = examine(run)
    if as_json:
        import json

        typer.echo(json.dumps(as_data(found, done), ensure_ascii=False, allow_nan=False))
    else:
        print_examination(found, done)
    if not found.whole:
        raise typer.Exit(1)
