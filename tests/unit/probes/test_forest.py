import numpy as np
import pytest

from nucleate.probes.forest import grow


def visible(tree, place):
    """Places that a token of a row may see, itself included."""
    return [i for i in range(place + 1) if place < tree.end[i]]


def test_what_two_sequences_begin_with_is_laid_down_once():
    (tree,) = grow([(7, 8, 1, 2), (7, 8, 3)], most=100)
    assert tree.ids == [7, 8, 1, 2, 3]
    assert tree.depth == [0, 1, 2, 3, 2]
    assert tree.end == [5, 5, 4, 4, 5]
    assert dict(tree.places) == {0: (0, 1, 2, 3), 1: (0, 1, 4)}
    assert tree.branches


@pytest.mark.parametrize("branching", [True, False])
def test_every_token_sees_its_own_sequence_and_nothing_else(branching):
    rng = np.random.default_rng(0)
    sequences = [tuple(rng.integers(0, 3, rng.integers(1, 9)).tolist()) for _ in range(300)]
    trees = grow(sequences, most=40, branching=branching)
    seen = set()
    for tree in trees:
        assert len(tree) <= 40
        for number, places in tree.places:
            seen.add(number)
            assert tuple(tree.ids[p] for p in places) == sequences[number]
            assert [tree.depth[p] for p in places] == list(range(len(places)))
            for length, place in enumerate(places, 1):
                assert visible(tree, place) == list(places[:length])
    assert seen == set(range(300))
    assert any(tree.branches for tree in trees) is branching


def test_equal_sequences_and_beginnings_cost_nothing_with_or_without_branches():
    for branching in (True, False):
        (tree,) = grow([(1, 2, 3), (1, 2), (1, 2, 3)], most=3, branching=branching)
        assert tree.ids == [1, 2, 3]
        assert not tree.branches


def test_sequences_with_nothing_in_common_have_rows_of_their_own():
    trees = grow([(1, 2), (3, 4), (5, 6)], most=100)
    assert [tree.ids for tree in trees] == [[1, 2], [3, 4], [5, 6]]


def test_many_questions_after_one_long_context_are_one_row():
    context = tuple(range(1000))
    trees = grow([(*context, 2000 + n, 3000 + n) for n in range(50)], most=4096)
    assert [len(tree) for tree in trees] == [1100]


def test_a_full_row_is_followed_by_another_that_begins_again():
    trees = grow([(1, 2, n) for n in range(10)], most=6)
    assert [len(tree) for tree in trees] == [6, 6, 4]


def test_rows_stay_narrow_enough_for_a_mask():
    context = tuple(range(1000))
    trees = grow([(*context, 2000 + n) for n in range(3000)], most=10**6)
    assert [len(tree) for tree in trees] == [2002, 2002, 1996]


def test_a_sequence_longer_than_a_row_has_one_to_itself():
    trees = grow([(1,) * 9, (2,) * 3], most=4)
    assert sorted(len(tree) for tree in trees) == [3, 9]


def test_nothing_grows_from_nothing():
    assert grow([], most=4) == []
