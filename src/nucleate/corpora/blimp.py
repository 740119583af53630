"""Read BLiMP minimal pairs: a Parquet table, or the JSON lines that BLiMP is published as.

BLiMP: 67 paradigms of 1,000 English sentence pairs (Warstadt et al. 2020, CC BY 4.0). Nothing of it
comes with this project; the reader takes whatever paradigms a folder holds.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from nucleate.core.errors import DataError
from nucleate.corpora.items import MinimalPair

DATA_VARIABLE = "NUCLEATE_DATA"
_NEIGHBOUR = Path("../shared/data")
_COLUMNS = ("paradigm", "good", "bad")


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
    """Return the folder ``blimp`` of the data folder, None when there is none."""
    data = find_data_folder()
    return data / "blimp" if data and (data / "blimp").is_dir() else None


def read_blimp(folder: str | Path, *, per_paradigm: int | None = None, seed: int = 0) -> list[
    MinimalPair
]:
    """Read every pair of a folder; the condition of a pair is its paradigm.

    Args:
        folder: Holds ``*.parquet`` with columns ``paradigm, good, bad``, or BLiMP's own
            ``*.jsonl`` with keys ``UID, sentence_good, sentence_bad``.
        per_paradigm: Take a seeded choice of at most so many of each paradigm (all when None).
        seed: Seed of the choice.

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
    for file in tables or lines:
        for where, paradigm, good, bad in _read_table(file) if tables else _read_lines(file):
            if not all(isinstance(text, str) and text.strip() for text in (paradigm, good, bad)):
                raise DataError(
                    "pair is no text", where=where, got=[paradigm, good, bad], expected="strings"
                )
            pair = MinimalPair(good.strip(), bad.strip(), paradigm)
            by_paradigm.setdefault(paradigm, []).append(pair)
    if not by_paradigm:
        raise DataError("holds no pair", where=folder)
    chosen = []
    for paradigm, pairs in sorted(by_paradigm.items()):
        size = min(len(pairs), len(pairs) if per_paradigm is None else per_paradigm)
        places = random.Random(f"blimp-{seed}-{paradigm}").sample(range(len(pairs)), size)
        chosen += [pairs[place] for place in sorted(places)]
    return chosen


Row = tuple[str, str, str, str]
"""Where it stands, paradigm, good, bad (not yet known to be text)."""


def _read_table(file: Path) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            "needs the package pyarrow", where=file, fix="pip install 'nucleate[data]'"
        ) from None
    try:
        present = pyarrow.parquet.read_schema(file).names
        missing = [column for column in _COLUMNS if column not in present]
        if missing:
            raise DataError(f"no column {missing[0]!r}", where=file, got=", ".join(present))
        table = pyarrow.parquet.read_table(file, columns=list(_COLUMNS)).to_pydict()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot be read: {error}", where=file) from None
    for number, row in enumerate(zip(*(table[c] for c in _COLUMNS), strict=True), start=1):
        yield f"{file}:{number}", *row


def _read_lines(file: Path) -> Iterator[Row]:
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
        keys = ("UID", "sentence_good", "sentence_bad")
        missing = [key for key in keys if not isinstance(record, dict) or key not in record]
        if missing:
            raise DataError(f"no key {missing[0]!r}", where=where, expected=", ".join(keys))
        yield where, record["UID"], record["sentence_good"], record["sentence_bad"]
