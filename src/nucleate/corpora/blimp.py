"""Read BLiMP minimal pairs: a Parquet table, or the JSON lines that BLiMP is published as.

BLiMP: 67 paradigms of 1,000 English sentence pairs (Warstadt et al. 2020, CC BY 4.0). Nothing of it
comes with this project; the reader takes whatever paradigms a folder holds.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from nucleate.core.errors import DataError
from nucleate.corpora.items import MinimalPair

DATA_VARIABLE = "NUCLEATE_DATA"
_NEIGHBOUR = Path("../shared/data")
_KEYS = {
    "paradigm": "UID",
    "good": "sentence_good",
    "bad": "sentence_bad",
    "field": "field",
    "term": "linguistics_term",
}
"""Column of the table, and the key of BLiMP's own files."""


def find_data_folder() -> Path | None:
    """Return the folder of evaluation data, None when there is none.

    It is named by the environment variable ``NUCLEATE_DATA``; without one ``../shared/data`` beside
    the working directory is taken if it exists.

    Raises:
        DataError: The variable names no folder.
    """
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        return _NEIGHBOUR if _NEIGHBOUR.is_dir() else None
    if not Path(named).is_dir():
        raise DataError("is no folder", where=f"${DATA_VARIABLE}", got=named, fix="unset it")
    return Path(named)


def find_blimp() -> Path | None:
    """Return the folder ``blimp`` of the data folder, None when there is none that can be read.

    Parquet needs pyarrow, of the extra ``data``.
    """
    data = find_data_folder()
    folder = data / "blimp" if data else None
    if folder is None or not folder.is_dir():
        return None
    return folder if any(folder.glob("*.jsonl")) or find_spec("pyarrow") else None


def read_blimp(
    folder: str | Path,
    *,
    per_paradigm: int | None = None,
    seed: int = 0,
    by: Literal["paradigm", "term", "field"] = "paradigm",
) -> list[MinimalPair]:
    """Read every pair of a folder; the condition of a pair is its paradigm.

    Args:
        folder: Holds ``*.parquet`` with columns ``paradigm, good, bad`` (and ``term, field``), or
            BLiMP's own ``*.jsonl``.
        per_paradigm: Take a seeded choice of at most so many of each paradigm (all when None).
        seed: Seed of the choice.
        by: What the condition names: the paradigm, its linguistic term, or its field.

    Returns:
        Pairs by paradigm in alphabetical order, in the order of the files inside one.

    Raises:
        DataError: There is no such folder, nothing in it, or a file of another shape.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, fix="check the path")
    tables, lines = sorted(folder.glob("*.parquet")), sorted(folder.glob("*.jsonl"))
    if not tables and not lines:
        raise DataError("folder holds no minimal pairs", where=folder, expected="*.parquet *.jsonl")
    by_paradigm: dict[str, list[MinimalPair]] = {}
    columns = tuple(dict.fromkeys(("paradigm", "good", "bad", by)))
    read = _read_lines if lines else _read_table
    for file in lines or tables:
        for where, row in read(file, columns):
            if not all(isinstance(text, str) and text.strip() for text in row.values()):
                raise DataError(
                    "pair is no text", where=where, got=list(row.values()), expected="strings"
                )
            pair = MinimalPair(row["good"].strip(), row["bad"].strip(), row[by])
            by_paradigm.setdefault(row["paradigm"], []).append(pair)
    if not by_paradigm:
        raise DataError("holds no pair", where=folder)
    chosen = []
    for paradigm, pairs in sorted(by_paradigm.items()):
        size = min(len(pairs), len(pairs) if per_paradigm is None else per_paradigm)
        places = random.Random(f"blimp-{seed}-{paradigm}").sample(range(len(pairs)), size)
        chosen += [pairs[place] for place in sorted(places)]
    return chosen


def _read_table(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            "needs the package pyarrow", where=file, fix="pip install 'nucleate[data]'"
        ) from None
    try:
        present = pyarrow.parquet.read_schema(file).names
        missing = [column for column in columns if column not in present]
        if missing:
            raise DataError(f"no column {missing[0]!r}", where=file, got=", ".join(present))
        rows = pyarrow.parquet.read_table(file, columns=list(columns)).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot be read: {error}", where=file) from None
    for number, row in enumerate(rows, start=1):
        yield f"{file}:{number}", row


def _read_lines(file: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})", where=file) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=file) from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError("line is not JSON", where=where, got=line.strip()) from None
        keys = [_KEYS[column] for column in columns]
        missing = [key for key in keys if not isinstance(record, dict) or key not in record]
        if missing:
            raise DataError(f"no key {missing[0]!r}", where=where, expected=", ".join(keys))
        yield where, {column: record[_KEYS[column]] for column in columns}
