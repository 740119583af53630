import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.core import DataError
from nucleate.corpora.packing import BatchStream, DocumentShards


class Counting:
    """Shards whose tokens count on: 0, 1, 2 …; the given lengths come again and again."""

    def __init__(self, lengths):
        self.lengths = lengths

    def shard(self, index):
        rounds, place = divmod(index, len(self.lengths))
        start = rounds * sum(self.lengths) + sum(self.lengths[:place])
        return np.arange(start, start + self.lengths[place])


shapes = st.tuples(
    st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 9)
)


@given(shapes, st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_every_token_is_served_once_and_in_order(shape, batches):
    lengths, rows, context = shape
    stream = BatchStream(Counting(lengths), rows, context)
    served = np.concatenate([stream.next() for _ in range(batches)])
    assert served.shape == (batches * rows, context)
    assert served.ravel().tolist() == list(range(batches * rows * context))
    assert stream.tokens_served == batches * rows * context


@given(shapes, st.integers(1, 10))
@settings(max_examples=100, deadline=None)
def test_from_every_state_the_rest_comes_again(shape, batches):
    lengths, rows, context = shape
    stream = BatchStream(Counting(lengths), rows, context)
    states, served = [], []
    for _ in range(batches):
        states.append(stream.state())
        served.append(stream.next())
    for place, state in enumerate(states):
        again = BatchStream(Counting(lengths), rows, context)
        again.restore(state)
        assert again.state() == state
        for batch in served[place:]:
            np.testing.assert_array_equal(again.next(), batch)
        assert again.state() == stream.state()


def test_a_stream_that_ran_on_can_be_set_back():
    stream = BatchStream(Counting([7, 5]), 1, 4)
    stream.next()
    state = stream.state()
    first = stream.next()
    for _ in range(5):
        stream.next()
    stream.restore(state)
    np.testing.assert_array_equal(stream.next(), first)
    assert state == {"shard": 0, "offset": 4, "tokens_served": 4}


DOCUMENTS = [np.arange(start, start + size) for start, size in ((10, 3), (20, 1), (30, 4), (40, 2))]


def documents_of(shard, eos=0):
    pieces = np.split(shard, np.flatnonzero(shard == eos) + 1)
    return [tuple(piece[:-1].tolist()) for piece in pieces if len(piece)]


def test_an_epoch_is_a_permutation_of_whole_documents():
    shards = DocumentShards(DOCUMENTS, eos=0, seed=3)
    expected = sorted(tuple(document.tolist()) for document in DOCUMENTS)
    for epoch in range(5):
        shard = shards.shard(epoch)
        assert sorted(documents_of(shard)) == expected
        assert len(shard) == shards.tokens_per_epoch == 14


def test_epochs_differ_and_follow_from_the_seed_alone():
    many = [np.array([number]) for number in range(1, 60)]
    one, same, other = (DocumentShards(many, 0, seed) for seed in (3, 3, 4))
    assert not np.array_equal(one.shard(0), one.shard(1))
    assert not np.array_equal(one.shard(0), other.shard(0))
    for epoch in (5, 0, 5):
        np.testing.assert_array_equal(one.shard(epoch), same.shard(epoch))


def test_no_document_is_a_mistake():
    with pytest.raises(DataError, match="no document"):
        DocumentShards([], eos=0, seed=0)
