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
    """Say what of a run folder is whole and what is not. Exit 1 where something is damaged."""
    from nucleate.store.doctor import examine
    from nucleate.store.doctor import mend as put_back
    from nucleate.views.doctor import as_data, print_examination
    from nucleate.views.waiting import waiting

    with waiting(f"checking {run}"):
        done = put_back(run) if mend else []
        found = examine(run)
    if as_json:
        from nucleate.core.printed import print_json

        print_json("doctor", as_data(found, done))
    else:
        print_examination(found, done)
    if not found.whole:
        raise typer.Exit(1)


def export(
    run: Run,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="FILE.csv, .parquet, .duckdb or .nc.")
    ],
    heads: Annotated[
        bool, typer.Option("--heads", help="Scores of all heads instead: .csv or .parquet.")
    ] = False,
) -> None:
    """Write the readings of a run as a table. CSV, Parquet, DuckDB or netCDF (xarray)."""
    from nucleate.core import UserError
    from nucleate.store import Run as RunFolder
    from nucleate.store.export import export as write
    from nucleate.views.waiting import waiting

    if heads and to.suffix.lower() not in (".csv", ".parquet"):
        raise UserError("heads go into a table", where=to, expected=".csv or .parquet")
    with waiting(f"reading {run}") as say:
        opened = RunFolder.open(run)
        say(f"writing {to}")
        if heads:
            opened.export_heads(to)
        else:
            write(opened, to)
    typer.echo(to)


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="CSV, Parquet, TensorBoard, W&B, MLflow, trackio … (see detect).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write, or a folder of them.")],
    tokens_per_step: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="N",
            show_default=False,
            help="Tokens of a step (or epoch), if SOURCE has none.",
        ),
    ] = 0.0,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Take these metrics: 'eval*'.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Take these runs: 'seed*'.")
    ] = None,
    step: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of positions along training.")
    ] = "",
) -> None:
    """Make run folders of curves that another tool kept."""
    from nucleate.bridges.tables import ColumnChoice, read_book
    from nucleate.bridges.tables.into_run import import_book
    from nucleate.views.waiting import waiting

    with waiting(f"reading {source}") as say:
        book = read_book(source, ColumnChoice(step=step), metrics=metric or (), runs=run or ())
        say(f"writing {out}")
        folders = list(import_book(book, out, tokens_per_step=tokens_per_step))
    for folder in folders:
        typer.echo(folder)
