import numpy as np

from nucleate.probes.plan import Query, make_plan, sequence_query
from tests.unit.probes.models import sequences


def test_padding_is_small_where_there_is_much_to_ask():
    rng = np.random.default_rng(0)
    texts = sequences(rng.integers(5, 60, 2000))
    plan = make_plan([sequence_query(ids, 1) for ids in texts])
    for branching in (True, False):
        batches = plan.packed(branching=branching)
        fed = sum(batch.ids_BT.numel() for batch in batches)
        padding = sum(
            batch.ids_BT.numel() - int((batch.ids_BT != 0).sum()) for batch in batches
        ) - sum(ids[:-1].count(0) for ids in texts)
        assert padding / fed < 0.03
        assert max(batch.ids_BT.numel() for batch in batches) <= 4096


def test_the_largest_batch_comes_first():
    texts = sequences(np.random.default_rng(0).integers(5, 200, 400))
    for branching in (True, False):
        batches = make_plan([sequence_query(ids, 1) for ids in texts]).packed(branching=branching)
        sizes = [batch.ids_BT.numel() for batch in batches]
        assert len(sizes) > 2
        assert sizes == sorted(sizes, reverse=True)


def test_a_place_asked_twice_reaches_the_head_once():
    queries = [Query((5, 6, n), ((2, (1, 2)), (3, (n,)))) for n in range(4)]
    (batch,) = make_plan(queries).batches
    assert len(batch.asked_A) == 5  # one behind the two that all begin with, four behind the ends
    assert len(batch.row_K) == len(batch.token_K) == 12
    assert sorted(batch.target_K.tolist()) == list(range(12))


def test_questions_come_with_what_stands_before_them():
    plan = make_plan([Query((5, 6, 7), ((3, (1, 2)), (1, (9,)))), Query((8, 9), ((1, (0,)),))])
    assert list(plan.questions()) == [(0, (5, 6, 7), (1, 2)), (2, (5,), (9,)), (3, (8,), (0,))]
    assert plan.longest == 3


def test_batches_are_made_once_for_each_size():
    plan = make_plan([sequence_query(ids, 1) for ids in sequences((9, 9))])
    assert plan.packed() is plan.batches
    assert plan.packed(7) is plan.packed(7)
    fixed = make_plan([sequence_query(ids, 1) for ids in sequences((9, 9))], batch_tokens=7)
    assert fixed.packed(100) is fixed.batches


def test_no_questions_no_batches():
    plan = make_plan([])
    assert plan.batches == ()
    assert plan.forward_tokens == plan.longest == 0
