"""Commands around item sets: write them as lm-eval tasks, look at tasks, write a run as results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from nucleate.corpora.itemsets import ItemSet

commands = typer.Typer(
    name="suite",
    help="Item sets to and from lm-evaluation-harness.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Format = Annotated[str, typer.Option("--format", help="Whose format: lm-eval.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Items = Annotated[int | None, typer.Option("--items", min=1, help="Most items of one set.")]


@commands.command("export")
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write the tasks into.")
    ],
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME", help="This set: copa, blimp …")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of evaluation data ($NUCLEATE_DATA).")
    ] = None,
    items: Items = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of items.")] = 0,
    layout: Format = "lm-eval",
    as_json: AsJson = False,
) -> None:
    """Write item sets as lm-eval tasks: YAML and JSON lines for each."""
    from nucleate.bridges.lm_eval.export import write_tasks
    from nucleate.bridges.lm_eval.suite import published_sets

    _check(layout)
    chosen = published_sets(sets or (), data=data, items=items, seed=seed)
    written = write_tasks(chosen, folder)
    if as_json:
        from nucleate.core.printed import print_json

        rows = [
            {"task": w.name, "path": str(w.path), "items": w.items, "notes": w.notes}
            for w in written
        ]
        print_json("suite.export", {"tasks": rows})
        return
    width = max(len(task.name) for task in written)
    for task in written:
        typer.echo(f"{task.name:<{width}}  {task.items:>7,} items")
        for note in task.notes:
            typer.echo(f"  {note}")
    names = ",".join(task.name for task in written)
    typer.echo(f"\nlm_eval run --model hf --include_path {folder} --tasks {names} …")


@commands.command("import")
def look(
    paths: Annotated[
        list[Path], typer.Argument(metavar="TASK.yaml", help="Tasks, groups, or their folders.")
    ],
    items: Items = None,
    shots: Annotated[
        int | None, typer.Option("--shots", min=0, help="Examples before each question.")
    ] = None,
    layout: Format = "lm-eval",
    as_json: AsJson = False,
) -> None:
    """Read lm-eval tasks and show what they ask. None of their code runs."""
    from nucleate.bridges.lm_eval.tasks import read_tasks

    _check(layout)
    rows = [_row(item_set) for item_set in read_tasks(paths, items=items, shots=shots)]
    if as_json:
        from nucleate.core.printed import print_json

        print_json("suite.import", {"tasks": rows})
        return
    for row in rows:
        typer.echo(f"{row['name']}: {row['items']:,} items, {row['kind']}, {row['level']}")
        typer.echo(f"  from {row['source']}; licence: {row['licence']}")
        for note in row["notes"]:
            typer.echo(f"  {note}")
        for number, (context, continuation) in enumerate(row["first"]):
            mark = "→" if number == row["gold"] else " "
            typer.echo(f"  {mark} {_short(context)} ¦{_short(continuation)}")


@commands.command("results")
def results(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write the results into.")
    ],
    samples: Annotated[
        bool, typer.Option("--samples", help="Also write the scores of single items.")
    ] = False,
    layout: Format = "lm-eval",
) -> None:
    """Write what a run measured as lm-eval results. One file for each checkpoint."""
    from nucleate.bridges.lm_eval.results import write_results

    _check(layout)
    files = write_results(run, folder, samples=samples)
    typer.echo(f"{len(files):,} files below {folder}")


def _check(layout: str) -> None:
    from nucleate.core import UserError

    if layout != "lm-eval":
        raise UserError("no such format", where="--format", got=layout, expected="lm-eval")


def _row(item_set: ItemSet) -> dict[str, Any]:
    from nucleate.corpora.items import Choice
    from nucleate.corpora.sets.sample import texts_of

    first = item_set.items[0]
    choice = isinstance(first, Choice)
    return {
        "name": item_set.name,
        "items": len(item_set.items),
        "kind": "multiple choice" if choice else "log-likelihood",
        "level": str(item_set.level),
        "source": item_set.source,
        "licence": item_set.licence,
        "notes": list(item_set.notes),
        "first": texts_of(first),
        "gold": first.gold if isinstance(first, Choice) else 0,
    }


def _short(text: str, limit: int = 60) -> str:
    flat = text.replace("\n", "⏎")
    shown = "".join(letter if letter.isprintable() else "?" for letter in flat)
    return shown if len(shown) <= limit else "…" + shown[-limit:]
