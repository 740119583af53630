"""The audit by n-grams: what it must find, what is no alarm, and when it proves nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from nucleate.probes.plan import Query, sequence_query
from nucleate.studies.savings.audit import audit

TEXT = tuple(range(100, 140))
"""A text of forty words that stand nowhere else; the sequence begins with token 0."""
TOKENIZER = SimpleNamespace(decode=lambda ids: " ".join(map(str, ids)))


def suite(**queries: list[Query]) -> Any:
    parts = [
        (SimpleNamespace(name=name), SimpleNamespace(plan=SimpleNamespace(queries=asked)))
        for name, asked in queries.items()
    ]
    return SimpleNamespace(parts=parts)


def look(asked: Any, *streams: tuple[int, ...], lengths: tuple[int, ...] = (8, 24)) -> Any:
    sources = [("corpus", np.array((7, 8, 9, *stream, 7, 8, 9))) for stream in streams]
    return audit(asked, sources, lengths, TOKENIZER)


def slot(position: int) -> Query:
    """Ask for one word of the text, or another one."""
    return Query((0, *TEXT), ((position, (TEXT[position - 1], 5)),))


def test_a_copied_question_is_found_and_another_ending_is_not() -> None:
    asked = suite(state=[slot(30)])
    copied = look(asked, TEXT[:30])
    assert (copied["asked"], copied["found"], copied["clean"]) == (1, 1, False)
    other = look(asked, (*TEXT[:29], 5))
    assert (other["asked"], other["found"], other["clean"]) == (1, 0, True)
    assert {row["length"]: row["found"] for row in other["rows"]} == {8: 0, 24: 0}


def test_what_is_decided_early_in_a_long_text_is_looked_for() -> None:
    asked = suite(fact=[slot(10)])  # ten words up to and including the decided one
    assert look(asked, TEXT[:10])["found"] == 1
    assert look(asked, (*TEXT[:9], 5))["clean"] is True
    assert look(suite(fact=[slot(3)]), TEXT)["asked"] == 0  # three words meet by chance


def test_the_first_words_of_a_text_that_is_asked_as_a_whole_are_no_alarm() -> None:
    asked = suite(pairs=[sequence_query((0, *TEXT), 1)])
    assert look(asked, TEXT[:10])["clean"] is True
    assert look(asked, TEXT[:24])["found"] == 1
    short = suite(pairs=[sequence_query((0, *TEXT[:12]), 1)])
    assert (look(short, TEXT[:12])["asked"], look(short, TEXT[:12])["found"]) == (1, 1)
    assert look(short, TEXT[:11])["clean"] is True


def test_a_row_that_loss_and_ngram_share_is_no_alarm() -> None:
    rows = [sequence_query((0, *TEXT), 1)]
    found = look(
        suite(loss=rows, ngram=rows, fact=[Query((0, *range(50, 90)), ((30, (79,)),))]), TEXT
    )
    shared = next(row for row in found["rows"] if row["length"] == 24 and "loss" in row["probe"])
    assert (shared["probe"], shared["found"], shared["forbidden"]) == ("loss, ngram", 17, False)
    assert (found["found"], found["clean"]) == (0, True)
    assert look(suite(loss=rows, fact=rows), TEXT)["clean"] is False


def test_an_audit_that_looked_for_nothing_or_nowhere_is_not_clean() -> None:
    rows = [sequence_query((0, *TEXT), 1)]
    assert look(suite(loss=rows), TEXT)["clean"] is False
    assert look(suite(fact=[]), TEXT)["clean"] is False
    assert look(suite(fact=[slot(30)]))["clean"] is False
