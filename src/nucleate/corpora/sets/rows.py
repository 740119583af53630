"""Rows of published files, whatever they are stored as: JSON lines, Parquet, CSV, TSV, or a hub."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import socket
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nucleate.core.errors import DataError

Row = dict[str, Any]

PLACE = "_place"
"""Key under which a row remembers its folder, or its configuration on a hub."""

_PARQUET = "refs/convert/parquet"
"""Where the hub keeps what it has made of repositories with a script."""

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet", ".csv", ".tsv", ".txt")


def read_rows(file: Path) -> Sequence[Row]:
    """Read a file of one row per line, or a Parquet table; a file of several sets is read once.

    Text files hold pairs as CLAMS publishes them: ``True<tab>sentence`` and then
    ``False<tab>sentence``.

    Returns:
        Rows that are shared with other callers: do not change them.

    Raises:
        DataError: The file cannot be read, or is not what its name says.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=file) from None
    return _rows(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _rows(file: Path, _changed: int, _size: int) -> Sequence[Row]:
    rows = _parquet(file) if file.suffix == ".parquet" else _text_rows(file, _text(file))
    for row in rows:
        row[PLACE] = file.stem if file.suffix == ".txt" else file.parent.name
        if file.suffix == ".txt":
            row["lang"] = file.parent.name.split("_")[0]
    return rows


def hub_rows(repository: str, configurations: Sequence[str | None], split: str) -> list[Row]:
    """Download one split of a data set with the package `datasets`, which keeps it in its cache.

    Repositories that hold a loading script, which `datasets` runs no more, are read in the Parquet
    form that the hub makes of them.

    Raises:
        DataError: The package is missing, or the hub does not hand the data over.
    """
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(
            "needs the package datasets", where=repository, fix="pip install 'nucleate[data]'"
        ) from None
    rows: list[Row] = []
    for configuration in configurations:
        try:
            try:
                table = load_dataset(repository, configuration, split=split)
            except RuntimeError as error:
                if "script" not in str(error):
                    raise
                table = load_dataset(repository, configuration, split=split, revision=_PARQUET)
        except Exception as error:  # datasets raises its own and those of its transports
            what = f"cannot be downloaded: {type(error).__name__}: {error}"
            raise DataError(what, where=repository, fix="check the connection") from None
        rows += [{**row, PLACE: configuration or ""} for row in table]
    return rows


@cache
def hub_is_reachable(timeout: float = 3.0) -> bool:
    """Ask once whether the hub of data sets answers; ``HF_HUB_OFFLINE=1`` says no."""
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return False
    end = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        socket.create_connection((end.hostname or "", end.port or 443), timeout).close()
    except OSError:
        return False
    return True


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})", where=file) from None
    except (OSError, EOFError) as error:
        raise DataError(f"cannot be read: {error}", where=file) from None


def _text_rows(file: Path, text: str) -> list[Row]:
    if file.suffix in (".csv", ".tsv"):
        return list(
            csv.DictReader(io.StringIO(text), delimiter="\t" if ".tsv" in file.name else ",")
        )
    if file.suffix == ".txt":
        return list(_labelled_lines(file, text))
    return list(_json_rows(file, text))


def _json_rows(file: Path, text: str) -> Iterator[Row]:
    lines = text.split("\n")
    if file.suffix == ".json":
        lines = [json.dumps(row) for row in _json(file, text, 1)]
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = _json(file, line, number)
            if not isinstance(row, dict):
                raise DataError("row is no object", where=f"{file}:{number}", got=line.strip())
            yield row


def _json(file: Path, text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError("is not JSON", where=f"{file}:{number}", got=text.strip()) from None


def _labelled_lines(file: Path, text: str) -> Iterator[Row]:
    """Yield a pair whenever a false sentence follows a true one."""
    good = ""
    for number, line in enumerate(text.split("\n"), start=1):
        label, tab, sentence = line.partition("\t")
        if not line.strip():
            continue
        if not tab or label not in ("True", "False"):
            expected = "True or False, a tab, a sentence"
            raise DataError("line has no label", where=f"{file}:{number}", expected=expected)
        if label == "True":
            good = sentence
        elif good:
            yield {"good": good, "bad": sentence, "paradigm": file.stem}


def _parquet(file: Path) -> list[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(
            "needs the package pyarrow", where=file, fix="pip install 'nucleate[data]'"
        ) from None
    try:
        rows: list[Row] = pyarrow.parquet.read_table(file).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot be read: {error}", where=file) from None
    return rows
