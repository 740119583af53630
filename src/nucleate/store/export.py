"""A run as a table that other tools open: CSV, Parquet, DuckDB or netCDF, by its suffix."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.core import Reading, RunFolderError, Step, UserError
from nucleate.store.files import write_atomic

if TYPE_CHECKING:
    from nucleate.store.run import Run

COLUMNS = ("metric", "level", "unit", "step", "tokens", "flops", "value", "se", "n", "chance")
_TEXT = frozenset(("metric", "level", "unit", "kind", "text", "key", "json"))
_WHOLE = frozenset(("step", "tokens", "n"))

Columns = dict[str, Any]
"""Arrays by name; text as lists of str."""


def export(run: Run, path: str | Path) -> None:
    """Write the Readings of a run in the format of a file name's suffix.

    Args:
        run: The run.
        path: ``.csv``; ``.parquet``: one row per metric and Step. ``.duckdb``: tables ``readings``,
            ``losses``, ``events`` and ``run``. ``.nc``: the Dataset of `to_xarray`, as netCDF 4.

    Raises:
        UserError: Another suffix, a package that is not installed, or the file cannot be written.
    """
    path = Path(path)
    writers: dict[str, Callable[[Run, Path], None]] = {
        ".csv": lambda run, path: write_table(path, run.readings()),
        ".parquet": _parquet,
        ".duckdb": _duckdb,
        ".nc": _netcdf,
    }
    if path.suffix.lower() not in writers:
        raise UserError(
            "does not say which format is wanted",
            where=path,
            got=path.suffix or path.name,
            expected=", ".join(writers),
            fix="end the name in one of these",
        )
    writers[path.suffix.lower()](run, path)


def write_table(path: Path, readings: Iterable[tuple[Step, Reading]]) -> None:
    """Write one row per Reading as CSV; NaN is left empty.

    Raises:
        RunFolderError: The file cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_cell(cell) for cell in _row(*pair)] for pair in readings)
    try:
        write_atomic(path, text.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunFolderError("table cannot be written", where=path, got=error.strerror) from None


def columns_of(run: Run) -> Columns:
    """Return the Readings of a run as columns, with the names of `COLUMNS`, NaN where unknown."""
    return _as_columns(COLUMNS, [_row(*pair) for pair in run.readings()])


def to_xarray(run: Run) -> Any:
    """Return the Readings of a run as an `xarray.Dataset`.

    One variable per metric over the dimension ``step`` (all steps at which anything was measured,
    NaN where this was not), ``NAME.se`` beside it; coordinates ``tokens`` and ``flops``; attributes
    ``level``, ``units`` and ``chance``. A slash becomes a bar, and a name that is taken (``step``)
    gets a low line behind it.

    Raises:
        UserError: xarray is not installed.

    Example:
        >>> to_xarray(Run.open("runs/a"))["state.accuracy"].plot()      # doctest: +SKIP
    """
    _need("xarray", "xarray", run.path)
    import xarray

    curves = run.curves()
    steps = {step.step: step for curve in curves.values() for step in curve.steps}
    ordered = sorted(steps)
    rows = {step: row for row, step in enumerate(ordered)}
    variables: dict[str, Any] = {}
    for name, curve in curves.items():
        places = [rows[step.step] for step in curve.steps]
        about: dict[str, Any] = {"level": str(curve.level), "units": curve.unit}
        if math.isfinite(curve.chance):
            about["chance"] = curve.chance
        for key, column in ((name, curve.values), (f"{name}.se", curve.se)):
            whole = np.full(len(ordered), np.nan)
            whole[places] = column
            if key == name or np.isfinite(whole).any():
                variables[_free(key.replace("/", "|"), variables)] = ("step", whole, about)
    at = [steps[step] for step in ordered]
    return xarray.Dataset(
        variables,
        coords={
            "step": np.array(ordered, dtype=np.int64),
            "tokens": ("step", np.array([step.tokens for step in at], dtype=np.int64)),
            "flops": ("step", np.array([step.flops for step in at], dtype=np.float64)),
        },
        attrs={"run": run.manifest.name, "created": run.manifest.created},
    )


def _free(key: str, variables: Columns) -> str:
    while key in variables or key in ("step", "tokens", "flops"):
        key += "_"
    return key


def _parquet(run: Run, path: Path) -> None:
    _need("pyarrow", "data", path)
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        name: pa.array(column, type=pa.string() if name in _TEXT else None, from_pandas=True)
        for name, column in columns_of(run).items()
    }
    _whole_or_absent(path, lambda draft: pq.write_table(pa.table(columns), draft))


