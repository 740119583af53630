"""A table in memory: columns of numbers, and columns of text as codes into their few labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_MISSING = frozenset(("", "-", "na", "n/a", "nan", "none", "null", "<na>", "nil", "?"))
_FOREIGN = 0.1
"""Share of a column's entries that may be text without making it a column of text."""

_NUMBERED = re.compile(
    r"(?:global[-_]?)?(?:steps?|checkpoint|ckpt|iter(?:ation)?|epoch)[-_= ]?(\d+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, shape ``(rows,)``, NaN where an entry is missing.

    Attributes:
        foreign: Entries that were neither numbers nor missing.
    """

    values: Floats
    foreign: int = 0

    def as_labels(self) -> Labels:
        """Return the numbers as labels, for columns like ``seed``."""
        present = np.isfinite(self.values)
        unique, inverse = np.unique(self.values[present], return_inverse=True)
        codes = np.full(self.values.shape, -1, dtype=np.int64)
        codes[present] = inverse
        return Labels(codes, tuple(f"{value:.15g}" for value in unique))


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of text: ``names[codes[row]]``, and code -1 where an entry is missing."""

    codes: Codes
    names: tuple[str, ...]

    def as_numbers(self) -> Numbers | None:
        """Return the numbers in names like ``step1000`` or ``checkpoint-500``, if all are such."""
        found = [_NUMBERED.fullmatch(name.strip()) for name in self.names]
        if not self.names or not all(found):
            return None
        values = np.array([float(match[1]) for match in found if match] + [np.nan])
        return Numbers(values[self.codes])


Column = Numbers | Labels


WENT_BACK = "the run went back and did them again"
"""Why later rows of a log replace earlier ones."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length, as some file held them.

    Attributes:
        source: File or folder, as the user named it.
        notes: What reading it left out.
        replaces: Why a later row replaces an earlier one of the same run, metric and step, where
            rows stand in the order of writing; empty where nothing is known of their order.
        metric: Columns that always make the names of metrics, where the format says so.
        aliases: Columns that belong to one run each, W&B's ``RUN - METRIC``: ``(run, metric)``.
    """

    source: str
    columns: Mapping[str, Column]
    notes: tuple[str, ...] = ()
    replaces: str = ""
    aliases: Mapping[str, tuple[str, str]] | None = None
    metric: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """Length of the columns."""
        return next((length(column) for column in self.columns.values()), 0)


def length(column: Column) -> int:
    """Return the number of entries of a column."""
    return len(column.values if isinstance(column, Numbers) else column.codes)


def column_of(entries: Sequence[Any]) -> Column:
    """Make a column of numbers, text, None and anything else that a file may hold."""
    truth = isinstance(entries[0], bool) if entries else False
    if not truth:
        try:
            return Numbers(np.array(entries, dtype=np.float64).reshape(len(entries)))
        except (TypeError, ValueError, OverflowError):
            pass
    known: dict[Any, int] = {}
    try:
        rows = [known.setdefault(entry, len(known)) for entry in entries]
    except TypeError:  # lists
        return column_of([None if isinstance(entry, list) else str(entry) for entry in entries])
    codes = np.array(rows, dtype=np.int64)
    if truth and all(isinstance(entry, bool) or entry is None for entry in known):
        return _labels(list(known), codes)
    read = [_number(entry) for entry in known]
    numbers = np.array([number for number, _ in read])[codes]
    foreign = int(np.sum(~np.array([fit for _, fit in read])[codes]))
    if foreign > _FOREIGN * max(int(np.isfinite(numbers).sum()) + foreign, 1):
        return _labels(list(known), codes)
    return Numbers(numbers, foreign)


def _number(entry: object) -> tuple[float, bool]:
    """Return a number (NaN when missing), and whether the entry was a number or missing."""
    if entry is None or (isinstance(entry, str) and entry.strip().lower() in _MISSING):
        return float("nan"), True
    if isinstance(entry, (int, float, str)):
        try:
            return float(entry), True
        except OverflowError:
            return float("inf"), True
        except ValueError:
            return float("nan"), False
    return float("nan"), False


def _labels(entries: list[Any], codes: Codes) -> Labels:
    """Return labels of distinct entries; those that are alike but for blanks become one."""
    texts = ["" if entry is None else str(entry).strip() for entry in entries]
    known: dict[str, int] = {}
    index = [known.setdefault(text, len(known)) if text else -1 for text in texts]
    return Labels(np.array(index, dtype=np.int64)[codes], tuple(known))


def combine(*parts: Codes) -> Codes:
    """Number the combinations of several codes: rows that agree in all get the same number."""
    if not parts:
        raise ValueError("nothing to combine")
    joined = np.unique(parts[0], return_inverse=True)[1].astype(np.int64)
    for part in parts[1:]:
        shifted = part - part.min(initial=0)
        joined = joined * (int(shifted.max(initial=0)) + 1) + shifted
        joined = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return joined


def num_distinct(codes: Codes) -> int:
    """Return how many different codes there are."""
    return len(np.unique(codes))
