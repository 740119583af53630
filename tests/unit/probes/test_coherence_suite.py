"""The coherence suite is put together from what a folder holds, and says what it lacks."""

import gzip
import json
import math
from pathlib import Path

import pytest

from nucleate.core import DataError, Level
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.items import Choice, Cloze, MinimalPair
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.sets import CATALOGUE
from nucleate.corpora.sets import catalogue as known
from nucleate.corpora.tokenizer import EOS, bpe_tokenizer, word_tokenizer
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.choice import ChoiceItems
from nucleate.probes.coherence import Parts, coherence_suite
from nucleate.probes.coherence.baselines import (
    UniformView,
    accuracy_by_condition,
    baseline_readings,
    sample_ngrams,
)
from nucleate.probes.coherence.blimp_splits import with_known_words
from nucleate.probes.coherence.fitting import Fitting, choose
from nucleate.probes.coherence.request import SuiteRequest, join
from nucleate.probes.coherence.syntax import language_splits
from nucleate.probes.registry import Probe, get_probe
from nucleate.probes.suites import Suite

STORIES = ["The dog sees the cat. The cat runs home.", "The dogs see the cats. They run."] * 30
LEVELS = [Level.SYNTAX, Level.SEMANTICS, Level.KNOWLEDGE]


@pytest.fixture(scope="module")
def tokenizer():
    return bpe_tokenizer(STORIES, vocab_size=300)


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def blimp_row(paradigm, number, bad="The dog see"):
    good = f"The dog sees {number}."
    return {"UID": paradigm, "sentence_good": good, "sentence_bad": f"{bad} {number}."}


@pytest.fixture
def data(tmp_path):
    paradigms = ("passive_1", "distractor_agreement_relative_clause", "causative")
    rows = [blimp_row(paradigm, n) for paradigm in paradigms for n in range(60)]
    write(tmp_path / "blimp/all.jsonl.gz", rows)
    flat = {"task": "piqa", "choices": ["sees", "see"], "gold": 0}
    piqa = [{**flat, "query": f"Question: {n}\n"} for n in range(20)]
    write(tmp_path / "mc_benchmarks/mc.jsonl.gz", piqa)
    cloze = {"task": "lambada_openai", "continuation": "cat"}
    texts = [{**cloze, "context": f"The dog sees {n} the"} for n in range(20)]
    write(tmp_path / "cloze_benchmarks/cloze.jsonl.gz", texts)
    facts = [[f"dog{n}", f"cat{n % 5}"] for n in range(30)]
    row = {"relation": "P1", "patterns": ["[X] sees [Y].", "The [X] sees [Y]."], "facts": facts}
    write(tmp_path / "pararel/pararel.jsonl.gz", [row])
    return tmp_path


def readings(suite, view):
    return {r.metric: r for probe, items in suite.parts for r in probe.measure(view, items)}


def test_what_the_folder_holds_is_asked_and_the_rest_is_noted(data, tokenizer):
    suite = coherence_suite(tokenizer, data=data, items=20, context=64, levels=LEVELS, hub=False)
    names = [probe.name for probe, _ in suite.parts]
    assert [n for n in names if n in ("blimp", "lambada", "piqa", "pararel")] == [
        "blimp",
        "lambada",
        "piqa",
        "pararel",
    ]
    assert suite.primary[Level.SYNTAX] == "blimp.beyond_ngrams"
    assert suite.primary[Level.SEMANTICS] == "lambada"
    assert suite.primary[Level.KNOWLEDGE] == "pararel.recall"
    assert "hellaswag is not measured: it is not in the data folder" in suite.notes
    assert suite.forward_tokens > 0
    found = readings(suite, UniformView(len(tokenizer)))
    assert found["blimp.all.accuracy"].n == 100
    assert found["blimp.attractor.accuracy"].n == 33
    assert found["blimp.causative.accuracy"].n == 34
    # Published 5-gram accuracies: passive_1 .892, causative .535, the attractor .217.
    assert found["blimp.ngram_solvable.accuracy"].n == 33
    assert found["blimp.beyond_ngrams.accuracy"].n == 67
    assert found["pararel.recall.accuracy"].n == 20
    assert found["pararel.recall.accuracy"].chance == pytest.approx(1 / 5)
    assert found["piqa.acc_norm"].level is Level.SEMANTICS


