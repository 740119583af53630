"""The command `nucleate detect`: its options; reading and judging are elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def detect(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Tables, logs, run folders; with --report also PAGE.html."
        ),
    ],
    step: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of positions along training.")
    ] = "",
    metric_column: Annotated[
        list[str] | None,
        typer.Option("--metric-column", metavar="COLUMN", help="Column naming what was measured."),
    ] = None,
    value: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column of measured numbers.")
    ] = None,
    run: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Column that tells runs apart.")
    ] = None,
    stderr: Annotated[str, typer.Option(metavar="COLUMN", help="Column of standard errors.")] = "",
    n: Annotated[
        str, typer.Option("--n", metavar="COLUMN", help="Column of numbers of items.")
    ] = "",
    lr: Annotated[
        str, typer.Option("--lr", metavar="COLUMN", help="Column of the learning rate.")
    ] = "",
    metric: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Look at these metrics: 'lambada*'.")
    ] = None,
    run_filter: Annotated[
        list[str] | None,
        typer.Option("--run-filter", metavar="PATTERN", help="Look at these runs: 'seed*'."),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Size of the test of sharpness.")] = 0.01,
    max_width: Annotated[
        float, typer.Option("--max-width", help="Widest sharp change, 10–90 %, in decades.")
    ] = 0.4,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated nulls.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write a page too: FILE.detect.html or PAGE.html.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every curve.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print results only.")] = False,
) -> None:
    """Say which changes of your own curves are sharp, and how surely."""
    from nucleate import __version__
    from nucleate.bridges.tables import ColumnChoice, read_book, select
    from nucleate.views.detect.command import Request, show_findings
    from nucleate.views.detect.merge import merged
    from nucleate.views.waiting import waiting

    wish = Request(
        files=tuple(files),
        alpha=alpha,
        max_width=max_width,
        seed=seed,
        json=as_json,
        report=report,
        everything=everything,
        quiet=quiet,
        arguments=sys.argv[1:],
        version=__version__,
    )
    columns = ColumnChoice(
        step=step,
        metric=tuple(metric_column or ()),
        value=tuple(value or ()),
        run=tuple(run or ()),
        stderr=stderr,
        n=n,
        lr=lr,
    )
    with waiting(f"reading {wish.sources[0]}", quiet=quiet) as say:
        books = []
        for source in wish.sources:
            say(f"reading {source}")
            books.append(read_book(source, columns=columns))
        book = merged(books)
    show_findings(select(book, metrics=metric or [], runs=run_filter or []), wish)
