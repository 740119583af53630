"""Metrics in the SQLite databases of trackio and MLflow."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nucleate.bridges.tables.columns import WENT_BACK, Table
from nucleate.bridges.tables.records import table_of
from nucleate.core import DataError


def read_database(path: Path) -> Table:
    """Read the metrics of a trackio project, or of an MLflow tracking database.

    Raises:
        DataError: It is damaged, or a database of something else.
    """
    try:
        with closing(_connect(path)) as connection:
            columns = _columns(connection, "metrics")
            if {"run_name", "step", "metrics"} <= columns:
                rows = _trackio(connection, columns)
            elif {"key", "value", "step", "run_uuid"} <= columns:
                rows = _mlflow(connection)
            else:
                raise DataError(
                    "a database without metrics",
                    where=path,
                    expected="one of trackio or MLflow",
                    fix="export the table as CSV",
                )
            table = table_of(rows, str(path), replaces=WENT_BACK)
    except sqlite3.Error as error:
        raise DataError(f"is no readable database: {error}", where=path) from None
    if not table.num_rows:
        raise DataError("no metrics were logged yet", where=path)
    return table


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database without ever writing to it."""
    address = f"file:{quote(str(path.resolve()))}"
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True)
    try:
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError:  # its write-ahead log cannot be opened in a read-only folder
        connection.close()
        connection = sqlite3.connect(f"{address}?mode=ro&immutable=1", uri=True)
    return connection


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def _trackio(connection: sqlite3.Connection, columns: set[str]) -> Iterator[dict[str, Any]]:
    """Yield one record per logged step; metrics are kept as JSON."""
    run_id = "run_id" if "run_id" in columns else "run_name"
    query = f"SELECT run_name, {run_id}, step, metrics FROM metrics ORDER BY id"
    for name, identity, step, packed in connection.execute(query):
        try:
            metrics = json.loads(packed)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(metrics, dict):
            yield {**metrics, "run_name": name, "run_id": identity, "step": step}


def _mlflow(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    names = {}
    if {"run_uuid", "name"} <= _columns(connection, "runs"):
        names = dict(connection.execute("SELECT run_uuid, name FROM runs"))
    query = "SELECT run_uuid, key, value, step FROM metrics ORDER BY timestamp"
    for identity, key, value, step in connection.execute(query):
        name = names.get(identity) or identity
        yield {"run_name": name, "run_id": identity, "key": key, "step": step, "value": value}
