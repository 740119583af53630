"""Tables as delimited text: comma, semicolon, tab, bar or blanks; comment lines begin with #."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from nucleate.bridges.tables.choice import ColumnChoice
from nucleate.bridges.tables.columns import Column, Labels, Numbers, Table, column_of
from nucleate.bridges.tables.marks import Rewrite, are_lists, marks_of
from nucleate.bridges.tables.names import axis_of
from nucleate.bridges.tables.roles import demand_position
from nucleate.bridges.tables.streams import MAX_LINE, lines_of, reject_overlong
from nucleate.core import DataError

_CHUNK = 50_000
_MAX_BAD = 0.01
"""Share of rows that may have another number of fields."""

_DELIMITERS = "\t,;|"


def read_delimited(path: Path, choice: ColumnChoice) -> Table:
    """Read a table with a header line.

    Raises:
        DataError: It has no header, one column only, no column of steps, or ragged rows.
    """
    source = str(path)
    lines = _content(lines_of(path))
    first = next(lines, None)
    if first is None:
        raise DataError("is empty", where=path, expected="a header line and rows")
    delimiter = _delimiter(first)
    header = _header(first, delimiter, source)
    demand_position(header, choice, source)
    csv.field_size_limit(MAX_LINE)
    blanks = delimiter == " "
    rows = (line.split() for line in lines) if blanks else csv.reader(lines, delimiter=delimiter)
    parts: list[list[Column]] = []
    bad = read = 0
    rewrite, marked = None, ""
    measured = [axis_of(name) or name in (choice.step, *choice.value) for name in header]
    try:
        while chunk := list(islice(rows, _CHUNK)):
            good = [row for row in chunk if len(row) == len(header)]
            read += len(chunk)
            bad += len(chunk) - len(good)
            if good:
                if not parts:
                    written = zip(*good, strict=True)
                    rewrite, marked = marks_of(written, commas=delimiter != ",")
                columns = zip(measured, zip(*good, strict=True), strict=True)
                parts.append(
                    [
                        _column(list(entries), delimiter, rewrite, sure=bool(sure))
                        for sure, entries in columns
                    ]
                )
    except csv.Error as error:
        raise DataError(f"is no delimited table: {error}", where=path) from None
    if bad > max(1, _MAX_BAD * read) or not parts:
        raise DataError(
            f"{bad:,} of {read:,} rows have another number of fields" if bad else "no rows",
            where=path,
            expected=f"{len(header)} fields as in the header" if bad else "rows below the header",
        )
    notes = [f"{bad:,} rows with another number of fields were left out."] if bad else []
    notes += [marked] if marked else []
    joined = [_joined(list(pieces)) for pieces in zip(*parts, strict=True)]
    return Table(source, dict(zip(header, joined, strict=True)), tuple(notes))


def _content(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines without comments; a comment that is a header (``# step loss``) counts as one."""
    comment = ""
    for line in lines:
        if line.startswith("#"):
            comment = line.lstrip("# \t")
        elif line.strip():
            if comment and _all_numbers(re.split(r"[\s,;|]+", line.strip())):
                yield comment
            yield line
            break
    yield from (line for line in lines if line and line[0] != "#" and not line.isspace())


def _delimiter(header: str) -> str:
    outside = re.sub(r'"[^"]*"', "", header)
    counts = {each: outside.count(each) for each in _DELIMITERS}
    best = max(counts, key=lambda each: counts[each])
    return best if counts[best] else " "


def _header(line: str, delimiter: str, source: str) -> list[str]:
    try:
        fields = line.split() if delimiter == " " else next(csv.reader([line], delimiter=delimiter))
    except (csv.Error, StopIteration):
        fields = []
    reject_overlong(len(fields), source)
    if len(fields) < 2:
        raise DataError(
            "no table: one column",
            where=source,
            got=line[:48],
            expected="named columns, one of them training steps",
        )
    if _all_numbers(fields):
        raise DataError(
            "no header line",
            where=source,
            got=line[:48],
            expected="names of columns such as step, loss",
            fix="put the names of the columns into the first line",
        )
    names = [field.strip() or "index" for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"two columns are called {twice!r}", where=source, fix="rename one of them")
    return names


def _all_numbers(fields: list[str]) -> bool:
    return all(isinstance(column_of([field]), Numbers) for field in fields) and any(fields)


def _column(entries: list[str], delimiter: str, rewrite: Rewrite | None, *, sure: bool) -> Column:
    """Read one column; whether it holds numbers may be sure before."""
    if rewrite is not None and (sure or not are_lists(entries, commas=delimiter != ",")):
        read = column_of([rewrite(entry) for entry in entries])
        if isinstance(read, Numbers):
            return read
    column = column_of(entries)
    if delimiter == ";" and isinstance(column, Labels):
        point = column_of([entry.replace(",", ".", 1) for entry in entries])
        return point if isinstance(point, Numbers) else column
    return column


def _joined(parts: list[Column]) -> Column:
    """Put the pieces of a column below each other."""
    if all(isinstance(part, Numbers) for part in parts):
        numbers = [part for part in parts if isinstance(part, Numbers)]
        values = np.concatenate([part.values for part in numbers])
        return Numbers(values, sum(part.foreign for part in numbers))
    known: dict[str, int] = {}
    codes = []
    for part in parts:
        labels = part if isinstance(part, Labels) else part.as_labels()
        index = [known.setdefault(name, len(known)) for name in labels.names]
        codes.append(np.array([*index, -1], dtype=np.int64)[labels.codes])
    return Labels(np.concatenate(codes), tuple(known))
