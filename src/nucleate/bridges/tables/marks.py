"""Which sign parts decimals and which parts thousands, told from a table's own numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_BLANKS = " '’\u00a0\u202f"
_WRITTEN = re.compile(rf"\s*[+-]?(?:\d[\d.,{_BLANKS}]*|[.,]\d+)(?:[eE][+-]?\d+)?\s*")
"""A number with marks in it, whatever they mean."""

_BLANKED = re.compile(rf"\s*[+-]?[1-9]\d{{0,2}}(?:[{_BLANKS}]\d{{3}})+(?:[.,]\d+)?\s*")

_GROUPS = {mark: re.compile(rf"\s*[+-]?[1-9]\d{{0,2}}(?:\{mark}\d{{3}})+\s*") for mark in ",."}
"""A whole number that this mark may part into thousands: 1.234 or 1.234.567, never 0.123."""

Rewrite = Callable[[str], str]


def marks_of(columns: Iterable[Sequence[str]], *, commas: bool) -> tuple[Rewrite | None, str]:
    """Return how to write a table's numbers so that Python reads them, and a note about it.

    A mark is that of decimals where some number allows nothing else (0,95; 1234,5; 1.234,5), and
    that of thousands where it stands twice in a number, or where the other one is that of decimals.
    Where neither is sure nothing is changed: ``1,000`` may be one or a thousand. Points that part
    thousands in one column leave those of another unsure that Python reads as they are.

    Args:
        columns: Entries of the columns.
        commas: Whether a comma may be the mark of decimals; not where fields are parted by commas,
            and it rather stands in a list.

    Returns:
        What rewrites an entry, and a sentence; None and nothing where Python reads them as it is.
    """
    decimal, parting, blanked = _evidence(columns)
    if "," in decimal and not commas:
        return None, ""
    one = next(iter(decimal)) if len(decimal) == 1 else ""
    other = {",": ".", ".": ","}.get(one, "")
    sure = {mark: (all if mark == "." else any)(found) for mark, found in parting.items()}
    thousands = next((mark for mark in parting if sure[mark] and mark not in decimal), "")
    if other in parting or one == ",":  # a point may then stand further down only
        thousands = other
    if not (thousands or blanked or one == ","):
        return None, ""

    def rewrite(text: str) -> str:
        if not _WRITTEN.fullmatch(text):
            return text
        if blanked and _BLANKED.fullmatch(text):
            text = re.sub(rf"(?<=\d)[{_BLANKS}](?=\d)", "", text)
        whole = text.split(one)[0] if one else text
        if thousands and _GROUPS[thousands].fullmatch(whole):
            text = text.replace(thousands, "")
        return text.replace(",", ".", 1) if one == "," else text

    return rewrite, _note(one, thousands if thousands in parting else "", blanked)


def _evidence(columns: Iterable[Sequence[str]]) -> tuple[set[str], dict[str, list[bool]], str]:
    """Return sure marks of decimals, possible marks of thousands, and an example of blanks.

    Of a possible mark of thousands: whether it is sure, by columns that it stands in.
    """
    decimal: set[str] = set()
    parting: dict[str, list[bool]] = {}
    blanked = ""
    for column in columns:
        joined = "\n".join(column)
        marks = [mark for mark in ",." if mark in joined]
        spaced = any(blank in joined for blank in (_BLANKS[:2] if joined.isascii() else _BLANKS))
        if not marks and not spaced:
            continue
        own: dict[str, bool] = {}
        for text in column:
            if not _WRITTEN.fullmatch(text):
                continue
            if not blanked and _BLANKED.fullmatch(text):
                blanked = text.strip()
            last = max(text.rfind(mark) for mark in ",.")
            for mark in (mark for mark in marks if mark in text):
                if "," in text and "." in text:
                    whole = _GROUPS[",."[text[last] == ","]].fullmatch(text[:last])
                    if whole and text[last] == mark:
                        decimal.add(mark)
                    elif whole:
                        own[mark] = True
                elif _GROUPS[mark].fullmatch(text):
                    own[mark] = own.get(mark, False) or text.count(mark) > 1
                elif text.count(mark) == 1:
                    decimal.add(mark)
            if not spaced and decimal.issuperset(marks):
                break
        for mark, sure in own.items():
            parting.setdefault(mark, []).append(sure)
    return decimal, parting, blanked


def are_lists(column: Sequence[str], *, commas: bool) -> bool:
    """Tell whether what may be numbers are rather lists that name something: 128,256 or 128 256.

    All have the mark, and few differ: each stands four times or more on average.

    Args:
        column: Its entries.
        commas: As in `marks_of`; commas then make no lists.
    """
    known = set(column)
    parted = [_BLANKED] if commas else [_BLANKED, _GROUPS[","]]
    return 4 * len(known) <= len(column) and any(
        all(mark.fullmatch(text) for text in known) for mark in parted
    )


def _note(decimal: str, thousands: str, blanked: str) -> str:
    what = {",": "comma", ".": "point"}
    said = [f"a {what[thousands]} parts thousands"] if thousands else []
    said += [f"{blanked!r} is one number"] if blanked else []
    said += ["a comma stands before decimals"] if decimal == "," else []
    return f"Marks in numbers: {', '.join(said)}."
