"""Notes of stories, as positions: in a story written down here, and in every made one."""

import random

import numpy as np
import pytest

from nucleate.corpora.items import Passage, Slot
from nucleate.corpora.storyworld import Mixture, Split, make_world, tell, vocabulary
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models import ModelSettings, build
from nucleate.probes.mechanism.items import sweep_passes
from nucleate.probes.mechanism.stories import ATTRACTED, deciding_words, linked
from nucleate.probes.mechanism.story_items import story_head_items
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView

WORLD = make_world(0)
TOKENIZER = word_tokenizer(vocabulary(WORLD.towns))

WORDS = tuple(
    "anna was in the mill . tom was in the barn . anna took the key . tom ate no lunch . "
    "the old dogs near the cat sleep . anna gave the key to tom . now the key is with tom . "
    "so by evening tom was hungry .".split()
)


def slot(kind, answer, foils, condition, since=None):
    """The slot of a word's last mention."""
    index = max(i for i, word in enumerate(WORDS) if word == answer)
    if kind == "holder":
        index = WORDS.index("with") + 1
    return Slot(kind, index, answer, foils, condition, -1 if since is None else index - since)


def end_of(*words):
    """Where a sentence ends, given how it begins."""
    start = next(i for i in range(len(WORDS)) if WORDS[i : i + len(words)] == words)
    return WORDS.index(".", start) + 1


AGREEMENT = slot("agreement", "sleep", ("sleeps",), "attractor")
HOLDER = slot("holder", "tom", ("anna",), "near", end_of("anna", "gave"))
CAUSE = slot("cause", "hungry", ("wet", "cold"), "", end_of("tom", "ate"))
STORY = Passage(WORDS, (AGREEMENT, HOLDER, CAUSE))


def words_at(numbers):
    return [WORDS[number] for number in numbers]


def test_the_words_that_decide_are_found():
    assert words_at(deciding_words(STORY, AGREEMENT)) == ["dogs"]
    assert deciding_words(STORY, HOLDER) == (WORDS.index("gave") + 4,)  # gave the key to tom
    assert words_at(deciding_words(STORY, CAUSE)) == ["ate", "no", "lunch"]


def test_positions_count_the_separator_before_the_first_word():
    (holder,) = linked(STORY, {"holder": ()}, most=99)
    assert (holder.answer, holder.foils) == ("tom", ("anna",))
    assert holder.place == HOLDER.index  # the position whose next token is the word
    assert WORDS[holder.place - 1] == "with"
    assert [WORDS[place - 1] for place in holder.mentions] == ["tom"] * 3
    assert [WORDS[place - 1] for place in holder.rivals] == ["anna"] * 3
    assert not list(linked(STORY, {"holder": ()}, most=HOLDER.index))
    assert not list(linked(STORY, {"agreement": ("relative",)}, most=99))


@pytest.mark.parametrize("split", [Split.TRAIN, Split.CONTROL, Split.SEALED])
def test_in_every_made_story_the_words_that_decide_do(split):
    rng, mixture = random.Random(3), Mixture(cause=4.0, agreement=4.0)
    found = dict.fromkeys(("agreement", "where", "holder", "cause", "song"), 0)
    for _ in range(60):
        story = tell(rng, WORLD, mixture, split)
        for each in story.slots:
            if each.kind not in found:
                continue
            deciding = deciding_words(story, each)
            found[each.kind] += 1
            assert deciding
            assert max(deciding) < each.index
            if each.kind in ("where", "holder", "song"):
                assert story.words[deciding[0]] == each.answer
                sentence = story.words[deciding[0] : each.index - each.distance]
                assert sentence.count(".") == 1  # it stands in the sentence that changed it
            if each.kind == "agreement" and each.condition in ATTRACTED:
                subject = story.words[deciding[0]]
                assert (each.answer[-1] != "s") == (subject[-1] == "s")  # foxes sleep, fox sleeps
    assert min(found.values()) > 20


@pytest.fixture(scope="module")
def items():
    return story_head_items(WORLD, Mixture(), TOKENIZER, rows=20, context=96)


