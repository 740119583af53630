import pytest

from nucleate.corpora.items import Choice, Cloze, ContextPair, MinimalPair
from nucleate.corpora.sets.pararel import FOILS, Fact, count_names, prompt_of, read_facts
from nucleate.corpora.sets.sample import even_order, take, texts_of

ROW = {
    "relation": "P103",
    "patterns": [
        "The native language of [X] is [Y].",
        "[Y] is the native language of [X].",
        "[X] speaks [Y] .",
    ],
    "facts": [["Ann", "French"], ["Bo", "Dutch"], ["Ann", "Dutch"], ["Frenchy French", "French"]],
}


def test_a_fact_has_its_phrasings_its_foils_and_prompts_about_nobody():
    (bo,) = read_facts([ROW])
    assert bo == Fact(
        "P103",
        "Bo",
        ("Dutch", "French"),
        ("The native language of Bo is", "Bo speaks"),
        ("The native language of it is", "It speaks"),
    )


def test_what_is_true_of_the_subject_is_no_foil():
    """Ann speaks both languages of the relation, so nothing is left to be wrong about."""
    assert [fact.subject for fact in read_facts([ROW])] == ["Bo"]


def test_an_object_that_the_subject_spells_out_is_not_asked():
    names = {fact.subject for fact in read_facts([ROW])}
    assert "Frenchy French" not in names


def test_foils_are_seeded_and_few():
    facts = [[f"s{n}", f"o{n}"] for n in range(40)]
    row = {**ROW, "facts": facts}
    once, again = read_facts([row], per_relation=5), read_facts([row], per_relation=5)
    assert once == again
    assert len(once) == 5
    assert once != read_facts([row], per_relation=5, seed=1)
    assert all(len(set(fact.objects)) == 1 + FOILS for fact in once)


@pytest.mark.parametrize(
    ("pattern", "prompt"),
    [
        ("[X] plays [Y] .", "[X] plays"),
        ("[Y] player [X] ", ""),
        ("[X] plays", ""),
        ("[Y] is near", ""),
    ],
)
def test_only_phrasings_that_end_with_the_object_can_be_asked(pattern, prompt):
    assert prompt_of(pattern) == prompt


def test_names_are_counted_as_whole_words():
    texts = ["Ann met Mary Ann.", "ann, Anna and (Ann)", "Mary Ann! Mary"]
    assert count_names(["Ann", "Mary Ann", "Bo", ""], texts) == {
        "Ann": 4,
        "Mary Ann": 2,
        "Bo": 0,
        "": 0,
    }


def test_every_beginning_of_the_order_is_even():
    names = ["a"] * 50 + ["b"] * 3 + ["c"] * 10
    order = even_order(names, 0, "x")
    assert sorted(order) == list(range(63))
    assert [names[place] for place in order[:9]] == ["a", "b", "c"] * 3
    assert sorted(names[place] for place in order[9:11]) == ["a", "c"]
    assert order == even_order(names, 0, "x")
    assert order != even_order(names, 1, "x")


def test_take_goes_on_until_enough_items_fit():
    items = list(range(300))
    chosen, unfit = take(
        items, [""] * 300, 20, seed=0, name="x", fits=lambda own: [item % 10 == 0 for item in own]
    )
    assert len(chosen) == 20
    assert all(item % 10 == 0 for item in chosen)
    assert chosen == sorted(chosen)
    assert 100 < unfit < 300
    assert take(items, [""] * 300, 400, seed=0, name="x") == (items, 0)


def test_texts_of_every_kind_of_item():
    assert texts_of(MinimalPair("a", "b")) == [("", "a"), ("", "b")]
    assert texts_of(ContextPair("a", "b", "c")) == [("a", " c"), ("b", " c")]
    assert texts_of(Cloze("a", " b")) == [("a", " b")]
    assert texts_of(Choice((("a", " b"), ("a", " c")), 0)) == [("a", " b"), ("a", " c")]
