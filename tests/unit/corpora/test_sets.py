"""Every published format becomes the items that its publication and lm-eval ask."""

import gzip
import json
import sys
from types import SimpleNamespace

import pytest

from nucleate.core import DataError
from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.items import Choice, Cloze, MinimalPair
from nucleate.corpora.sets import CATALOGUE, load
from nucleate.corpora.sets import catalogue as known
from nucleate.corpora.sets.rows import hub_is_reachable
from nucleate.corpora.sets.solvable import ATTRACTOR, FIVE_GRAM, SOLVABLE


def items_of(published, *rows):
    return published.build([{"_place": "eng", **row} for row in rows])


def choice(context, *texts, gold=0, condition=""):
    return Choice(tuple((context, text) for text in texts), gold, condition)


def schema(*contexts, rest, gold, document=-1, condition=""):
    return Choice(tuple((context, rest) for context in contexts), gold, condition, document)


HELLASWAG = {
    "activity_label": "Roof shingle removal",
    "ctx_a": "A man is sitting on a roof.",
    "ctx_b": "he",
    "endings": ["is using wrap.", "[substeps] pulls  shingles [title] Stop.", "c.", "d."],
    "label": "1",
}


def test_hellaswag_is_cleaned_as_in_lm_eval():
    assert items_of(known.HELLASWAG, HELLASWAG) == [
        choice(
            "Roof shingle removal: A man is sitting on a roof. He",
            " is using wrap.",
            " pulls shingles. Stop.",
            " c.",
            " d.",
            gold=1,
        )
    ]


