"""The command `nucleate scan`: its options, and what is printed once the series is measured."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from nucleate.corpora.itemsets import ItemSet
    from nucleate.observe.scanning.work import Worker

Out = Annotated[Path | None, typer.Option("--out", help="Run folder to write.")]
SUITES = ("auto", "coherence", "text", "story", "mechanism", "landscape")
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results only.")]


class Interrupted(Exception):  # noqa: N818 (it is no error)
    """Ctrl-C was pressed, and a command goes on where it was."""

    def __init__(self, again: str) -> None:
        super().__init__(f"interrupted; go on with: {again}")


def scan(
    source: Annotated[
        str,
        typer.Argument(metavar="MODEL_OR_DIR", help="Folder of checkpoints, or org/model."),
    ],
    revisions: Annotated[
        str, typer.Option(metavar="PATTERN", help="Take these checkpoints: 'step*'.")
    ] = "",
    suite: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|TASK.yaml",
            help="coherence, text, story (by default what fits), mechanism or landscape; or tasks "
            "of lm-eval: a YAML file, a folder, a pattern in quotes, several times if need be.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of evaluation data ($NUCLEATE_DATA).")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="FILE",
            help="For text, mechanism, landscape: held-out texts; for coherence: texts like those "
            "trained on.",
        ),
    ] = None,
    items: Annotated[int | None, typer.Option(min=8, help="Most items of one set.")] = None,
    context: Annotated[
        int | None, typer.Option(min=16, help="Longest sequence, in tokens.")
    ] = None,
    levels: Annotated[
        str, typer.Option(metavar="LEVELS", help="Only these levels: syntax,narrative.")
    ] = "",
    tokenizer: Annotated[
        str, typer.Option(metavar="PATH", help="Tokenizer, where none lies with the checkpoints.")
    ] = "",
    tokens_per_step: Annotated[
        float | None, typer.Option("--tokens-per-step", help="Training tokens of one step.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    ray: Annotated[bool, typer.Option("--ray", help="Work on a Ray cluster.")] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure every checkpoint of a finished series. Called again, it goes on where it was."""
    name, sets = _asked(suite or ["auto"], items)  # a mistake in it is told before torch loads

    from nucleate.observe.scan import scan as measure
    from nucleate.views.scan_progress import ScanView

    folder = out or Path("runs") / f"scan-{Path(source).resolve().name}"
    settings = {
        "revisions": revisions,
        "suite": name,
        "items": items,
        "context": context,
        "levels": [level for level in levels.split(",") if level],
        "data": str(data) if data else "",
        "texts": text or [],
        "tokens_per_step": tokens_per_step,
        "tokenizer": tokenizer,
        "bf16": bf16,
    }
    with ScanView(quiet=quiet or as_json) as view:
        try:
            measure(
                source,
                out=folder,
                sets=sets,
                device=device,
                worker=_workers(workers, ray),
                threads=max(1, (os.cpu_count() or 1) // workers) if ray or workers > 1 else 0,
                listener=view,
                command=["nucleate", *sys.argv[1:]],
                **settings,
            )
        except KeyboardInterrupt:
            again = shlex.join(["nucleate", *sys.argv[1:]])
            raise Interrupted(again) from None
    from nucleate.store import Run

    if as_json:
        from nucleate.core.printed import print_json
        from nucleate.views.scan_data import scan_data

        print_json("scan", scan_data(Run.open(folder)))
        return
    from nucleate.views.report import write_report
    from nucleate.views.scan_terminal import scan_summary

    page = write_report(folder)
    scan_summary(Run.open(folder), report=page)


def _asked(wishes: list[str], items: int | None) -> tuple[str, list[ItemSet]]:
    """Return the suite's name, and the item sets where tasks of lm-eval are asked.

    Raises:
        UserError: There is neither a suite nor a file of a name, or suites are given together.
    """
    if len(wishes) == 1 and wishes[0] in SUITES:
        return wishes[0], []
    paths = dict.fromkeys(path for wish in wishes for path in _paths(wish))
    from nucleate.bridges.lm_eval.tasks import read_tasks

    return "sets", read_tasks(list(paths), items=items)


def _paths(wish: str) -> list[Path]:
    from difflib import get_close_matches
    from glob import glob

    from nucleate.core import Level, UserError

    if wish in SUITES:
        raise UserError(
            "a suite is asked by itself", where="--suite", got=wish, fix="scan once for each"
        )
    if wish in set(Level) and not Path(wish).exists():
        raise UserError(
            "is a level, no suite",
            where="--suite",
            got=wish,
            fix=f"--suite coherence --levels {wish} asks that level alone",
        )
    found = [Path(wish)] if Path(wish).exists() else [Path(path) for path in sorted(glob(wish))]
    if not found:
        near = get_close_matches(wish, SUITES, n=1)
        raise UserError(
            "no such suite, file or folder",
            where="--suite",
            got=wish,
            expected=f"{', '.join(SUITES)} or a task's YAML",
            fix=f"did you mean {near[0]!r}?" if near else "nucleate suite export writes tasks",
        )
    return found


def _workers(number: int, ray: bool) -> Worker | None:
    if ray:
        from nucleate.bridges.ray_pool import RayWorkers

        return RayWorkers(number)
    if number > 1:
        from nucleate.observe.scanning.work import ProcessWorkers

        return ProcessWorkers(number)
    return None
