import json
import math

import numpy as np
import pytest

from nucleate.core import DataError, Level
from nucleate.corpora.text import Documents, split_documents
from nucleate.corpora.tokenizer import bpe_tokenizer, encode
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.text_suite import text_suite
from nucleate.probes.view import ModelView
from tests.unit.corpora.prose import stories
from tests.unit.probes.models import tiny

DOCUMENTS = split_documents(stories(400, sentences=20), held_out_share=0.2)
TOKENIZER = bpe_tokenizer(DOCUMENTS.train, vocab_size=400)
SAMPLE = np.concatenate([[*ids, 0] for ids in encode(TOKENIZER, DOCUMENTS.train)])


def build(documents=DOCUMENTS, **settings):
    settings = {"items": 40, "context": 128, **settings}
    return text_suite(documents, TOKENIZER, training_sample=SAMPLE, **settings)


@pytest.fixture(scope="module")
def blimp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blimp")
    rows = [
        {
            "UID": paradigm,
            "field": "syntax",
            "sentence_good": f"Lily saw {n} dogs.",
            "sentence_bad": f"Lily saw dogs {n}.",
        }
        for paradigm in ("one", "two")
        for n in range(50)
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def readings(blimp):
    view = ModelView(tiny(vocabulary=len(TOKENIZER)))
    found = [r for probe, items in build(blimp=blimp).parts for r in probe.measure(view, items)]
    return {reading.metric: reading for reading in found}


def test_every_level_has_its_primary_and_each_is_measured(blimp, readings):
    suite = build(blimp=blimp)
    assert suite.primary == {
        Level.COOCCURRENCE: "ngram.bigram",
        Level.NARRATIVE: "coherence.block_order",
        Level.SYNTAX: "blimp.all",
    }
    for level, stem in suite.primary.items():
        measured = [r for metric, r in readings.items() if metric.rsplit(".", 1)[0] == stem]
        assert measured
        assert all(reading.level is level for reading in measured)


def test_numbers_of_items_follow_from_the_dial(readings):
    assert readings["ngram.bigram.kl"].n == 4
    assert readings["loss.held_out.nll"].n == 10
    assert readings["coherence.block_order.accuracy"].n == 12
    assert readings["coherence.sentence_order.accuracy"].n == 12
    assert readings["coherence.entity_swap.accuracy"].n == 14
    assert readings["blimp.all.accuracy"].n == 40
    assert readings["blimp.syntax.accuracy"].n == 40
    assert all(math.isfinite(reading.value) for reading in readings.values())


def test_equal_seeds_ask_the_same_and_others_do_not(blimp):
    def tokens(suite):
        plans = [items.plan for _, items in suite.parts if hasattr(items, "plan")]
        return [batch.ids_BT.tolist() for plan in plans for batch in plan.batches]

    assert tokens(build(blimp=blimp)) == tokens(build(blimp=blimp))
    assert tokens(build(blimp=blimp)) != tokens(build(blimp=blimp, seed=1))


def test_the_cost_is_what_is_run_and_grows_with_the_dial():
    suite = build()
    seen = []
    model = tiny(vocabulary=len(TOKENIZER))
    hook = model.base_model.register_forward_hook(
        lambda *call: seen.append(call[2].last_hidden_state.shape[:2].numel())
    )
    view = ModelView(model)
    for probe, items in suite.parts:
        list(probe.measure(view, items))
    hook.remove()
    assert sum(seen) == suite.forward_tokens
    assert suite.forward_tokens < 20_000
    assert 1.5 < build(items=80).forward_tokens / suite.forward_tokens < 2.5


def test_rows_are_beginnings_of_held_out_documents():
    rows = build().parts[1][1].rows
    assert (rows[:, 0] == TOKENIZER.eos_token_id).all()
    for row in rows:
        text = TOKENIZER.decode(row[1:])
        assert sum(document.startswith(text) for document in DOCUMENTS.held_out) == 1


def test_without_blimp_there_is_no_syntax_and_a_note_says_so():
    suite = build()
    assert Level.SYNTAX not in suite.primary
    assert "syntax is not measured: there is no folder of BLiMP pairs" in suite.notes


def test_notes_tell_what_ngrams_score():
    (note,) = [note for note in build().notes if note.endswith("coherence.entity_swap.accuracy")]
    assert note.startswith("a trigram model of the corpus scores 0.")


def test_short_documents_give_shorter_rows():
    short = Documents(DOCUMENTS.train, tuple(stories(60, sentences=7)), "k")
    suite = build(short)
    size = suite.parts[1][1].rows.shape[1]
    assert 32 <= size < 128
    assert f"loss by position: rows of {size} tokens, documents end before 128" in suite.notes


def test_text_without_sentences_leaves_narrative_out():
    lists = tuple(f"- item {n} and so on without any end, " * 20 for n in range(60))
    suite = build(Documents(DOCUMENTS.train, lists, "k"))
    assert Level.NARRATIVE not in suite.primary
    assert {probe.name for probe, _ in suite.parts} == {"ngram", "loss"}
    assert sum("is left out" in note for note in suite.notes) == 4


@pytest.mark.parametrize("settings", [{"items": 8}, {"context": 32}])
def test_a_suite_too_small_to_say_anything_is_a_mistake(settings):
    with pytest.raises(DataError, match="suite is too small"):
        build(**settings)


def test_documents_of_a_few_words_are_a_mistake():
    with pytest.raises(DataError, match="held-out documents are too short"):
        build(Documents(DOCUMENTS.train, ("a few words.",) * 50, "k"))


def test_probe_sets_share_neither_documents_nor_sentence_pairs(blimp, monkeypatch):
    asked = []

    class Noted(PairItems):
        def __init__(self, pairs, tokenizer, **settings):
            asked[-1].update(pair.good for pair in pairs if hasattr(pair, "good"))
            super().__init__(pairs, tokenizer, **settings)

    monkeypatch.setattr("nucleate.probes.text_suite.PairItems", Noted)
    rows = []
    for index in range(3):
        asked.append(set())
        suite = build(blimp=blimp, share=(index, 3))
        rows.append({tuple(row) for row in suite.parts[1][1].rows.tolist()})
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert rows[one]
        assert asked[one]
        assert not rows[one] & rows[other]
        assert not asked[one] & asked[other]