CASES = {
    "copa": (
        known.COPA,
        {
            "premise": "The man turned on the faucet.",
            "choice1": "The toilet filled.",
            "choice2": "Water flowed.",
            "question": "effect",
            "label": 1,
        },
        choice(
            "The man turned on the faucet therefore",
            " the toilet filled.",
            " water flowed.",
            gold=1,
        ),
    ),
    "copa laid out flat": (
        known.COPA,
        {"query": "The woman retired, therefore", "choices": ["a.", "b."], "gold": 0},
        choice("The woman retired, therefore", " a.", " b."),
    ),
    "piqa": (
        known.PIQA,
        {"goal": "ice box", "sol1": "water", "sol2": "soda", "label": 0},
        choice("Question: ice box\nAnswer:", " water", " soda"),
    ),
    "piqa laid out flat": (
        known.PIQA,
        {"query": "Question: ice box\n", "choices": ["water", "soda"], "gold": 0},
        choice("Question: ice box\nAnswer:", " water", " soda"),
    ),
    "arc": (
        known.ARC_EASY,
        {
            "question": "Which floats?",
            "choices": {"text": ["ice", "iron"], "label": ["A", "B"]},
            "answerKey": "B",
        },
        choice("Question: Which floats?\nAnswer:", " ice", " iron", gold=1),
    ),
    "openbookqa": (
        known.OPENBOOKQA,
        {
            "question_stem": "Fog is around",
            "choices": {"text": ["a marsh", "a tundra"], "label": ["A", "B"]},
            "answerKey": "A",
        },
        choice("Fog is around", " a marsh", " a tundra"),
    ),
    "winogrande": (
        known.WINOGRANDE,
        {
            "sentence": "Ann beat Beth because _ was strong.",
            "option1": "Ann",
            "option2": "Beth",
            "answer": "1",
        },
        schema(
            "Ann beat Beth because Ann", "Ann beat Beth because Beth", rest=" was strong.", gold=0
        ),
    ),
    "comps": (
        known.COMPS,
        {
            "prefix_acceptable": "a sock",
            "prefix_unacceptable": "a stocking",
            "property_phrase": "absorbs sweat.",
            "negative_sample_type": "taxonomic",
        },
        schema("a sock", "a stocking", rest=" absorbs sweat.", gold=0, condition="taxonomic"),
    ),
    "lambada": (
        known.LAMBADA,
        {"text": "I don't care about signs"},
        Cloze("I don't care about", " signs"),
    ),
    "jeopardy": (
        known.JEOPARDY,
        {"context": "HISTORY: a prison", "continuation": "Tower of London", "category": "world"},
        Cloze("HISTORY: a prison\nAnswer:", " Tower of London", "world"),
    ),
    "wikidata": (
        known.WIKIDATA,
        {"context": "The capital of France is", "continuation": "Paris"},
        Cloze("The capital of France is", " Paris"),
    ),
    "xcopa": (
        known.XCOPA,
        {
            "lang": "it",
            "premise": "L'uomo aprì il rubinetto.",
            "choice1": "Il bagno si riempì.",
            "choice2": "L'acqua uscì.",
            "question": "effect",
            "label": 1,
        },
        choice(
            "L'uomo aprì il rubinetto quindi",
            " il bagno si riempì.",
            " l'acqua uscì.",
            gold=1,
            condition="it",
        ),
    ),
    "blimp": (
        known.BLIMP,
        {"UID": "passive_1", "sentence_good": "Cats are seen.", "sentence_bad": "Cats are sleep."},
        MinimalPair("Cats are seen.", "Cats are sleep.", "passive_1"),
    ),
    "multiblimp": (
        known.MULTIBLIMP,
        {"sen": "He runs.", "wrong_sen": "He run.", "phenomenon": "SV-#"},
        MinimalPair("He runs.", "He run.", "eng.SV-#"),
    ),
    "turblimp": (
        known.TURBLIMP,
        {
            "good_sentence": "Kimin yazdığı?",
            "bad_sentence": "Onun niye yazdığı?",
            "phenomenon": "island_effects",
        },
        MinimalPair("Kimin yazdığı?", "Onun niye yazdığı?", "island_effects"),
    ),
    "hyperbaton": (
        known.HYPERBATON,
        {
            "task": "hyperbaton",
            "query": 'Which is right: a " Iranian small dog " b " small Iranian dog " ?',
            "gold": 1,
        },
        MinimalPair("small Iranian dog", "Iranian small dog"),
    ),
    "cause and effect": (
        known.CONCEPTS,
        {
            "task": "cause_and_effect/one_sentence_no_prompt",
            "prefix": "",
            "query": "",
            "choices": ["A because B.", "B because A."],
            "gold": 0,
        },
        Choice((("", "A because B."), ("", "B because A.")), 0, "cause_and_effect"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_row_becomes_the_item_that_is_asked(case):
    published, row, item = CASES[case]
    assert items_of(published, row) == [item]


def test_winograd_puts_referents_in_place_of_the_pronoun_and_keeps_twins_together():
    text = "The trophy doesn't fit into the suitcase because it is too large."
    row = {"text": text, "pronoun": "it", "pronoun_loc": text.index("it is"), "label": 0}
    row["options"] = ["The trophy", "The suitcase"]
    own = "Jim yelled at Kevin. His face was red."
    his = {"text": own, "pronoun": "His", "pronoun_loc": own.index("His"), "label": 1}
    his["options"] = ["Jim", "Kevin"]
    twin = {**row, "text": text.replace("large", "small"), "label": 1}
    first, second, third = items_of(known.WINOGRAD, row, twin, his)
    start = "The trophy doesn't fit into the suitcase because"
    contexts = (f"{start} the trophy", f"{start} the suitcase")
    assert first == schema(*contexts, rest=" is too large.", gold=0, document=0)
    assert second == schema(*contexts, rest=" is too small.", gold=1, document=0)
    assert third.document == 1
    assert third.candidates[0][0] == "Jim yelled at Kevin. Jim"


def test_xcopa_leaves_validation_items_and_unknown_languages_out():
    row = CASES["xcopa"][1]
    assert items_of(known.XCOPA, {**row, "split": "val"}, {**row, "lang": "xx"}) == []


def test_a_pair_of_equal_sentences_asks_nothing():
    assert items_of(known.BLIMP, {"paradigm": "p", "good": "Same.", "bad": "Same. "}) == []


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def test_a_folder_of_its_own_goes_before_a_file_of_several_sets(tmp_path):
    flat = {"task": "piqa", "query": "Question: q\n", "choices": ["a", "b"], "gold": 0}
    write(tmp_path / "mc_benchmarks/mc.jsonl.gz", [flat, {**flat, "task": "copa"}])
    found = load(known.PIQA, tmp_path)
    assert (found.name, len(found.items), found.licence) == ("piqa", 1, "AFL-3.0")
    write(tmp_path / "piqa/valid.jsonl", [{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}] * 3)
    assert len(load(known.PIQA, tmp_path).items) == 3
    assert load(known.HELLASWAG, tmp_path) is None
    assert load(known.HELLASWAG, None) is None


def test_clams_as_published(tmp_path):
    lines = ["True\tl' auteur rit", "False\tl' auteur rient", "", "True\tx", "False\ty"]
    file = tmp_path / "clams/fr_evalset/simple_agrmt.txt"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines), encoding="utf-8")
    first, second = load(known.CLAMS, tmp_path).items
    assert first == MinimalPair("l' auteur rit", "l' auteur rient", "fr.simple_agrmt")
    assert second.condition == "fr.simple_agrmt"
    file.write_text("Maybe\tx", encoding="utf-8")
    with pytest.raises(DataError, match=r"simple_agrmt.txt:1: line has no label"):
        load(known.CLAMS, tmp_path)


def test_tables_with_commas_and_tabs(tmp_path):
    folder = tmp_path / "multiblimp/tur"
    folder.mkdir(parents=True)
    (folder / "data.tsv").write_text("sen\twrong_sen\tphenomenon\nA b.\tA c.\tSV-P\n", "utf-8")
    assert load(known.MULTIBLIMP, tmp_path).items == (MinimalPair("A b.", "A c.", "tur.SV-P"),)
    folder = tmp_path / "turblimp"
    folder.mkdir()
    (folder / "x.csv").write_text("good_sentence,bad_sentence,phenomenon\nA.,B.,p\n", "utf-8")
    assert load(known.TURBLIMP, tmp_path).items == (MinimalPair("A.", "B.", "p"),)


MISTAKES = {
    "no key": ([{"goal": "g"}], "rows are not laid out as piqa is published"),
    "gold out of range": (
        [{"goal": "g", "sol1": "a", "sol2": "b", "label": 2}],
        "gold 2 of 2 options",
    ),
    "no object": ([[1]], "row is no object"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(tmp_path, mistake):
    rows, message = MISTAKES[mistake]
    write(tmp_path / "piqa/x.jsonl", rows)
    with pytest.raises(DataError, match=message):
        load(known.PIQA, tmp_path)


def test_what_the_folder_lacks_is_downloaded(monkeypatch, tmp_path):
    asked = []

    def load_dataset(repository, configuration, split):
        asked.append((repository, configuration, split))
        return [HELLASWAG, HELLASWAG]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert load(known.HELLASWAG, tmp_path) is None
    assert asked == []
    found = load(known.HELLASWAG, tmp_path, hub=True)
    assert asked == [("Rowan/hellaswag", None, "validation")]
    assert len(found.items) == 2
    assert found.items[0].gold == 1


def test_repositories_with_a_script_are_read_as_parquet(monkeypatch):
    asked = []

    def load_dataset(repository, configuration, split, revision=None):
        asked.append(revision)
        if revision is None:
            raise RuntimeError("Dataset scripts are no longer supported, but found comps.py")
        return [CASES["comps"][1]]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    assert load(known.COMPS, None, hub=True).items == (CASES["comps"][2],)
    assert asked == [None, "refs/convert/parquet"]


def test_a_configuration_names_the_language(monkeypatch):
    row = {k: v for k, v in CASES["xcopa"][1].items() if k != "lang"}
    fake = SimpleNamespace(load_dataset=lambda *_, **__: [row])
    monkeypatch.setitem(sys.modules, "datasets", fake)
    found = load(known.XCOPA, None, hub=True)
    assert [item.condition for item in found.items] == list(known.xcopa.CONNECTORS)


def test_a_hub_that_fails_is_one_line(monkeypatch):
    def load_dataset(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(DataError, match="Rowan/hellaswag: cannot be downloaded: ConnectionError"):
        load(known.HELLASWAG, None, hub=True)


def test_offline_is_believed_without_asking(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub_is_reachable.cache_clear()
    assert hub_is_reachable() is False
    hub_is_reachable.cache_clear()


def test_names_are_distinct_and_everything_is_said():
    assert len({published.name for published in CATALOGUE}) == len(CATALOGUE)
    for published in CATALOGUE:
        assert published.source, published.name
        assert published.licence, published.name
        assert published.scoring, published.name
        assert published.traps, published.name


def test_five_gram_accuracies_are_the_published_ones():
    """Warstadt et al. 2020: 61.2 % over 67 paradigms, 22.6 % on the two with attractors."""
    assert len(FIVE_GRAM) == 67
    assert sum(FIVE_GRAM.values()) / 67 == pytest.approx(0.6124029851, abs=1e-9)
    assert [FIVE_GRAM[name] for name in ATTRACTOR] == [0.235, 0.217]
    assert sum(value <= SOLVABLE for value in FIVE_GRAM.values()) == 35


DATA = find_data_folder()
SIZES = {
    "blimp": 34_000 - 7,
    "clams": 13_106,
    "turblimp": 8_000 - 10,
    "adjective_order": 250,
    "copa": 50,
    "piqa": 920,
    "winograd": 136,
    "winogrande": 650,
    "lambada": 2_580,
    "arc_easy": 1_190,
    "arc_challenge": 590,
    "openbookqa": 250,
    "wikidata": 10_161,
    "jeopardy": 1_060,
    "xcopa": 2_750,
    "combinations": 53,
    "concepts": 171,
}


@pytest.mark.skipif(DATA is None, reason="no folder of evaluation data")
@pytest.mark.parametrize("name", SIZES)
def test_real_sets_are_read_whole(name):
    """Less seven BLiMP pairs and ten of TurBLiMP whose sentences are equal, letter by letter."""
    published = next(published for published in CATALOGUE if published.name == name)
    found = load(published, DATA)
    if found is None:
        pytest.skip(f"the data folder lacks {name}")
    assert len(found.items) == SIZES[name]
