"""What heads write: attributions that add up to the logits, and circuits known in closed form."""

import numpy as np
import pytest
import torch

from nucleate.models import ModelSettings, build
from nucleate.models.activations import activations
from nucleate.models.heads import attention_parts, final_norm, norm_length, unembedding
from nucleate.probes.mechanism.behaviours import Directions, make_behaviour
from nucleate.probes.mechanism.copying import copying_scores, successor_scores
from nucleate.probes.mechanism.reading import read_heads
from tests.unit.probes.mechanism.constructed import FAMILIES, rows, small

ITEMS = [(0, 5, 3, (7, 9)), (1, 11, 2, (4,)), (2, 0, 8, (1, 2))]


@pytest.mark.parametrize("batch_tokens", [20, 4096])
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_heads_embedding_and_mlps_add_up_to_the_logits(family, batch_tokens):
    """Logit of the answer minus mean logit of its foils = Σ of what each part adds."""
    model, ids_BT = small(family).eval(), rows()
    asked = make_behaviour("any", ITEMS)
    direct_LHQ = read_heads(model, ids_BT, (), [asked], batch_tokens=batch_tokens).direct["any"]
    written = []
    hooks = [
        part.layer.mlp.register_forward_hook(lambda *x: written.append(x[2]))
        for part in attention_parts(model)
    ]
    found = activations(model, ids_BT)
    for hook in hooks:
        hook.remove()
    others_BTD = found.residual_LBTD[0] + sum(w.reshape_as(found.residual_LBTD[0]) for w in written)
    others_BTD += sum(
        part.out.bias
        for part in attention_parts(model)
        if getattr(part.out, "bias", None) is not None
    )
    norm, head = final_norm(model), model.get_output_embeddings().weight
    length_BT = norm_length(norm, found.residual_LBTD[-1])
    direction_QD = asked.directions(unembedding(model))
    at = (asked.row_Q, asked.place_Q)
    other_Q = (others_BTD[at] * direction_QD).sum(-1) / length_BT[at]
    bias = getattr(norm, "bias", None)
    fixed_Q = asked.directions(head.T) @ bias if bias is not None else 0
    logits = model(ids_BT).logits
    for q, (row, place, answer, foils) in enumerate(ITEMS):
        expected = logits[row, place, answer] - logits[row, place, list(foils)].mean()
        total = direct_LHQ[:, :, q].sum() + float((other_Q + fixed_Q)[q])
        assert total == pytest.approx(float(expected), abs=2e-4)


@pytest.mark.parametrize("family", [*FAMILIES, "gemma", "granite"])
@torch.no_grad()
def test_directions_side_by_side_are_those_of_each_behaviour(family):
    """Some without foils, some with fewer than others, and one that asks for nothing."""
    model = small(family)
    asked = (
        make_behaviour("some", ITEMS),
        make_behaviour("nothing", []),
        make_behaviour("alone", [(0, 1, 3, ()), (0, 2, 4, ())]),
    )
    each = [x.directions(unembedding(model)) for x in asked]
    torch.testing.assert_close(Directions(asked).of(model), torch.cat(each), atol=1e-6, rtol=1e-5)


def test_scores_of_behaviours_are_log_probabilities():
    asked = make_behaviour("any", ITEMS)
    logits = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    log = torch.log_softmax(logits, -1)
    for q, (_, _, answer, foils) in enumerate(ITEMS):
        expected = log[q, answer] - log[q, list(foils)].logsumexp(0)
        assert asked.scores(logits)[q] == pytest.approx(float(expected), abs=1e-5)
    alone = make_behaviour("alone", [(0, 1, 3, ()), (0, 2, 4, ())])
    assert torch.equal(alone.scores(logits[:2]), log[[0, 1], [3, 4]])
    half, places = asked.of_rows(1, 3)
    assert (half.row_Q.tolist(), places.tolist()) == ([0, 1], [1, 2])


def with_circuit(matrix_DD):
    """A llama with one head whose OV circuit is a matrix, and one-hot embeddings both ways."""
    size = len(matrix_DD)
    settings = ModelSettings(layers=1, heads=1, width=size, mlp_width=8, context=16)
    model = build(settings, size, 0)
    attention = model.base_model.layers[0].self_attn
    model.get_input_embeddings().weight.data = torch.eye(size)
    model.get_output_embeddings().weight.data = torch.eye(size)
    attention.v_proj.weight.data = torch.eye(size)
    attention.o_proj.weight.data = torch.as_tensor(matrix_DD, dtype=torch.float32).T
    return model


def test_copying_is_the_sign_of_the_circuits_eigenvalues():
    eye = np.eye(6)
    assert copying_scores(with_circuit(eye)).values_LH == pytest.approx(1)
    assert copying_scores(with_circuit(-eye)).values_LH == pytest.approx(-1)
    mixed = np.diag([3.0, 1, 1, -1, -1, -1])
    assert copying_scores(with_circuit(mixed)).values_LH == pytest.approx(2 / 8)
    # A cyclic shift has the sixth roots of unity: nothing is copied, everything moves on by one.
    shift = np.roll(eye, 1, axis=1)
    assert copying_scores(with_circuit(shift)).values_LH == pytest.approx(0, abs=1e-6)


def test_a_head_that_moves_on_by_one_is_a_successor_head():
    eye = np.eye(6)
    order = [0, 1, 2, 3]
    ahead = successor_scores(with_circuit(np.roll(eye, 1, axis=1)), [order, [4, 5]])
    assert (ahead.values_LH.item(), ahead.n) == (1, 4)
    assert ahead.chance == pytest.approx((3 / 4 + 1 / 2) / 4)
    assert successor_scores(with_circuit(eye), [order]).values_LH.item() == 0


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_copying_is_that_of_the_whole_circuit(family):
    """Eigenvalues of the V × V map from tokens to logits, written out."""
    from nucleate.models.heads import head_weights

    model = small(family)
    weights = head_weights(model, 2)
    embedding = model.get_input_embeddings().weight.double()
    for head in range(4):
        v, o = weights.v_HDK[head].double(), weights.o_HKD[head].double()
        values = torch.linalg.eigvals(embedding @ v @ o @ unembedding(model).double())
        expected = float(values.real.sum() / values.abs().sum())
        assert copying_scores(model).values_LH[2, head] == pytest.approx(expected, abs=1e-6)
