import numpy as np
import pytest
import torch

from nucleate.probes import scorer
from nucleate.probes.scorer import Query, answer, make_plan, sequence_query
from nucleate.probes.view import ModelView
from tests.unit.probes.models import FAMILIES, VOCABULARY, sequences, tiny

LENGTHS = (2, 31, 5, 17, 60, 3, 30, 17)


@torch.no_grad()
def log_probs_alone(model, ids):
    """What transformers says of one sequence on its own, shape ``(T, V)``."""
    return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1).numpy()


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    return tiny(request.param)


def test_sums_equal_those_of_transformers(model):
    texts = sequences(LENGTHS)
    plan = make_plan([sequence_query(ids, 1) for ids in texts])
    answers = answer(model, plan)
    for number, ids in enumerate(texts):
        own = answers[plan.offsets[number] : plan.offsets[number + 1]]
        alone = log_probs_alone(model, ids)
        expected = [alone[t - 1, ids[t]] for t in range(1, len(ids))]
        np.testing.assert_allclose(own, expected, atol=1e-4)
        with torch.no_grad():
            loss = model(torch.tensor([ids]), labels=torch.tensor([ids])).loss.item()
        assert -own.sum() == pytest.approx(loss * (len(ids) - 1), abs=1e-4 * len(ids))
    assert answers.std() > 0.5  # the model is not uniform, or all of this would be easy


def test_candidates_at_positions_come_in_the_order_of_asking(model):
    texts = sequences((12, 40))
    asks = (((9, (5, 3, 5, 90)), (4, (0,)), (9, (7,))), ((40, (1, 2)), (1, (96,))))
    plan = make_plan([Query(ids, ask) for ids, ask in zip(texts, asks, strict=True)])
    expected = [
        log_probs_alone(model, ids)[position - 1, token]
        for ids, ask in zip(texts, asks, strict=True)
        for position, tokens in ask
        for token in tokens
    ]
    np.testing.assert_allclose(answer(model, plan), expected, atol=1e-4)


