"""The commands `nucleate study` and `nucleate compare`: their options, and what they print."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli_scan import Interrupted

if TYPE_CHECKING:
    from nucleate.studies.savings.conductor import Conductor
    from nucleate.studies.savings.pool import Workers

STAGES = "tune, check, preview, freeze, run, score, analyse; all of them but preview when left out"


def study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A study in YAML.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the study.")] = None,
    stage: Annotated[str, typer.Option(metavar="STAGE", help=f"Only {STAGES}.")] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time, one thread each; all cores.")
    ] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Train on a Ray cluster.")] = False,
    first: Annotated[
        int | None, typer.Option(min=2, help="Look at the first so many seeds only.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print results only.")] = False,
) -> None:
    """Measure what a way of training saves at equal quality. Called again, it goes on."""
    from nucleate.studies.savings.conductor import Conductor
    from nucleate.studies.savings.settings import load_study

    settings = load_study(file)
    folder = out or Path("runs") / f"study-{settings.name}"

    def say(text: str) -> None:
        if not (quiet or as_json):
            typer.echo(text)

    pool = _workers(workers or os.cpu_count() or 1, ray)
    command = ["nucleate", *sys.argv[1:]]
    conductor = Conductor(settings, folder, pool, say, first=first, command=command)
    try:
        result = _conduct(conductor, stage)
    except KeyboardInterrupt:
        raise Interrupted(shlex.join(command)) from None
    if result is not None:
        _show(result, folder, as_json)


def _conduct(conductor: Conductor, stage: str) -> dict[str, Any] | None:
    """Do one stage, or all of them; return figures where a stage makes some."""
    from nucleate.core import UserError
    from nucleate.studies.savings.conductor import STAGES as ORDER

    if stage not in ("", "preview", *ORDER):
        raise UserError("no such stage", where="--stage", got=stage, expected=STAGES)
    result = None
    for name in [stage] if stage else ORDER:
        result = getattr(conductor, name)()
    return result if stage in ("", "preview", "analyse") else None


def _workers(number: int, ray: bool) -> Workers:
    if ray:
        from nucleate.bridges.ray_runs import RayRuns

        return RayRuns(number)
    from nucleate.studies.savings.pool import Processes

    return Processes(number)


def _show(result: dict[str, Any], folder: Path, as_json: bool) -> None:
    from nucleate.views.savings.page import write_page
    from nucleate.views.savings.terminal import savings_summary

    name = "study.html" if result["frozen"] else "preview.html"
    page = write_page(result, folder / name)
    if as_json:
        from nucleate.core.printed import print_json

        print_json("study", result)
        return
    savings_summary(result, page=str(page))


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="BASE… TREATED…", help="Run folders of two recipes, any seeds."),
    ],
    treated: Annotated[
        list[Path] | None,
        typer.Option("--treated", help="Run folders of the second way; all others are the base."),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Compare these metrics: 'state.*'.")
    ] = None,
    quality: Annotated[
        str, typer.Option(metavar="METRIC", help="What is held equal for a saving.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Compare two ways of training, seed by seed. With five lengths of the base, a saving."""
    from nucleate.studies.compare import compare as compared
    from nucleate.views.waiting import waiting

    with waiting(f"reading {len(runs) + len(treated or ())} runs"):
        found = compared(runs, treated or [], metrics=metric or [], quality=quality)
    if as_json:
        from nucleate.core.printed import print_json

        print_json("compare", found)
        return
    from nucleate.views.savings.compared import print_comparison

    print_comparison(found)
