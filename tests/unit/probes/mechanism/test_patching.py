"""Patching: what must come back wholly, what cannot, and what single passes say."""

import copy

import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.corpora.items import ContextPair
from nucleate.corpora.storyworld import Mixture, Split, make_items, make_world, vocabulary
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models.activations import activations
from nucleate.models.interventions import replaced_heads
from nucleate.probes.mechanism.behaviours import make_behaviour
from nucleate.probes.mechanism.patching import (
    PatchItems,
    changed_and_later,
    patch_heads,
    patch_items,
    patch_residual,
    patching,
)
from nucleate.probes.view import ModelView
from tests.unit.probes.mechanism.constructed import FAMILIES, VOCABULARY, rows, small


def pairs(model, number=6, length=14):
    """Rows that differ at place 4, and ask for what the clean ones make likely at the end."""
    clean_BT = rows(number, length)
    corrupted_BT = clean_BT.clone()
    corrupted_BT[:, 4] = (clean_BT[:, 4] + 1) % VOCABULARY
    with torch.no_grad():
        likely = copy.deepcopy(model).eval()(clean_BT).logits[:, -1]
        unlikely = copy.deepcopy(model).eval()(corrupted_BT).logits[:, -1]
    answers = (likely - unlikely).argmax(-1).tolist()
    asked = make_behaviour("any", [(b, length - 1, a, ()) for b, a in enumerate(answers)])
    return PatchItems(clean_BT, corrupted_BT, asked, 8)


@pytest.mark.parametrize("family", FAMILIES)
def test_all_comes_back_where_all_passes(family):
    model = small(family)
    items = pairs(model)
    found = patch_residual(model, items).values_LH
    assert found.shape == (4, 14)
    assert found[0, 4] == pytest.approx(1, abs=1e-4)  # the embedding of the one token that differs
    assert found[3, 13] == pytest.approx(1, abs=1e-4)  # behind all layers only the asked place
    assert (found[:, :4] == 0).all()  # nothing differs yet
    assert found[0, 5:] == pytest.approx(np.zeros(9), abs=1e-4)  # embeddings that are the same
    assert found[3, :13] == pytest.approx(np.zeros(13), abs=1e-4)
    assert np.ptp(found[1]) > 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_spans_hold_positions_together(family):
    model = small(family)
    items = pairs(model)
    spans_SBT = changed_and_later(items)
    assert spans_SBT.sum((1, 2)).tolist() == [6, 6 * 12, 6]
    found = patch_residual(model, items, spans_SBT).values_LH
    single = patch_residual(model, items).values_LH
    np.testing.assert_allclose(found[:, 0], single[:, 4], atol=1e-5)
    np.testing.assert_allclose(found[:, 2], single[:, 13], atol=1e-5)
    everything = patch_residual(model, items, torch.ones_like(spans_SBT[:1])).values_LH
    np.testing.assert_allclose(everything, 1, atol=1e-4)


@pytest.mark.parametrize("family", [*FAMILIES, "olmo2", "gemma2", "granite"])
@torch.no_grad()
def test_heads_are_patched_as_by_hand(family):
    model = small(family).eval()
    items = pairs(model)
    found = patch_heads(model, items)
    z_LBTHK = activations(model, items.clean_BT).z_LBTHK
    asked = items.asked

    def score(ids_BT):
        return asked.scores(model(ids_BT).logits[asked.row_Q, asked.place_Q])

    clean_Q, corrupted_Q = score(items.clean_BT), score(items.corrupted_BT)
    for layer, head in np.ndindex(3, 4):
        with replaced_heads(model, {(layer, head): z_LBTHK[layer, :, :, head]}):
            back = (score(items.corrupted_BT) - corrupted_Q).mean()
        expected = float(back / (clean_Q - corrupted_Q).mean())
        assert found.values_LH[layer, head] == pytest.approx(expected, abs=1e-4)
    assert (found.n, found.unit, found.chance) == (6, "share", 0)
    metrics = [reading.metric for reading in patching(ModelView(model), items)]
    assert metrics == ["patching.heads.max", "patching.heads.mean"]


def test_nothing_is_said_where_nothing_was_lost():
    model = small("llama")
    items = pairs(model)
    same = PatchItems(items.clean_BT, items.clean_BT, items.asked, 8)
    assert np.isnan(patch_heads(model, same).values_LH).all()
    assert np.isnan(patch_residual(model, same).values_LH).all()


def test_pairs_of_the_story_world_differ_before_what_is_asked():
    world = make_world(0)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    made = make_items(world, Mixture(), Split.CONTROL, stories=12)
    items = patch_items((*made.order, *made.contradiction), tokenizer, layers=3, heads=4)
    assert len(items.clean_BT) == 24
    ids = tokenizer.get_vocab()
    answers = [ids[pair.region.split()[0]] for pair in (*made.order, *made.contradiction)]
    assert items.asked.answer_Q.tolist() == answers
    changed = (items.clean_BT != items.corrupted_BT).sum(1)
    assert set(changed.tolist()) <= {2, 3, 4}  # places or names exchanged, and how they moved
    unequal = ContextPair("anna was", "anna was in", "mill .")
    with pytest.raises(DataError, match="no pair has contexts of equal length"):
        patch_items([unequal], tokenizer)