def test_later_tokens_and_neighbours_in_the_batch_change_nothing(model):
    texts = sequences(LENGTHS)
    whole = answer(model, make_plan([sequence_query(ids, 1) for ids in texts]))
    alone = [answer(model, make_plan([sequence_query(ids, 1)])) for ids in texts]
    np.testing.assert_allclose(whole, np.concatenate(alone), atol=1e-4)
    one_by_one = make_plan([sequence_query(ids, 1) for ids in texts], batch_tokens=1)
    assert len(one_by_one.batches) == len(texts)
    assert one_by_one.forward_tokens == sum(LENGTHS) - len(LENGTHS)
    np.testing.assert_allclose(answer(model, one_by_one), whole, atol=1e-4)
    longer = make_plan([Query((*ids, 1, 2, 3), sequence_query(ids, 1).asks) for ids in texts])
    np.testing.assert_allclose(answer(model, longer), whole, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_the_head_in_small_pieces_gives_the_same(model, monkeypatch, rows):
    plan = make_plan([sequence_query(ids, 1) for ids in sequences(LENGTHS)])
    whole = answer(model, plan)
    monkeypatch.setattr(scorer, "HEAD_CHUNK", {"cpu": rows * VOCABULARY})
    monkeypatch.setattr(scorer, "_HEAD_ROWS", 1)
    np.testing.assert_allclose(answer(model, plan), whole, atol=1e-5)


def test_log_probabilities_written_over_the_last_are_those_of_torch_to_the_bit():
    room = scorer._Room()
    places = []
    for rows, vocabulary in ((5, 97), (5, 97), (3, 97), (7, 97), (7, 131)):
        logits_AV = torch.randn(rows, vocabulary)
        found = room.log_softmax(logits_AV)
        assert torch.equal(found, torch.log_softmax(logits_AV, -1))
        places.append(found.data_ptr())
    assert places[0] == places[1] == places[2]


def test_the_way_for_unknown_architectures_gives_the_same(model, monkeypatch):
    plan = make_plan([sequence_query(ids, 3) for ids in sequences(LENGTHS[1:5])])
    whole = answer(model, plan)
    monkeypatch.setattr(scorer, "_KNOWN", ())
    np.testing.assert_allclose(answer(model, plan), whole, atol=1e-5)


def test_only_asked_positions_reach_the_head(model):
    rows = []
    head = model.get_output_embeddings()
    hook = head.register_forward_hook(lambda *call: rows.append(call[2].shape[:-1].numel()))
    answer(model, make_plan([Query(ids, ((5, (1, 2)),)) for ids in sequences((30, 40))]))
    hook.remove()
    assert sum(rows) == 2


def test_what_stands_behind_the_last_asked_position_is_not_run():
    plan = make_plan([Query(ids, ((5, (1, 2)),)) for ids in ([4] * 30, [5] * 40)])
    assert plan.forward_tokens == 10


def test_batches_keep_to_their_size():
    plan = make_plan([sequence_query(ids, 1) for ids in sequences(range(2, 60))], batch_tokens=200)
    assert all(batch.ids_BT.numel() <= 200 for batch in plan.batches)
    assert plan.forward_tokens == sum(batch.ids_BT.numel() for batch in plan.batches)


def test_a_view_runs_a_plan_once_and_gives_whole_distributions(model):
    view, calls = ModelView(model), []
    hook = model.base_model.register_forward_hook(lambda *_: calls.append(1))
    plan = make_plan([sequence_query(ids, 1) for ids in sequences((9, 9))])
    first = view.answers(plan)
    assert view.answers(plan) is first
    assert len(calls) == 1
    rows = np.array(sequences((9, 9)))
    table = view.log_probs(rows)
    hook.remove()
    assert table.shape == (2, 9, VOCABULARY)
    picked = np.take_along_axis(table[:, :-1], rows[:, 1:, None], -1).ravel()
    np.testing.assert_allclose(picked, first, atol=1e-4)


def test_lower_precision_on_request_moves_little(model):
    plan = make_plan([sequence_query(ids, 1) for ids in sequences(LENGTHS)])
    exact = ModelView(model).answers(plan)
    rough = ModelView(model, dtype=torch.bfloat16).answers(plan)
    assert 1e-4 < np.abs(rough - exact).mean() < 0.2


def test_what_does_not_fit_into_memory_is_asked_in_smaller_batches(model, monkeypatch):
    plan = make_plan([sequence_query(ids, 1) for ids in sequences([40] * 30)])
    whole, run, sizes = answer(model, plan), scorer._answer_batch, []

    def small_device(model, batch, *rest):
        sizes.append(batch.ids_BT.numel())
        if sizes[-1] > 300:
            raise torch.OutOfMemoryError
        run(model, batch, *rest)

    monkeypatch.setattr(scorer, "_answer_batch", small_device)
    np.testing.assert_allclose(answer(model, plan), whole, atol=1e-4)
    assert max(sizes) > 300 > sizes[-1]
    monkeypatch.setattr(scorer, "_answer_batch", lambda *_: small_device(model, plan.batches[0]))
    with pytest.raises(torch.OutOfMemoryError):
        answer(model, plan)


def test_of_tied_tokens_the_first_is_the_greedy_one():
    model = tiny()
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    view, plan = ModelView(model), make_plan([Query((5, 6), ((1, (0, 1, 2)),))])
    assert view.greedy(plan).tolist() == [True, False, False]
    np.testing.assert_allclose(view.answers(plan), -np.log(VOCABULARY), rtol=1e-6)


def test_a_diverged_model_has_no_answers_and_no_favourites():
    model = tiny()
    torch.nn.init.constant_(model.get_output_embeddings().weight, float("nan"))
    view, plan = ModelView(model), make_plan([Query((5, 6), ((1, (0, 1)),))])
    assert np.isnan(view.answers(plan)).all()
    assert not view.greedy(plan).any()
