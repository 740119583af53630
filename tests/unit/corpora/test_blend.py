"""Blended batches: exact shares, every stream in its own order, resumable at any place."""

import json

import numpy as np
import pytest

from nucleate.corpora.blend import Blend
from nucleate.corpora.packing import BatchStream


class Counting:
    """Tokens first, first + 1, …, in shards of seven."""

    def __init__(self, first: int) -> None:
        self._first = first

    def shard(self, index: int) -> np.ndarray:
        return np.arange(self._first + 7 * index, self._first + 7 * (index + 1))


def test_without_another_stream_the_batches_are_those_of_the_plain_stream():
    blend, plain = Blend(Counting(0), 3, 4), BatchStream(Counting(0), 3, 4)
    for _ in range(9):
        np.testing.assert_array_equal(blend.next(), plain.next())
    assert blend.tokens_served == plain.tokens_served == 108


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])
def test_shares_are_kept_within_one_row_at_every_moment(share):
    blend = Blend(Counting(0), 3, 4)
    blend.add("other", Counting(100_000))
    blend.weigh({"other": share})
    for batch in range(1, 41):
        assert blend.next().shape == (3, 4)
        assert abs(blend.served["other"] / 4 - share * 3 * batch) < 1
    assert blend.tokens_served == 40 * 12


def test_every_stream_is_served_in_order_and_goes_on_from_where_it_was_left():
    blend = Blend(Counting(0), 2, 3)
    blend.add("other", Counting(1000))
    blend.weigh({"other": 1.0})
    assert blend.next().ravel().tolist() == [1000, 1001, 1002, 1003, 1004, 1005]
    blend.weigh({"other": 0.5})
    assert blend.next().tolist() == [[0, 1, 2], [1006, 1007, 1008]]
    blend.weigh({"other": 0.0})
    assert blend.next().ravel().tolist() == [3, 4, 5, 6, 7, 8]
    blend.reshape(1, 4)
    assert blend.next().tolist() == [[9, 10, 11, 12]]
    assert blend.shares == {"corpus": 1.0, "other": 0.0}


def test_a_restored_blend_goes_on_token_for_token():
    def make() -> Blend:
        blend = Blend(Counting(0), 3, 4)
        blend.add("a", Counting(10_000))
        blend.add("b", Counting(20_000))
        return blend

    blend = make()
    blend.weigh({"a": 0.3, "b": 0.21})
    for _ in range(5):
        blend.next()
    state = json.loads(json.dumps(blend.state()))
    rest = [blend.next() for _ in range(12)]
    again = make()
    again.restore(state)
    for batch in rest:
        np.testing.assert_array_equal(again.next(), batch)


def test_shares_beyond_the_whole_are_refused():
    blend = Blend(Counting(0), 3, 4)
    blend.add("a", Counting(1))
    blend.add("b", Counting(1))
    blend.weigh({"a": 0.7})
    with pytest.raises(ValueError, match="more than 1"):
        blend.weigh({"b": 0.4})