def _duckdb(run: Run, path: Path) -> None:
    _need("duckdb", "duckdb", path)
    import json
    from dataclasses import asdict

    import duckdb

    steps, losses = run.losses()
    norms = run.grad_norms()[1]
    losses_rows = [
        (at.step, at.tokens, at.flops, loss, norm)
        for at, loss, norm in zip(steps, losses, norms, strict=True)
    ]
    events = [(each.step.step, each.step.tokens, each.kind, each.text) for each in run.events()]
    about = [(key, json.dumps(value)) for key, value in asdict(run.manifest).items()]
    tables = {
        "readings": columns_of(run),
        "losses": _as_columns(("step", "tokens", "flops", "loss", "grad_norm"), losses_rows),
        "events": _as_columns(("step", "tokens", "kind", "text"), events),
        "run": _as_columns(("key", "json"), about),
    }

    def write(draft: Path) -> None:
        with duckdb.connect(str(draft)) as database:
            for name, columns in tables.items():
                _fill(database, name, columns)

    _whole_or_absent(path, write)


def _fill(database: Any, name: str, columns: Columns) -> None:
    """Make a table of columns; NaN becomes NULL."""
    kinds = {"i": "BIGINT", "f": "DOUBLE", "O": "VARCHAR"}
    arrays = {
        column: np.array(values, dtype=object) if column in _TEXT else values
        for column, values in columns.items()
    }
    told = ", ".join(f'"{column}" {kinds[a.dtype.kind]}' for column, a in arrays.items())
    database.execute(f"create table {name} ({told})")
    if not len(next(iter(arrays.values()))):
        return
    chosen = ", ".join(
        f'case when isnan("{column}") then null else "{column}" end' if a.dtype.kind == "f"
        else f'"{column}"'
        for column, a in arrays.items()
    )  # fmt: skip
    database.register("given", arrays)
    database.execute(f"insert into {name} select {chosen} from given")
    database.unregister("given")


def _netcdf(run: Run, path: Path) -> None:
    _need("xarray", "xarray", path)
    _need("h5netcdf", "xarray", path)
    dataset = to_xarray(run)
    _whole_or_absent(path, lambda draft: dataset.to_netcdf(draft, engine="h5netcdf"))


def _need(package: str, extra: str, path: Path) -> None:
    if find_spec(package) is None:
        raise UserError(
            f"needs the package {package}", where=path, fix=f"pip install 'nucleate[{extra}]'"
        )


def _whole_or_absent(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, and put it in place once it is whole."""
    draft = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(draft)
        os.replace(draft, path)
    except OSError as error:
        got = error.strerror or str(error)
        raise RunFolderError("table cannot be written", where=path, got=got) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("duckdb", "_duckdb", "pyarrow"):
            raise
        raise RunFolderError("table cannot be written", where=path, got=str(error)) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _row(step: Step, reading: Reading) -> tuple[Any, ...]:
    return (
        *(reading.metric, str(reading.level), reading.unit, step.step, step.tokens, step.flops),
        *(reading.value, reading.se, reading.n, reading.chance),
    )


def _as_columns(names: Sequence[str], rows: list[tuple[Any, ...]]) -> Columns:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return {
        name: [text.encode("utf-8", "backslashreplace").decode() for text in column]
        if name in _TEXT
        else np.array(column, dtype=np.int64 if name in _WHOLE else np.float64)
        for name, column in zip(names, columns, strict=True)
    }


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return value
