"""Tables as Parquet, read by pyarrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Column, Labels, Numbers, Table
from nucleate.bridges.tables.roles import demand_position
from nucleate.bridges.tables.streams import reject_overlong
from nucleate.core import DataError, UserError


def read_parquet(path: Path, choice: ColumnChoice) -> Table:
    """Read the columns of a Parquet file that hold numbers, text or truth values.

    Raises:
        UserError: pyarrow is not installed.
        DataError: The file is damaged, or has no column of training steps.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError(
            "Parquet needs the package pyarrow", where=path, fix="pip install 'nucleate[data]'"
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            reject_overlong(len(names), str(path))
            demand_position(names, choice, str(path))
            if len(set(names)) < len(names):
                raise DataError("two columns have one name", where=path, fix="rename one of them")
            table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"is no readable Parquet file: {error}", where=path) from None
    if not table.num_rows:
        raise DataError("no rows", where=path)
    read = {name: _column(table.column(name), pa) for name in names}
    left_out = [name for name, column in read.items() if column is None]
    notes = (f"Columns of other types were left out: {', '.join(left_out)}.",) if left_out else ()
    columns = {name: column for name, column in read.items() if column is not None}
    return Table(str(path), columns, notes)


def _column(chunks: Any, pa: Any) -> Column | None:
    """Turn an Arrow column into ours, None for lists, times and other types."""
    kind = chunks.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            chunks = chunks.cast(kind)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = chunks.cast(pa.float64(), safe=False)
        return Numbers(np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64).copy())
    if pa.types.is_boolean(kind):
        chunks = chunks.cast(pa.string()).combine_chunks()
        labels = _labels(chunks, pa)
        names = tuple(name.capitalize() for name in labels.names)
        return Labels(labels.codes, names)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _labels(chunks, pa)
    if pa.types.is_null(kind):
        return Numbers(np.full(len(chunks), np.nan))
    return None


def _labels(chunks: Any, pa: Any) -> Labels:
    if not pa.types.is_dictionary(chunks.type):
        chunks = chunks.dictionary_encode()
    if isinstance(chunks, pa.ChunkedArray):
        chunks = chunks.unify_dictionaries().combine_chunks()
    if isinstance(chunks, pa.ChunkedArray):  # no chunks at all
        return Labels(np.zeros(0, dtype=np.int64), ())
    codes = chunks.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    names = ["" if name is None else str(name).strip() for name in chunks.dictionary.to_pylist()]
    known: dict[str, int] = {}
    places = [known.setdefault(name, len(known)) if name else -1 for name in names]
    index = np.array([*places, -1], dtype=np.int64)
    return Labels(index[codes], tuple(known))