def test_a_choice_of_items_is_seeded(data, tokenizer):
    request = SuiteRequest(tokenizer, data, 10, 64)
    first, second = (choose(known.PIQA, request)[0] for _ in range(2))
    assert first == second
    assert len(first.items) == 10
    assert choose(known.PIQA, SuiteRequest(tokenizer, data, 10, 64, seed=1))[0] != first


def test_a_sample_of_the_corpus_gives_frequencies_and_its_own_ngrams(data, tokenizer):
    sample = [*STORIES, "dog1 and dog2 and dog2."]
    suite = coherence_suite(
        tokenizer, data=data, items=20, context=64, levels=LEVELS, hub=False, sample=sample
    )
    found = readings(suite, UniformView(len(tokenizer)))
    assert {metric.split(".")[1] for metric in found if metric.startswith("pararel")} >= {"unseen"}
    assert any("or a trigram model of the corpus" in note for note in suite.notes)
    assert suite.primary[Level.SYNTAX] == "blimp.all"  # the trigram knows "sees" in all paradigms
    assert not any("by frequency" in note for note in suite.notes)


def test_only_the_levels_that_were_asked_for(data, tokenizer):
    suite = coherence_suite(tokenizer, data=data, items=20, context=64, levels=[Level.SYNTAX])
    assert {probe.level for probe, _ in suite.parts} == {Level.SYNTAX}


def test_a_set_that_fits_no_more_than_a_few_times_is_not_measured(data, tokenizer):
    short = coherence_suite(tokenizer, data=data, items=20, context=32, levels=[Level.SEMANTICS])
    assert "piqa" in [probe.name for probe, _ in short.parts]
    rows = [{"task": "piqa", "query": "x" * 90, "choices": ["a", "b"], "gold": 0}] * 40
    write(data / "mc_benchmarks/mc.jsonl.gz", rows)
    suite = coherence_suite(tokenizer, data=data, items=20, context=32, levels=[Level.SEMANTICS])
    assert "piqa" not in [probe.name for probe, _ in suite.parts]
    note = "piqa is not measured: the tokenizer can write 0 of 40 items within 32 tokens"
    assert note in suite.notes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"items": 4}, "suite is too small"),
        ({"context": 16}, "suite is too small"),
        ({"data": "nowhere"}, "no such folder"),
        ({"levels": []}, "nothing can be asked"),
    ],
)
def test_a_mistake_is_one_line(tokenizer, tmp_path, settings, message):
    with pytest.raises(DataError, match=message):
        coherence_suite(tokenizer, **{"data": tmp_path, **settings})


def test_the_first_to_name_a_metric_of_a_level_names_it():
    one = Parts((), {Level.SYNTAX: "a"}, ("x",))
    two = Parts((), {Level.SYNTAX: "b", Level.TRUTH: "c"}, ("y", "x"))
    assert join([one, two]) == Parts((), {Level.SYNTAX: "a", Level.TRUTH: "c"}, ("x", "y"))


def test_known_words_are_those_of_the_corpus():
    pairs = (MinimalPair("The dog sees.", "The dog see.", "p"), MinimalPair("It is.", "It.", "p"))
    found = ItemSet("blimp", Level.SYNTAX, "", "", pairs)
    known = with_known_words(found, ["the dog sees, the dog see"] * 3)
    assert (known.name, known.items) == ("blimp_known", pairs[:1])
    assert with_known_words(found, ["the dog sees, the dog see"] * 2).items == ()


