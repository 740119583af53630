"""Pairs made from text that nobody on the team wrote; skipped where it is absent."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from nucleate.corpora.blimp import read_blimp
from nucleate.corpora.pairs import make_text_pairs
from nucleate.corpora.sentences import split_sentences
from nucleate.corpora.text import read_documents

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")


@pytest.fixture(scope="module", params=["tinystories", "llm_stories"])
def texts(request):
    file = DATA / "corpora" / f"{request.param}.jsonl.gz"
    if not file.exists():
        pytest.skip(f"{file} is absent")
    return read_documents([file], held_out_share=0.04).held_out


@pytest.fixture(scope="module")
def made(texts):
    return make_text_pairs(texts, orders=60, swaps=30, others=40, longest=200)


def test_there_is_enough_of_every_kind(made):
    assert len(made.sentence_order) == len(made.block_order) == 60
    assert len(made.entity_swap) == 30
    assert len(made.other_document) == 40
    assert made.notes == ()


def test_orders_hold_the_same_words_and_come_from_the_document(made, texts):
    for pair in (*made.sentence_order, *made.block_order):
        assert pair.good != pair.bad
        assert Counter(pair.good.split()) == Counter(pair.bad.split())
        assert pair.good in " ".join(texts[pair.document].split())


def test_swaps_keep_the_region_and_exchange_exactly_two_words(made, texts):
    for pair in made.entity_swap:
        assert f"{pair.coherent} {pair.region}" in " ".join(texts[pair.document].split())
        before = re.findall(r"\w+", pair.coherent)
        after = re.findall(r"\w+", pair.corrupted)
        changed = {(a, b) for a, b in zip(before, after, strict=True) if a != b}
        assert len({name for couple in changed for name in couple}) == 2
        assert all(name.istitle() for couple in changed for name in couple)


def test_most_text_of_a_story_is_proper_sentences(texts):
    pieces = [piece for text in texts[:100] for piece in split_sentences(text)]
    ended = sum(piece.rstrip("\"'”’)")[-1:] in tuple(".!?…") for piece in pieces)
    assert ended / len(pieces) > 0.9
    assert sum(len(piece.split()) for piece in pieces) / len(pieces) < 30


def test_blimp_is_read_whole():
    if not (DATA / "blimp").is_dir():
        pytest.skip("BLiMP is absent")
    pytest.importorskip("pyarrow")
    pairs = read_blimp(DATA / "blimp")
    assert len(pairs) == 34_000
    assert set(Counter(pair.condition for pair in pairs).values()) == {1000}
