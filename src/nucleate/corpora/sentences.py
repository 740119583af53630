"""Split text into sentences without any language model, and refuse what is not plain prose.

Probe items need sentences whose order may be changed without leaving a trace: whole quotations,
no headings, no list items. The splitter is therefore cautious: where it is unsure it does not
split, and `sentence_runs` breaks a document wherever something is no proper sentence.
"""

from __future__ import annotations

import re

LONGEST_TEXT = 20_000
"""Characters read of one document."""

_BOUNDARY = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？।؟]+[”’」』»]*")
_ENDS = re.compile(r"[.!?…。！？।؟][\"'”’»)\]」』]*$")
_PARAGRAPH = re.compile(r"\n\s*\n|(?<=[.!?…:\"”’»])[ \t]*\n")
_CLOSED_SINGLE = re.compile(r"’(?!\w)")
_NOT_PROSE = re.compile(r"[*#|_=<>{}\\]|https?:|www\.|\d\)")
_OPENERS = "\"'“‘«「『("
ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st jr sr vs etc fig no vol capt col gen lt sgt rev hon mt ft inc ltd co "
    "jan feb mar apr jun jul aug sep sept oct nov dec ca cf al ed pp approx dept est".split()
)
"""Words that a full stop may follow inside a sentence, in small letters."""


def split_sentences(text: str) -> list[str]:
    """Split text at sentence ends that stand outside quotations; white space becomes one space.

    Headings, verses and list items come out as pieces of their own or joined to a neighbour:
    `is_sentence` tells proper sentences from those.

    >>> split_sentences('Mr. Fox ran. "Stop! Wait," he said. She did not.')
    ['Mr. Fox ran.', '"Stop! Wait," he said.', 'She did not.']
    """
    caseless = text == text.lower()
    return [
        piece
        for paragraph in _PARAGRAPH.split(text[:LONGEST_TEXT])
        for piece in _split_paragraph(" ".join(paragraph.split()), caseless)
    ]


def _split_paragraph(text: str, caseless: bool) -> list[str]:
    pieces, start = [], 0
    for found in _BOUNDARY.finditer(text):
        piece, rest = text[start : found.end()], text[found.end() :].lstrip()
        if rest and not _begins(rest, caseless):
            continue
        if _is_abbreviation(piece) or open_quotation(piece):
            continue
        pieces.append(piece.strip())
        start = found.end()
    tail = text[start:].strip()
    return [*pieces, tail] if tail else pieces


def _begins(text: str, caseless: bool) -> bool:
    """Whether a sentence may begin here: a letter (no small one where case exists) or a digit."""
    first = text.lstrip(_OPENERS)[:1]
    return first.isalnum() and (caseless or not first.islower())


def _is_abbreviation(piece: str) -> bool:
    if not piece.endswith(".") or piece.endswith(".."):
        return False
    word = piece[:-1].rsplit(" ", 1)[-1].lstrip(_OPENERS)
    initial = len(word) == 1 and word.isupper() and word != "I"
    list_number = word.isdigit() and " " not in piece
    return initial or list_number or "." in word or word.lower() in ABBREVIATIONS


def open_quotation(piece: str) -> bool:
    """Whether a quotation that begins in the piece does not end in it, or the reverse."""
    return (
        piece.count('"') % 2 == 1
        or piece.count("“") != piece.count("”")
        or piece.count("«") != piece.count("»")
        or piece.count("「") != piece.count("」")
        or piece.count("‘") > len(_CLOSED_SINGLE.findall(piece))
    )


def is_sentence(piece: str, *, caseless: bool = False) -> bool:
    """Whether a piece is one proper sentence of prose: 2 to 60 words, ended, quotations closed."""
    return (
        (caseless or len(piece.split()) >= 2)
        and len(piece.split()) <= 60
        and 8 <= len(piece) <= 400
        and bool(_ENDS.search(piece))
        and not piece[0].isdigit()
        and (piece[0].isalpha() or piece[0] in _OPENERS)
        and _begins(piece, caseless)
        and not open_quotation(piece)
        and not _NOT_PROSE.search(piece)
    )


def sentence_runs(text: str) -> list[list[str]]:
    """Return the stretches of consecutive proper sentences of a document, in order.

    A heading or a list between two sentences ends a stretch: what was not consecutive in the
    document must not be taken for it.
    """
    caseless = text == text.lower()
    runs: list[list[str]] = [[]]
    for piece in split_sentences(text):
        if is_sentence(piece, caseless=caseless):
            runs[-1].append(piece)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