def test_fitting_takes_what_can_be_written_whole_and_read_back(tokenizer):
    fitting = Fitting(tokenizer, 8)
    assert fitting.texts(["The dog", "x" * 40, ""]) == [True, False, False]
    words = Fitting(word_tokenizer(["the", "cat"]), 8)
    assert words.texts(["the cat", "the dog"]) == [True, False]
    assert words.texts(["the " * 7, "the " * 8]) == [True, False]
    items = [MinimalPair("the cat", "cat the"), Cloze("the", " dog"), MinimalPair("the", "a")]
    assert words.items(items) == [True, False, False]
    assert words.items([Choice((("the", " cat"), ("the", " the")), 0)]) == [True]


def test_languages_and_attractors_of_clams():
    names = ["de.simple_agrmt", "de.subj_rel", "fr.obj_rel_within_anim", "fr.vp_coord"]
    assert language_splits(names) == {"de": [0, 1], "attractor": [1, 2], "fr": [2, 3]}


def test_ngrams_solve_what_stands_together_and_nothing_else():
    """After "a" the corpus has "b" and never "c"; after "x y z" it does not know of "a"."""
    tokenizer = word_tokenizer("a b c x y z".split())
    ngrams = sample_ngrams(["a b"] * 50 + ["c x y z b"] * 5, tokenizer)
    pairs = [
        MinimalPair("a b", "a c", "near"),
        MinimalPair("a x y z c", "a x y z b", "far"),
    ]
    assert accuracy_by_condition(pairs, tokenizer, ngrams, 32) == {
        "near": 1.0,
        "far": 0.0,
        "all": 0.5,
    }


def test_documents_of_the_sample_begin_with_the_token_that_begins_a_text():
    tokenizer = word_tokenizer(["a", "b"])
    ngrams = sample_ngrams(["a b", "a b"], tokenizer, order=2)
    assert isinstance(ngrams, NgramModel)
    begin = tokenizer.convert_tokens_to_ids(EOS)
    # Witten-Bell: "a" after the begin token, 2 of 2, of one type: 2/3 + 1/3 · p(a), p(a) = 3/9.
    assert ngrams.log_prob((begin,), 1) == pytest.approx(math.log(2 / 3 + 1 / 3 * 3 / 9))


def test_baselines_leave_out_what_they_cannot_answer():
    tokenizer = word_tokenizer(["a", "b"])
    items = ChoiceItems([MinimalPair("a", "b")], tokenizer, name="p", normalise=False)
    telling = Probe("t", Level.NARRATIVE, "", len, lambda view, items: view.continuations(items))
    suite = Suite("s", ((get_probe("choice"), items), (telling, ())), {})
    view = NgramView(sample_ngrams(["a b", "a a"], tokenizer))
    assert set(baseline_readings(suite, view)) == {"p.accuracy", "p.margin"}


DATA = find_data_folder()


@pytest.mark.skipif(DATA is None, reason="no folder of evaluation data")
def test_real_data_in_small(tokenizer):
    suite = coherence_suite(tokenizer, data=DATA, items=8, context=256, levels=LEVELS, hub=False)
    assert {probe.name for probe, _ in suite.parts} >= {"blimp", "clams", "winograd", "pararel"}


def test_the_page_of_the_suite_names_every_set_with_its_licence_and_hub():
    page = (Path(__file__).parents[3] / "docs" / "suite.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for published in CATALOGUE:
        row = rows[published.name]
        assert f"| {published.licence} |" in row
        assert published.hub is None or published.hub.repository in row


def test_a_defect_of_a_probe_is_not_taken_for_a_question_that_a_baseline_cannot_answer():
    def broken(view, items):
        raise AttributeError("misspelt")

    probe = Probe("p", Level.SYNTAX, "nats", len, broken)
    with pytest.raises(AttributeError, match="misspelt"):
        baseline_readings(Suite("s", ((probe, ()),), {}), UniformView(4))
