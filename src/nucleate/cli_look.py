"""The commands that look at runs: `nucleate show`, `nucleate report` and `nucleate table`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.store import Run as RunFolder

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def opened(path: Path) -> RunFolder:
    """Open a run folder; on standard error say where the log's copy stands in for `run.json`."""
    from nucleate.store import Run as RunFolder

    run = RunFolder.open(path)
    if not (run.path / "run.json").is_file():
        typer.echo(
            f"note: {path}/run.json is missing; the log's copy stands in "
            f"({shlex.join(['nucleate', 'doctor', str(path), '--mend'])} puts it back)",
            err=True,
        )
    return run


def report(
    run: Run,
    out: Annotated[Path | None, typer.Option("--out", help="HTML file to write.")] = None,
) -> None:
    """Write one self-contained HTML page about a run."""
    from nucleate.views.report import write_report
    from nucleate.views.waiting import waiting

    with waiting(f"analysing {run}"):
        page = write_report(run, out)
    typer.echo(page)


def show(run: Run, as_json: AsJson = False) -> None:
    """Print what a run shows: transitions, phases, what is not sharp."""
    show_run(opened(run), as_json=as_json)


def show_run(run: RunFolder, *, as_json: bool, report: Path | None = None) -> None:
    """Print what a run or a scan shows, and the page that was written about it."""
    from nucleate.views.waiting import waiting

    if as_json:
        from nucleate.core.printed import print_json
        from nucleate.views.show_data import show_data

        with waiting(f"analysing {run.path}"):
            data = show_data(run, report=report)
        print_json("show", data)
        return
    from nucleate.views.analysis import analyse
    from nucleate.views.scan_scores import is_scan
    from nucleate.views.scan_terminal import scan_summary
    from nucleate.views.terminal import summary

    with waiting(f"analysing {run.path}"):
        found = analyse(run)
    if is_scan(run):
        scan_summary(run, found, report=report)
    else:
        summary(found, report=report)


def table(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Run folders of several seeds or models.")
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="PATTERN",
            help="Show these metrics: 'state.*', refrain.all.accuracy …",
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="With scanned models: HTML page to write too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare several seeds, or several scanned models. Of seeds: when every level changed."""
    from nucleate.core import UserError
    from nucleate.views.scan_scores import is_scan

    if markdown and as_json:
        raise UserError("--markdown and --json are two forms of one table", fix="leave one out")
    patterns = metric or []
    folders = [opened(run) for run in runs]
    if all(is_scan(run) for run in folders) and not markdown:
        _table_of_scans(folders, patterns, page, as_json=as_json)
        return
    if page is not None:
        raise UserError(
            "--report goes with scanned models, without --markdown",
            fix="nucleate report RUN writes a page about one run",
        )
    if as_json:
        from nucleate.core.printed import print_json
        from nucleate.views.table_data import seeds_data

        print_json("table", seeds_data(folders, patterns))
        return
    from nucleate.views.studytable import print_study_table

    print_study_table(runs, patterns=patterns, markdown=markdown)


def _table_of_scans(
    runs: list[RunFolder], patterns: list[str], page: Path | None, *, as_json: bool
) -> None:
    from nucleate.views.scan_page import write_comparison
    from nucleate.views.scan_terminal import compare_scans
    from nucleate.views.waiting import waiting

    with waiting(f"comparing {len(runs)} scans"):
        written = write_comparison(runs, page, patterns) if page else None
    if as_json:
        from nucleate.core.printed import print_json
        from nucleate.views.table_data import scans_data

        print_json("table", scans_data(runs, patterns, report=written))
        return
    compare_scans(runs, patterns=patterns, report=written)
