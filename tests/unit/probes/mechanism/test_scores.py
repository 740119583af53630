"""Head scores: hand-written heads and even attention have scores in closed form."""

import numpy as np
import pytest
import torch

from nucleate.core import DataError, Level
from nucleate.models.activations import activations
from nucleate.probes.geometry import logit_lens, residual_streams
from nucleate.probes.mechanism import links as pattern
from nucleate.probes.mechanism.behaviours import make_behaviour
from nucleate.probes.mechanism.head_scores import HeadScores, clustered_se, head_means
from nucleate.probes.mechanism.items import HeadItems, plain_links, repeated_rows
from nucleate.probes.mechanism.links import make_links
from nucleate.probes.mechanism.reading import Sought, read, read_heads
from nucleate.probes.mechanism.scores import attention_scores, head_scores
from nucleate.probes.readings import standard_error
from tests.unit.probes.mechanism.constructed import (
    FAMILIES,
    VOCABULARY,
    expected_pattern,
    looks_back,
    rows,
    small,
)

NAMES = ("previous_token", "current_token", "first_token", "duplicate_token", "induction")


def scores_of(model, told, names=NAMES, over="asked"):
    links = list(plain_links(told, range(len(told)), names))
    found = attention_scores(model, torch.tensor(told), links, over=over)
    return {scores.name: scores for scores in found}


def test_a_head_that_looks_one_token_back_is_a_previous_token_head():
    told = rows(2, 30).tolist()
    found = scores_of(looks_back(), told)["previous_token"]
    exact = np.diag(expected_pattern(30), -1).mean()
    assert exact > 0.95
    assert found.values_LH[0, 0] == pytest.approx(exact, abs=1e-6)
    assert found.best == (0, 0)
    # Even attention gives 1/(q+1) to every token: the chance level itself.
    even = np.mean([1 / (q + 1) for q in range(1, 30)])
    assert found.values_LH[0, 1] == pytest.approx(even, abs=1e-6)
    assert found.chance == pytest.approx(even, abs=1e-6)
    assert found.n == 2 * 29


def test_a_head_that_looks_one_period_back_less_one_does_induction():
    """In a string of 6 repeated twice, what followed the present token stands 5 back."""
    told = repeated_rows(range(1, 30), 2, begin=0, length=6, repeats=2)
    found = scores_of(looks_back(400.0, by=5), told)
    weights = expected_pattern(13, 400.0, by=5)
    exact = np.mean([weights[q, q - 5] for q in range(7, 13)])
    assert exact > 0.9
    assert found["induction"].values_LH[0, 0] == pytest.approx(exact, abs=1e-6)
    duplicate = np.mean([weights[q, q - 6] for q in range(7, 13)])
    assert found["duplicate_token"].values_LH[0, 0] == pytest.approx(duplicate, abs=1e-6)
    assert found["induction"].n == 12
    assert scores_of(looks_back(400.0, by=6), told)["duplicate_token"].values_LH[0, 0] > 0.9


def test_attention_that_is_even_scores_chance_in_every_pattern():
    told = repeated_rows(range(1, 30), 3, begin=0, length=9, repeats=3)
    for scores in scores_of(looks_back(0.0), told).values():
        np.testing.assert_allclose(scores.values_LH, scores.chance, atol=1e-6)
    # Of 27 tokens of three copies, queries 10 to 18 have one key and 19 to 27 two.
    chance = np.mean([1 / (q + 1) for q in range(10, 19)] + [2 / (q + 1) for q in range(19, 28)])
    assert scores_of(looks_back(0.0), told)["induction"].chance == pytest.approx(chance, abs=1e-6)


def test_over_all_queries_the_score_is_the_share_of_all_attention():
    told = rows(2, 30).tolist()
    found = scores_of(looks_back(), told, ("previous_token",), over="all")["previous_token"]
    exact = np.diag(expected_pattern(30), -1).sum() / 30
    assert found.values_LH[0, 0] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("family", ["llama", "neox", "mixtral", "gpt2"])
