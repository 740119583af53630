"""Several sources as one book, so that every q is over all of their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nucleate.core import Curve, CurveBook, DataError


def merged(books: Sequence[CurveBook]) -> CurveBook:
    """Return several sources as one, so that q is over all their curves.

    Runs keep their names where these differ; otherwise the name of the file stands before them.

    Raises:
        DataError: The positions of the sources count different things.
    """
    if len(books) == 1:
        return books[0]
    for book in books[1:]:
        if book.axis != books[0].axis:
            raise DataError(
                "counts other positions than the first file",
                where=book.source,
                got=book.axis,
                expected=books[0].axis,
                fix="name one column that all files have with --step",
            )
    names = [run for book in books for run in book.runs]
    unique = len(set(names)) == len(names) and "" not in names
    runs: dict[str, Mapping[str, Curve]] = {}
    for book in books:
        stem = Path(book.source).stem
        for run, curves in book.runs.items():
            runs[_free(run if unique else f"{stem}/{run}".rstrip("/"), runs)] = curves
    notes = [f"{Path(book.source).name}: {note}" for book in books for note in book.notes]
    source = ", ".join(Path(book.source).name for book in books)
    return CurveBook(source, books[0].axis, runs, tuple(notes))


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return the name, or the first of ``name-2``, ``name-3`` … that is not taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
