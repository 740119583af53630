"""Tables as one JSON document: records, columns, or a document that tells what wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.bridges.tables.columns import Table
from nucleate.bridges.tables.records import table_of
from nucleate.bridges.tables.streams import encoding_of, read_all
from nucleate.core import DataError
from nucleate.core.errors import Words

_WRAPPERS = ("data", "history", "records", "rows", "metrics", "logs", "log", "results", "scalars")
_SCALAR = ("wall_time", "step", "value")
"""A scalar as TensorBoard downloads it."""

_SHAPES = "records, columns, trainer_state or lm-eval results"


def load_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        DataError: It is no JSON, or nested too deeply.
    """
    content = read_all(path)
    try:
        return json.loads(content.decode(encoding_of(content[:65_536], path)))
    except RecursionError:
        raise DataError("is nested too deeply", where=path, expected=_SHAPES) from None
    except ValueError as error:
        place = getattr(error, "lineno", "")
        where = f"{path} line {place}" if place else path
        raise DataError("is no valid JSON", where=where, expected=_SHAPES) from None


def json_table(document: object, path: Path) -> Table:
    """Turn a JSON document into a table.

    Knows a list of records, a mapping of columns, pandas' ``columns``/``data`` (``split``) and
    ``{column: {row: value}}``, and TensorBoard's list of ``[wall time, step, value]``.

    Raises:
        DataError: It has none of these shapes.
    """
    records = _records(document)
    if records is None:
        keys = f"keys {', '.join(map(str, document))}" if isinstance(document, dict) else None
        shown = Words(keys) if keys else document
        raise DataError("no table of metrics", where=path, got=shown, expected=_SHAPES)
    if not records:
        raise DataError("is empty", where=path, expected=_SHAPES)
    return table_of(_tagged(records, path, document), str(path))


def _records(document: object) -> list[dict[str, Any]] | None:
    if isinstance(document, list):
        if all(isinstance(entry, dict) for entry in document):
            return document
        if all(isinstance(entry, list) and len(entry) == 3 for entry in document):
            return [dict(zip(_SCALAR, row, strict=True)) for row in document]
        return None
    if not isinstance(document, Mapping):
        return None
    names, data = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(data, list):
        if all(isinstance(row, list) and len(row) == len(names) for row in data):
            return [dict(zip(map(str, names), row, strict=True)) for row in data]
        return None
    for wrapper in _WRAPPERS:
        if isinstance(inner := document.get(wrapper), list) and (found := _records(inner)):
            return found
    return _from_columns(document)


def _from_columns(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    lists = {key: value for key, value in document.items() if isinstance(value, list)}
    if lists:
        lengths = {len(value) for value in lists.values()}
        if len(lengths) != 1:
            return None
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    maps = {key: value for key, value in document.items() if isinstance(value, dict)}
    if maps and len(maps) == len(document):
        rows = dict.fromkeys(row for value in maps.values() for row in value)
        if all(row.isdigit() for row in rows):
            return [{key: value.get(row) for key, value in maps.items()} for row in rows]
    return None


def _tagged(records: list[dict[str, Any]], path: Path, document: object) -> list[dict[str, Any]]:
    """Name the metric of a TensorBoard download after its file: ``run-NAME-tag-TAG.json``."""
    named = re.fullmatch(r"run-(?P<run>.*)-tag-(?P<tag>.*)", path.name.removesuffix(".json"))
    triplets = isinstance(document, list) and isinstance(document[0], list)
    if not triplets or named is None:
        return records
    return [{**record, "metric": named["tag"], "run": named["run"]} for record in records]