def test_scores_are_sums_over_the_pattern_written_out(family):
    """Against dense masks and the whole patterns, in batches or at once."""
    model, told = (
        small(family),
        [*rows(3, 24).tolist(), *repeated_rows(range(9), 2, begin=9, length=8, repeats=3)],
    )
    told = [row[:24] for row in map(list, told)]
    pattern_LBHTT = activations(model, torch.tensor(told)).pattern_LBHTT.double().numpy()
    same = np.array(told)[:, :, None] == np.array(told)[:, None, :]
    duplicate = np.tril(same, -1)
    induction = np.tril(np.pad(duplicate, ((0, 0), (0, 0), (1, 0)))[:, :, :-1])
    masks = {
        "previous_token": np.tile(np.eye(24, k=-1, dtype=bool), (5, 1, 1)),
        "duplicate_token": duplicate,
        "induction": induction,
    }
    links = list(plain_links(told, range(5), masks))
    whole = read_heads(model, torch.tensor(told), links).mass
    parts = read_heads(model, torch.tensor(told), links, batch_tokens=48).mass
    for name, mask in masks.items():
        asked = mask.any(-1)
        mass = np.einsum("lbhqk,bqk->lhbq", pattern_LBHTT, mask)[:, :, asked]
        np.testing.assert_allclose(whole[name].mean(-1), mass.mean(-1), atol=1e-6)
        np.testing.assert_allclose(parts[name], whole[name], atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_of_several_blocks_and_batches_give_attention_and_streams(dtype):
    model, ids_BT = small("llama").to(dtype), rows(5, 70)
    kept_BT = torch.rand(5, 70, generator=torch.Generator().manual_seed(0)) < 0.3
    kept_BT[2] = False  # a batch of which nothing is kept
    links = list(plain_links(ids_BT.tolist(), range(5), ["previous_token"]))
    found = read(model, ids_BT, Sought(links, kept_BT=kept_BT), batch_tokens=70)
    pattern_LBHTT = activations(model, ids_BT).pattern_LBHTT
    previous_LBHQ = pattern_LBHTT.diagonal(-1, 3, 4).float().numpy()
    mass_LHBQ = np.swapaxes(previous_LBHQ, 1, 2)
    tolerance = 1e-5 if dtype is torch.float32 else 5e-2
    np.testing.assert_allclose(
        found.mass["previous_token"].reshape(mass_LHBQ.shape), mass_LHBQ, atol=tolerance
    )
    streams_LND = residual_streams(model, ids_BT, kept_BT)
    np.testing.assert_allclose(
        found.streams_LND, streams_LND, atol=tolerance * abs(streams_LND).max()
    )


@pytest.mark.parametrize("family", [*FAMILIES, "gemma2"])
def test_a_model_that_was_read_trains_on(family):
    """Passes without any record of gradients leave no tensor behind that could not have one."""
    model, ids_BT = small(family), rows(3, 24)
    links = list(plain_links(ids_BT.tolist(), range(3), ["previous_token"]))
    read_heads(model, ids_BT, links, [make_behaviour("any", [(0, 3, 5, (6,))])])
    logit_lens(model, ids_BT)
    activations(model, ids_BT)
    model.train()(ids_BT, labels=ids_BT).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not any(buffer.is_inference() for buffer in model.buffers())


class Remembering(torch.nn.Module):
    """A module that keeps what it has computed, where no copy of attributes reaches it."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.kept = inner, {}

    def forward(self, *given, **named):
        if "it" not in self.kept:
            self.kept["it"] = self.inner(*given, **named)
        return self.kept["it"]


def test_a_model_that_remembers_what_was_computed_trains_on():
    model, ids_BT = small("llama"), rows(3, 24)
    model.model.rotary_emb = Remembering(model.model.rotary_emb)
    links = list(plain_links(ids_BT.tolist(), range(3), ["previous_token"]))
    read_heads(model, ids_BT, links)
    assert model.model.rotary_emb.kept
    model.train()(ids_BT, labels=ids_BT).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_name_movers_attend_to_a_name_and_say_it():
    """Attention times attribution, holder by holder, and errors that count rows; no rivals here."""
    model, ids_BT = small("llama"), rows(3, 24)
    asked = [(0, 9, 4), (0, 20, 7), (1, 12, 3), (2, 23, 0)]
    links = (
        *plain_links(ids_BT.tolist(), range(3), ["previous_token"]),
        make_links("answer_name", [(row, place, (key,)) for row, place, key in asked]),
    )
    holder = make_behaviour("holder", [(row, place, 5, (6, 7)) for row, place, _ in asked])
    other = make_behaviour("other", [(1, 3, 5, (6,))])
    items = HeadItems(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool), links, (other, holder), 1)
    found = head_scores(model, items)
    assert [*found] == [
        "previous_token", "answer_name", "direct.other", "direct.holder", "name_mover",
    ]  # fmt: skip
    seen = read_heads(model, ids_BT, links, (other, holder))
    both_LHQ = seen.mass["answer_name"] * seen.direct["holder"]
    np.testing.assert_allclose(found["name_mover"].values_LH, both_LHQ.mean(-1), rtol=1e-12)
    off_LHQ = both_LHQ - both_LHQ.mean(-1, keepdims=True)
    off_LHB = np.stack([off_LHQ[..., :2].sum(-1), off_LHQ[..., 2], off_LHQ[..., 3]], -1)
    np.testing.assert_allclose(
        found["name_mover"].se_LH, np.sqrt((off_LHB**2).sum(-1) * 3 / 2) / 4, rtol=1e-9
    )
    assert (found["name_mover"].n, found["name_mover"].unit) == (4, "nats")
    assert np.isnan(found["direct.other"].se_LH).all()


def test_patterns_name_the_keys_that_their_definitions_name():
    told = (7, 1, 2, 1, 1, 2)
    assert dict(pattern.duplicate_token(told))[4] == (1, 3)
    assert dict(pattern.induction(told)) == {0: (), 1: (), 2: (), 3: (2,), 4: (2, 4), 5: (3,)}
    ends = frozenset({1})
    assert dict(pattern.last_boundary(told, ends)) == {
        0: (),
        1: (),
        2: (1,),
        3: (1,),
        4: (3,),
        5: (4,),
    }
    with pytest.raises(DataError, match="outside what its query sees"):
        make_links("broken", [(0, 3, (4,))])


def test_standard_errors_count_rows():
    generator = np.random.default_rng(0)
    items, rows_Q = generator.normal(size=(2, 3, 40)), np.arange(40) // 5
    scores = head_means("any", items, rows_Q, chance=0.0)
    for layer, head in np.ndindex(2, 3):
        expected = standard_error(items[layer, head], rows_Q)
        assert scores.se_LH[layer, head] == pytest.approx(expected)
    assert np.isnan(clustered_se(items, np.zeros(40))).all()


def test_scores_become_readings_of_the_best_head_and_of_all():
    values = np.array([[0.1, 0.4], [0.2, 0.3]])
    scores = HeadScores("induction", values, values / 10, 0.05, 9)
    best, mean, *each = scores.readings(each=True)
    assert (best.metric, best.value, best.se, best.n, best.chance) == (
        "heads.induction.max", 0.4, pytest.approx(0.04), 9, 0.05,
    )  # fmt: skip
    assert (mean.metric, mean.value) == ("heads.induction.mean", pytest.approx(0.25))
    assert [reading.metric[-4:] for reading in each] == ["L0H0", "L0H1", "L1H0", "L1H1"]
    assert all(r.level is Level.MECHANISM for r in (best, mean, *each))
    assert scores.labelled()["L0H1"] == 0.4
    empty = head_means("none", np.zeros((2, 2, 0)), np.zeros(0), chance=0.0)
    assert [np.isnan(reading.value) for reading in empty.readings()] == [True, True]


def test_random_strings_repeat_and_hold_each_token_once():
    first, second = repeated_rows(range(VOCABULARY), 2, begin=99, length=10, repeats=3)
    assert first[0] == 99
    assert first[1:11] == first[11:21] == first[21:31]
    assert len(set(first[1:11])) == 10
    assert first != second
    with pytest.raises(DataError, match="too few tokens"):
        repeated_rows(range(5), 1, begin=0)
