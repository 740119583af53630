"""The command line: thin commands; everything heavy loads inside them.

Exit codes: 0 done, 1 a defect of ours, 2 a mistake in the input, 130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.bridges.lm_eval.commands import commands as suite_commands
from nucleate.cli_causal import causal
from nucleate.cli_cost import cost
from nucleate.cli_detect import detect
from nucleate.cli_figure import figure
from nucleate.cli_folder import doctor, export, import_
from nucleate.cli_look import AsJson, report, show, show_run, table
from nucleate.cli_replay import replay
from nucleate.cli_scan import Interrupted, scan
from nucleate.cli_study import compare, study
from nucleate.cli_ui import ui

if TYPE_CHECKING:
    from nucleate.train.recipe import Recipe

app = typer.Typer(
    name="nucleate",
    help="Watch coherence crystallise while a language model trains.",
    epilog="--debug anywhere shows tracebacks instead of one line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(suite_commands)

Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Repeat with this many seeds.")]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder to write.")]


def _whole(text: str) -> int:
    """Read ``300000``, ``3e5`` or ``4.5M``."""
    from nucleate.core.units import read_number

    try:
        value = read_number(text)
        if not 1 <= value < 1e18 or abs(value - round(value)) > 1e-6 * value:
            raise ValueError
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number of tokens, as 300000 or 4.5M") from None
    return round(value)


Tokens = Annotated[
    int | None,
    typer.Option(
        "--tokens", parser=_whole, metavar="N", help="Length of each run, in tokens: 300000, 4.5M."
    ),
]
Optimizer = Annotated[
    str | None, typer.Option("--optimizer", help="adamw or muon, instead of the recipe's.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results only.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from nucleate import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    seeds: Seeds = 1,
    seed: Annotated[int, typer.Option(min=0, help="First seed.")] = 0,
    out: Out = None,
    tokens: Tokens = None,
    optimizer: Optimizer = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a small model on the story world and watch it crystallise. Under five minutes."""
    from nucleate.train.presets import demo_recipe

    root = out or Path("runs") / "demo"
    folders = []
    for each in range(seed, seed + seeds):
        recipe = _with_optimizer(demo_recipe(seed=each, tokens=tokens), optimizer)
        wish = root if seeds == 1 else root / f"seed{each}"
        folder = wish if out else _free_folder(wish)
        if seeds > 1 and not (quiet or as_json):
            typer.echo(f"seed {each} → {folder}")
        folders.append(_train(recipe, folder, quiet=quiet or as_json))
    if seeds == 1:
        _finish(folders[0], as_json=as_json)
        return
    if as_json:
        from nucleate.core.printed import print_json
        from nucleate.store import Run
        from nucleate.views.table_data import seeds_data

        print_json("table", seeds_data([Run.open(folder) for folder in folders]))
        return
    from nucleate.views.studytable import print_study_table

    print_study_table(folders)


