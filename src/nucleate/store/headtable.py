"""Scores of all heads as one long table: a row for each Step, score and head."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import RunFolderError, UserError
from nucleate.core.heads import HeadTable
from nucleate.store.files import write_atomic
from nucleate.store.heads import HeadHistory

COLUMNS = (
    *("step", "tokens", "layer", "head", "score", "unit", "value", "se", "chance", "n"),
    *("ablation", "effect", "effect_se"),
)

Row = tuple[Any, ...]


def rows_of_heads(history: HeadHistory) -> Iterator[Row]:
    """Yield the rows, with the values of `COLUMNS`."""
    for step, table in zip(history.steps, history.tables, strict=True):
        joined = dict(table.asked.values())
        for name, scores in table.scores.items():
            effect = table.scores.get(joined.get(name, ""))
            for (layer, head), value in np.ndenumerate(scores.values_LH):
                yield (
                    step.step,
                    step.tokens,
                    layer,
                    head,
                    name,
                    scores.unit,
                    float(value),
                    float(scores.se_LH[layer, head]),
                    scores.chance,
                    scores.n,
                    *_effect(table, joined.get(name, ""), layer, head, known=effect is not None),
                )


def _effect(table: HeadTable, name: str, layer: int, head: int, *, known: bool) -> Row:
    if not known:
        return "", math.nan, math.nan
    effect = table.scores[name]
    return name, float(effect.values_LH[layer, head]), float(effect.se_LH[layer, head])


def write_heads(path: Path, history: HeadHistory) -> None:
    """Write the table; see `Run.export_heads`."""
    rows = list(rows_of_heads(history))
    content = _parquet(path, rows) if path.suffix == ".parquet" else _csv(rows)
    try:
        write_atomic(path, content)
    except OSError as error:
        raise RunFolderError("table cannot be written", where=path, got=error.strerror) from None


def _csv(rows: list[Row]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        table.writerow("" if isinstance(x, float) and math.isnan(x) else x for x in row)
    return text.getvalue().encode()


def _parquet(path: Path, rows: list[Row]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            "Parquet needs the package pyarrow", where=path, fix="pip install 'nucleate[data]'"
        ) from None
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(COLUMNS, map(list, columns), strict=True))), out)
    return out.getvalue()