def test_items_ask_for_what_stands_there(items):
    ids = TOKENIZER.get_vocab()
    assert items.ids_BT.shape == (20, 96)
    for asked in items.behaviours:
        told = items.ids_BT[asked.row_Q, asked.place_Q + 1]
        assert told.tolist() == asked.answer_Q.tolist(), asked.name
        assert items.real_BT[asked.row_Q, asked.place_Q + 1].all()
    held = items.link("answer_name")
    assert held.query_Q.tolist() == items.behaviour("holder").place_Q.tolist()
    keys = items.ids_BT[held.row_Q[held.item_N], held.key_N]
    assert keys.tolist() == items.behaviour("holder").answer_Q[held.item_N].tolist()
    ends = items.link("clause_boundary")
    marks = set(items.ids_BT[ends.row_Q[ends.item_N], ends.key_N].tolist())
    assert marks <= {ids[word] for word in (".", ":", "that")}
    copying = items.behaviour("copying")
    assert {int(place) for place in copying.place_Q} == set(range(26, 75))
    assert not items.real_BT[: 20 // 5, 76:].any()  # three copies of 25, and the separator


def test_the_same_settings_make_the_same_items(items):
    again = story_head_items(WORLD, Mixture(), TOKENIZER, rows=20, context=96)
    assert again.ids_BT.equal(items.ids_BT)
    assert sweep_passes(3, 4) == 8  # of 12 heads, four run 3 layers again, four 2, four 1


@pytest.mark.parametrize("name", ["heads", "ablation", "roles", "copying", "composition"])
def test_probes_are_registered_and_read_a_new_model(items, name):
    settings = ModelSettings(layers=2, heads=2, width=16, mlp_width=16, context=96)
    model = build(settings, len(TOKENIZER), 0).eval()
    probe = get_probe(name)
    readings = list(probe.measure(ModelView(model), items))
    passes = {"heads": 1, "ablation": 10, "roles": 11}.get(name, 0)
    story = len(items.example.words) if name in ("heads", "roles") else 0  # looked at once more
    assert probe.cost(items) == passes * items.forward_tokens + story
    assert {reading.level for reading in readings} == {probe.level}
    assert len({reading.metric for reading in readings}) == len(readings)
    assert all(np.isfinite(reading.value) for reading in readings)
    if name == "heads":
        by_name = {reading.metric: reading for reading in readings}
        assert (
            abs(by_name["heads.induction.max"].value - by_name["heads.induction.mean"].chance)
            < 0.01
        )
    if name == "roles":
        assert sum(reading.value for reading in readings) == 0


def test_a_suite_runs_what_probes_share_once(monkeypatch):
    from nucleate.probes.mechanism import ablation, scores
    from nucleate.probes.mechanism.suite import mechanism_suite

    runs = []
    for module, name in ((scores, "head_scores"), (ablation, "ablation_scores")):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *x, original=original: runs.append(original) or original(*x)
        )
    suite = mechanism_suite(WORLD, Mixture(), TOKENIZER, layers=2, heads=2, rows=10, context=96)
    settings = ModelSettings(layers=2, heads=2, width=16, mlp_width=16, context=96)
    view = ModelView(build(settings, len(TOKENIZER), 0).eval())
    metrics = [r.metric for probe, items in suite.parts for r in probe.measure(view, items)]
    assert len(metrics) == len(set(metrics))
    assert {metric.split(".")[0] for metric in metrics} == {
        "heads", "ablation", "roles", "copying", "composition", "patching",
    }  # fmt: skip
    assert len(runs) == 2
    rows, pairs = (suite.parts[part][1] for part in (0, 5))
    # Two layers of two heads: three passes beside the two or three that every probe needs.
    assert suite.forward_tokens == 6 * rows.forward_tokens + 5 * pairs.clean_BT.numel()


def test_the_example_asks_for_a_holder_that_another_name_was_mentioned_after(items):
    asked = items.example
    row = TOKENIZER.convert_ids_to_tokens(items.ids_BT[asked.row].tolist())
    assert row[: len(asked.words)] == list(asked.words)
    assert row[len(asked.words)] == asked.answer
    assert asked.words[-2:] == ("is", "with")
    assert asked.answer in asked.words
    model = build(ModelSettings(layers=2, heads=2, width=16, context=96), len(TOKENIZER), 0).eval()
    view = ModelView(model)
    list(get_probe("heads").measure(view, items))
    seen = view.heads.example
    assert seen.words == asked.words
    assert seen.attention_LHT.shape == (2, 2, len(asked.words))
    np.testing.assert_allclose(seen.attention_LHT.sum(-1), 1, atol=1e-5)