@app.command()
def train(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="A recipe in YAML.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="FILE",
            help="Train on these texts: files, folders, hf:NAME[:SPLIT].",
        ),
    ] = None,
    field: Annotated[
        str | None, typer.Option(help="With --text: key of the text in JSON lines (text).")
    ] = None,
    tokens: Tokens = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights and data order.")] = None,
    optimizer: Optimizer = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Go on with this run folder.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a recipe, or a small model on texts of your own. The observer is on."""
    from nucleate.core import UserError

    if sum(choice is not None for choice in (recipe, text or None, resume)) != 1:
        raise UserError(
            "say what to train", expected="RECIPE.yaml, --text FILE… or --resume RUN, one of them"
        )
    if field is not None and not text:
        raise UserError("--field goes with --text", fix="name it in the recipe: corpus.field")
    if resume is not None:
        if any(choice is not None for choice in (tokens, seed, out, optimizer)):
            raise UserError("--resume goes on with the run's own recipe", fix="leave the rest out")
        from nucleate.core.settings import validate
        from nucleate.store import Run
        from nucleate.train.recipe import Recipe

        stored = dict(Run.open(resume).manifest.recipe)
        own = validate(Recipe, stored, where=str(resume / "run.json"))
        folder = _train(own, resume, quiet=quiet or as_json, resume=True)
        _finish(folder, as_json=as_json)
        return
    changes: dict[str, Any] = {
        key: value for key, value in (("tokens", tokens), ("seed", seed)) if value is not None
    }
    chosen = _with_optimizer(_recipe(recipe, text or [], field or "text", changes), optimizer)
    folder = out or _free_folder(Path("runs") / chosen.name)
    _finish(_train(chosen, folder, quiet=quiet or as_json), as_json=as_json)


app.command()(report)
app.command()(show)
app.command()(detect)
app.command()(scan)
app.command()(study)
app.command()(compare)
app.command()(replay)
app.command()(causal)
app.command()(cost)
app.command()(doctor)
app.command()(export)
app.command("import")(import_)
app.command()(figure)
app.command()(ui)
app.command()(table)


def _recipe(path: Path | None, text: list[str], field: str, changes: dict[str, Any]) -> Recipe:
    from nucleate.train.presets import text_recipe
    from nucleate.train.recipe import load_recipe

    if path is not None:
        return load_recipe(path, **changes)
    return text_recipe(text, field=field, **changes)


def _with_optimizer(recipe: Recipe, kind: str | None) -> Recipe:
    from nucleate.core.settings import validate
    from nucleate.train.recipe import Recipe

    if kind is None:
        return recipe
    changed = recipe.model_dump()
    changed["optimizer"]["kind"] = kind
    return validate(Recipe, changed, options={"optimizer.kind": "--optimizer"})


def _train(recipe: Recipe, folder: Path, *, quiet: bool, resume: bool = False) -> Path:
    from nucleate.store import Run
    from nucleate.train.session import run
    from nucleate.views.live import LiveView
    from nucleate.views.progress import ProgressTracker

    with LiveView(recipe.name, quiet=quiet) as live:
        tracker = ProgressTracker(live.update)
        if resume:
            tracker.start_from(Run.open(folder))
        try:
            command = ["nucleate", *sys.argv[1:]]
            return run(recipe, folder, listener=tracker, resume=resume, command=command)
        except KeyboardInterrupt:
            raise Interrupted(f"nucleate train --resume {folder}") from None


def _finish(folder: Path, *, as_json: bool) -> None:
    from nucleate.store import Run
    from nucleate.views.report import write_report

    page = write_report(folder)
    show_run(Run.open(folder), as_json=as_json, report=page)


def _free_folder(wish: Path) -> Path:
    """Return the wished folder, or the first of ``-2``, ``-3`` … that is not taken."""
    folder, number = wish, 1
    while folder.exists() and (folder.is_file() or any(folder.iterdir())):
        number += 1
        folder = wish.with_name(f"{wish.name}-{number}")
    return folder


def _usage_error(error: Exception) -> Exception | None:
    """Return what the parser of the command line refuses as an error of ours; None if it is not.

    The parser's classes are typer's own or click's, by version: they are known by what they do.
    """
    from nucleate.core import UserError

    message, context = getattr(error, "format_message", None), getattr(error, "ctx", None)
    if message is None:
        return None
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(context.get_help() + "\n", err=True)
        return UserError("say what to do", expected=f"{context.command_path} COMMAND")

    from nucleate.core.settings import in_words

    what = in_words(" ".join(str(message()).split()).removesuffix("."))
    command = context.command_path if context is not None else "nucleate"
    return UserError(what[:1].lower() + what[1:], fix=f"see {command} --help")


def _file_error(error: Exception) -> Exception | None:
    """Return a file or an output that cannot be used as a mistake in the input."""
    import errno

    from nucleate.core import DataError

    room = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EPERM, errno.EROFS}
    lost = {errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EACCES}
    lost |= {errno.ENAMETOOLONG}
    if not isinstance(error, OSError) or error.errno not in lost | room:
        return None
    if error.errno in room:
        where, fix = str(error.filename or "output"), "check space and permissions"
        return DataError("cannot be written", where=where, got=error.strerror, fix=fix)
    if not error.filename:
        return None
    return DataError("cannot be read", where=str(error.filename), got=error.strerror)


def main() -> None:
    """Run the command line; mistakes of the user end as one line and exit code 2."""
    from nucleate.cli_streams import give_up, hand_over, reader_left, speak_plainly

    speak_plainly()
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        status = app(prog_name="nucleate", standalone_mode=False)
        hand_over()
        if status == 130:  # the parser has caught the key before we could
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except (KeyboardInterrupt, Interrupted) as stop:
        typer.echo(f"nucleate: {str(stop) or 'interrupted'}", err=True)
        sys.exit(130)
    except (BrokenPipeError, SystemExit) as ended:
        if not reader_left(ended):
            raise
        give_up()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        from nucleate.core import NucleateError

        error = _usage_error(error) or _file_error(error) or error
        known = isinstance(error, NucleateError)
        text = str(error) if known else f"defect: {type(error).__name__}: {error} (see --debug)"
        typer.echo(f"nucleate: {text}", err=True)
        if isinstance(error.__context__, OSError):
            give_up()
        sys.exit(getattr(error, "exit_code", 1) if known else 1)


if __name__ == "__main__":
    main()
