"""Stories ask what they claim to ask: a reader who understands is right, n-grams are not.

The oracle reads the templates' English with rules of its own. It sees what a model sees: the tokens
before the asked ones.
"""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from nucleate.corpora.blimp import find_data_folder
from nucleate.corpora.narrative.boxes import box_items
from nucleate.corpora.narrative.corruptions import CONTEXT_KINDS, make_corruptions
from nucleate.corpora.narrative.needles import LEVELS, needle_items
from nucleate.corpora.narrative.templates import template_pairs
from nucleate.corpora.ngrams import NgramModel
from nucleate.corpora.sets.rows import read_rows
from nucleate.corpora.tokenizer import bpe_tokenizer, encode
from nucleate.probes.baseline import NgramView
from nucleate.probes.behaviour.boxes import BoxItems
from nucleate.probes.behaviour.needles import NeedleItems
from nucleate.probes.behaviour.pairs import PairItems
from nucleate.probes.registry import get_probe

EACH = 150
KINDS = tuple(f"told_{kind}" for kind in CONTEXT_KINDS)
PAIRS = template_pairs(EACH)
BOXES = box_items(300)
FILLER = tuple(f"The {n} wind blew over the hills of the north." for n in range(90))
NEEDLES = needle_items(FILLER, lengths=(60, 200), each=100, tokens=lambda text: len(text.split()))


@pytest.fixture(scope="module")
def tokenizer():
    texts = [f"{pair.coherent} {pair.region}" for pair in PAIRS]
    texts += [item.context for item in BOXES] + [n.choice.candidates[0][0] for n in NEEDLES]
    return bpe_tokenizer(texts, vocab_size=600)


@pytest.fixture(scope="module")
def trigram(tokenizer):
    """Counts the coherent templates themselves, in other draws than those that are asked."""
    told = [
        f"{p.coherent} {p.region}" for seed in (1, 2, 3) for p in template_pairs(EACH, seed=seed)
    ]
    told += [f"{i.context} {i.options[0]}." for i in box_items(300, seed=1)]
    tokens = [t for ids in encode(tokenizer, told) for t in (tokenizer.bos_token_id, *ids)]
    return NgramView(NgramModel(np.array(tokens), len(tokenizer)))


