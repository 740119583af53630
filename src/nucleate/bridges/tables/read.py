"""Read training metrics from wherever they were kept: one entry for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from nucleate.bridges.tables.arrays import read_arrays
from nucleate.bridges.tables.assemble import book_of
from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.databases import read_database
from nucleate.bridges.tables.delimited import read_delimited
from nucleate.bridges.tables.folders import read_parts, resolve
from nucleate.bridges.tables.formats import format_of
from nucleate.bridges.tables.jsonfile import json_table, load_json
from nucleate.bridges.tables.jsonlines import read_json_lines
from nucleate.bridges.tables.lm_eval import is_results, results_table
from nucleate.bridges.tables.parquet import read_parquet
from nucleate.bridges.tables.tensorboard import events_table
from nucleate.bridges.tables.trainer_state import is_trainer_state, trainer_table
from nucleate.bridges.tables.wandb import as_chart_export
from nucleate.bridges.tables.wandb_log import wandb_table
from nucleate.core import Curve, CurveBook, DataError, UserError

_T = TypeVar("_T")


def read_book(
    path: str | Path,
    columns: ColumnChoice | None = None,
    *,
    metrics: Sequence[str] = (),
    runs: Sequence[str] = (),
) -> CurveBook:
    """Read any table of training metrics.

    Args:
        path: CSV, TSV, JSON lines (each also gzipped), JSON, Parquet, npz, ``trainer_state.json``,
            TensorBoard event files, exports of W&B, MLflow and trackio and their local stores,
            results of lm-evaluation-harness, a run folder, or a folder of these.
        columns: Columns to use instead of those that would be recognised.
        metrics, runs: Shell patterns of what to keep (empty: everything).

    Raises:
        UserError: The file cannot be read, holds no curves, or leaves a question open; one line.

    Example:
        >>> book = read_book("curves.csv", metrics=["*.acc"])           # doctest: +SKIP
        >>> book.axis, list(book.runs)                                  # doctest: +SKIP
        ('tokens', ['pythia-70m', 'pythia-160m'])
    """
    path = Path(path)
    try:
        book = _read(path, columns or ColumnChoice())
    except (PermissionError, NotADirectoryError) as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    return select(book, metrics=metrics, runs=runs)


def select(book: CurveBook, *, metrics: Sequence[str] = (), runs: Sequence[str] = ()) -> CurveBook:
    """Keep the runs and metrics whose names match one of the patterns.

    Raises:
        UserError: Nothing matches.
    """
    kept = _matching(book.runs, runs, "run", book.source)
    names = dict.fromkeys(name for curves in kept.values() for name in curves)
    wanted = _matching(dict.fromkeys(names), metrics, "metric", book.source)
    chosen: dict[str, Mapping[str, Curve]] = {
        run: own
        for run, curves in kept.items()
        if (own := {name: curve for name, curve in curves.items() if name in wanted})
    }
    return CurveBook(book.source, book.axis, chosen, book.notes)


def _matching(
    known: Mapping[str, _T], patterns: Sequence[str], what: str, source: str
) -> dict[str, _T]:
    if not patterns:
        return dict(known)
    found = {
        name: value
        for name, value in known.items()
        if any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
    }
    if not found:
        raise UserError(
            f"no {what} matches {', '.join(patterns)}",
            where=source,
            expected=", ".join(known),
            fix=f"choose a {what} that is there, or a pattern such as '*'",
        )
    return found


def _read(path: Path, choice: ColumnChoice) -> CurveBook:
    if not path.is_dir():
        return book_of(as_chart_export(_table(path, choice)), choice)
    found = resolve(path)
    if isinstance(found, CurveBook):
        return found
    if isinstance(found, Table):
        return book_of(found, choice)
    if isinstance(found, Path):
        return _read(found, choice)
    return read_parts(path, lambda part: _read(part, choice))


def _table(path: Path, choice: ColumnChoice) -> Table:
    kind = format_of(path)
    if kind == "json":
        document = load_json(path)
        if is_trainer_state(document):
            return trainer_table(document, path)
        if is_results(document):
            return results_table([path], path)
        return json_table(document, path)
    if kind == "sqlite":
        return read_database(path)
    if kind == "events":
        return events_table([path], path)
    if kind == "wandb":
        return wandb_table([path], path)
    readers = {
        "parquet": read_parquet,
        "npz": read_arrays,
        "jsonlines": read_json_lines,
        "delimited": read_delimited,
    }
    return readers[kind](path, choice)
