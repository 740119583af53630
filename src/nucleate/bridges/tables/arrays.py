"""Tables as NumPy archives: one-dimensional arrays of equal length under names."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Column, Numbers, Table, column_of
from nucleate.bridges.tables.names import axis_of
from nucleate.bridges.tables.roles import demand_position
from nucleate.core import DataError

_DAMAGE = (
    OSError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    SyntaxError,
    RuntimeError,
)
MOST = 256 * 1024**2
"""Largest array that is read, unpacked, in bytes: 32 million numbers."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(path: Path, choice: ColumnChoice) -> Table:
    """Read the one-dimensional arrays of an ``.npz`` file; nothing is unpickled.

    Raises:
        DataError: It is damaged, or no array holds training steps.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            shapes = _shapes(archive, path)
        flat = [name for name, (rank, kind) in shapes.items() if rank == 1 and kind in "biufU"]
        demand_position(flat, choice, str(path))
        with np.load(path, allow_pickle=False) as arrays:
            read = {name: arrays[name] for name in flat}
    except _DAMAGE as error:
        raise DataError(f"is no readable npz file: {error}", where=path) from None
    rows = _common_length(read, choice)
    columns = {name: _column(array) for name, array in read.items() if len(array) == rows}
    left_out = len(shapes) - len(columns)
    notes = (f"{left_out} arrays of another shape were left out.",) if left_out else ()
    return Table(str(path), columns, notes)


def _shapes(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[int, str]]:
    """Return rank and kind of every array that can be a column, without reading any."""
    found: dict[str, tuple[int, str]] = {}
    for entry in archive.infolist():
        if not entry.filename.endswith(".npy"):
            continue
        with archive.open(entry) as stream:
            read = _HEADERS.get(npy.read_magic(stream))
            if read is not None:
                shape, _, dtype = read(stream)
                length = math.prod(shape) * dtype.itemsize
                if dtype.kind != "O" and length != entry.file_size - stream.tell():
                    raise DataError(
                        f"array {entry.filename!r} is not as long as its header says",
                        where=path,
                        got=f"{entry.file_size} bytes",
                        expected=f"{length} and a header",
                    )
                if len(shape) == 1 and length > MOST:
                    raise DataError(
                        f"array {entry.filename!r} is too large for a table",
                        where=path,
                        got=f"{length} bytes",
                        expected=f"at most {MOST}",
                    )
                found[entry.filename.removesuffix(".npy")] = (len(shape), dtype.kind)
    return found


def _common_length(arrays: dict[str, NDArray[Any]], choice: ColumnChoice) -> int:
    """Return the length of the step array: other lengths belong to something else."""
    called = choice.step if choice.step in arrays else next((n for n in arrays if axis_of(n)), "")
    return len(arrays[called]) if called else 0


def _column(array: NDArray[Any]) -> Column:
    if array.dtype.kind in "iuf":
        return Numbers(array.astype(np.float64))
    return column_of(array.tolist())