class Oracle:
    """Log-probability 0 for a continuation that the text before it demands, -10 for any other."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer

    def answers(self, plan):
        out = np.zeros(int(plan.offsets[-1]))
        for query, offset in zip(plan.queries, plan.offsets[:-1].tolist(), strict=True):
            start = query.asks[0][0]
            seen = list(query.ids[:start])
            before = self._tokenizer.decode(seen, skip_special_tokens=True).strip()
            told = self._tokenizer.decode(list(query.ids[start:])).strip(" .").split()[0]
            out[offset] = 0.0 if told in demanded(before) else -10.0
        return out

    def greedy(self, plan):
        return self.answers(plan) == 0.0


EFFECTS = {
    "fell into the water": "wet",
    "had no food": "hungry",
    "lost the new toy": "sad",
    "got a big gift": "happy",
    "saw a big bear": "scared",
    "played in the mud": "dirty",
    "did not rest": "tired",
    "sat in the snow": "cold",
}


def demanded(text):
    """What must come next, by rules that know what words mean; an empty set where nothing must."""
    last = text.split(". ")[-1]
    if found := re.search(r"(\w+) liked to play with the$", last):
        return set(re.findall(rf"{found[1]} had a (\w+)", text))
    if last.endswith("in the") and "can find the" in last:
        later = re.search(r"(?:Then \w+ put it|Now the \w+ is) in the (\w+)", text)
        return {later[1]}
    if re.search(r"So \w+ was very$", last):
        return {effect for event, effect in EFFECTS.items() if event in text}
    if last == "One day,":
        return {"she"} if "girl" in text else {"he"}
    if found := re.search(r"Box (\d+) now contains the$", last):
        return {held_by(text)[found[1]][0]}
    if found := re.search(r"food that (\w+) chose was the$", last):
        return {choice_of(found[1], text)}
    if found := re.search(r"the ([a-z]+(?: man)?) was$", last):  # a state that was told before
        return set(re.findall(rf"The {found[1]} was (\w+)\.", text))
    return set()


def held_by(text):
    held = {}
    for sentence in text.split(". "):
        boxes, thing = re.findall(r"Box (\d+)", sentence), re.findall(r"the (\w+)", sentence)
        if re.match(r"Box \d+ contains ", sentence):
            held[boxes[0]] = thing
        elif sentence.startswith(("Move", "Remove", "Put")):
            if not sentence.startswith("Put"):
                held[boxes[0]].remove(thing[0])
            if not sentence.startswith("Remove"):
                held[boxes[-1]].append(thing[0])
    return held


def choice_of(person, text):
    said = re.findall(rf"food that {person} chose was the (?:same as that of )?(\w+)\.", text)
    return choice_of(said[-1], text) if said[-1].istitle() else said[-1]


def measure(name, view, items):
    return {reading.metric: reading for reading in get_probe(name).measure(view, items)}


def near(reading, value):
    """Within 3 standard errors; a guess's own error counts where the items' is smaller."""
    guessing = (reading.chance * (1 - reading.chance) / reading.n) ** 0.5
    return abs(reading.value - value) <= 3 * max(reading.se, guessing)


class TestTemplates:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_oracle_is_always_right_and_n_grams_are_at_chance(self, tokenizer, trigram, kind):
        pairs = [pair for pair in PAIRS if pair.condition == kind]
        items = PairItems(pairs, tokenizer)
        assert len(pairs) >= 80
        metric = f"coherence.{kind}.accuracy"
        assert measure("coherence", Oracle(tokenizer), items)[metric].value == 1
        assert near(measure("coherence", trigram, items)[metric], 0.5)

    def test_the_oracle_knows_every_box_and_n_grams_know_none(self, tokenizer, trigram):
        items = BoxItems(BOXES, tokenizer)
        assert measure("boxes", Oracle(tokenizer), items)["boxes.all.accuracy"].value == 1
        found = measure("boxes", trigram, items)["boxes.all.accuracy"]
        assert near(found, found.chance)

    @pytest.mark.parametrize("level", LEVELS)
    def test_the_oracle_finds_every_needle(self, tokenizer, trigram, level):
        items = NeedleItems(NEEDLES, tokenizer)
        found = measure("needle", Oracle(tokenizer), items)
        assert found[f"needle.{level}.accuracy"].value == 1
        assert found[f"needle.{level}.effective_length"].value == 200
        lost = measure("needle", trigram, items)
        assert near(lost[f"needle.{level}.accuracy"], 0.25)


@pytest.fixture(scope="module")
def judge():
    data = find_data_folder()
    if data is None or not (data / "tiny_models" / "stories260K.bin").is_file():
        pytest.skip("no data folder with tiny models")
    from nucleate.models.series import SeriesModel, find_series, load_tokenizer, open_weights
    from nucleate.probes.view import ModelView

    series = find_series(str(data / "tiny_models" / "stories260K.bin"))
    weights = open_weights(series.members[0])
    rows = read_rows(data / "corpora" / "tinystories.jsonl.gz")
    texts = [" ".join(row["text"].split()) for row in rows if row["cased"]]
    return ModelView(SeriesModel(weights).load(weights)), load_tokenizer(series), texts


def asked(judge, documents, each=60):
    _, tokenizer, _ = judge
    made = make_corruptions(
        documents, each=each, longest=256, length=lambda text: len(encode(tokenizer, [text])[0])
    )
    return PairItems((*made.contexts, *made.orders), tokenizer)


@pytest.mark.slow
class TestRealStories:
    def test_n_grams_of_the_corpus_are_at_chance_where_the_region_is_the_same(self, judge):
        _, tokenizer, texts = judge
        tokens = [t for ids in encode(tokenizer, texts[:1500]) for t in (1, *ids)]
        view = NgramView(NgramModel(np.array(tokens), len(tokenizer)))
        found = measure("coherence", view, asked(judge, texts[1500:1800]))
        for kind in CONTEXT_KINDS:
            assert near(found[f"coherence.{kind}.accuracy"], 0.5), kind

    def test_a_trained_model_orders_stories_and_not_sentences_drawn_by_lot(self, judge):
        """Sentences of all stories mixed: every text has its words and none a thread."""
        view, _, texts = judge
        stories = texts[2100:2350]
        sentences = [s for text in stories for s in re.split(r"(?<=[.!?]) (?=[A-Z])", text)]
        random.Random(0).shuffle(sentences)
        mixed = [" ".join(sentences[n : n + 14]) for n in range(0, len(sentences) - 14, 14)]
        real = measure("coherence", view, asked(judge, stories))
        none = measure("coherence", view, asked(judge, mixed))
        for size in (1, 2, 4):
            metric = f"coherence.order{size}.accuracy"
            assert real[metric].value > 0.5 + 3 * real[metric].se
            assert near(none[metric], 0.5), metric
