"""Folders: the output of a trainer, a tracker's store, results by checkpoint, or several runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.lm_eval import find_results, results_table
from nucleate.bridges.tables.mlflow import find_runs, mlflow_table
from nucleate.bridges.tables.run_folder import is_run, read_run
from nucleate.bridges.tables.tensorboard import events_table, find_events
from nucleate.bridges.tables.trainer_state import find_state
from nucleate.bridges.tables.wandb_log import find_logs, wandb_table
from nucleate.core import CurveBook, DataError, UserError

_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".db", ".npz", ".csv.gz", ".jsonl.gz")
_MAX_PARTS = 2_000

Source = Path | Table | CurveBook


def resolve(folder: Path) -> Source | None:
    """Return what a folder is known to be: a file to read instead, a table, or curves.

    None means that it is nothing by itself; it may still hold several runs.
    """
    if is_run(folder):
        return read_run(folder)
    if (state := find_state(folder)) is not None:
        return state
    if runs := find_runs(folder):
        return mlflow_table(runs, folder)
    if (folder / "mlflow.db").is_file():
        return folder / "mlflow.db"
    if logs := find_logs(folder):
        return wandb_table(logs, folder)
    if results := find_results(folder):
        return results_table(results, folder)
    if events := find_events(folder):
        return events_table(events, folder)
    return None


def read_parts(folder: Path, read: Callable[[Path], CurveBook]) -> CurveBook:
    """Read a folder that is nothing by itself: its run folders or tables.

    Args:
        folder: A folder that `resolve` does not know.
        read: Reads one file or folder.

    Raises:
        DataError: Nothing in it holds curves.
    """
    folders = [path for path in _listed(folder) if path.is_dir() and _is_run(path)]
    tables = [path for path in _listed(folder) if path.is_file() and path.name.endswith(_TABLES)]
    parts = folders or tables
    if not parts:
        raise DataError(
            "holds nothing that is known here",
            where=folder,
            expected="tables, event files, trainer_state.json, results_*.json, runs",
        )
    if len(parts) == 1:
        return read(parts[0])
    books, refused = {}, {}
    for part in parts:
        try:
            books[part.name.split(".")[0] if part.is_file() else part.name] = read(part)
        except DataError as error:
            refused[part] = error
    if not books:
        raise next(iter(refused.values()))
    notes = tuple(f"{path.name} was left out: {error.what}." for path, error in refused.items())
    return merged(books, str(folder), notes)


def merged(books: Mapping[str, CurveBook], source: str, notes: tuple[str, ...] = ()) -> CurveBook:
    """Join the books of several files; a file's name becomes the first part of its runs' names.

    Raises:
        UserError: They do not share an axis.
    """
    axes = {book.axis for book in books.values()}
    if len(axes) > 1:
        raise UserError(
            f"files of this folder count {' and '.join(sorted(axes))}",
            where=source,
            fix="name one of them, or the column with --step",
        )
    runs = {
        f"{name}/{run}" if run else name: curves
        for name, book in books.items()
        for run, curves in book.runs.items()
    }
    own = dict.fromkeys(note for book in books.values() for note in book.notes)
    return CurveBook(source, axes.pop(), runs, (*own, *notes))


def _is_run(folder: Path) -> bool:
    return is_run(folder) or find_state(folder) is not None


def _listed(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return found[:_MAX_PARTS]
