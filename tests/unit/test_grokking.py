"""The plain transformer equals one that computes everything; excluded and restricted loss."""

import math

import numpy as np
import pytest
import torch
from benchmarks.grokking import (
    Curves,
    drawn_task,
    excluded_loss,
    key_frequencies,
    losses,
    measure,
    restricted_loss,
    waves,
)
from benchmarks.plain_transformer import PlainTransformer
from torch.nn import functional

P, WIDTH, HEADS = 13, 32, 4


@pytest.fixture
def plain():
    """A model whose attention and biases are no accident of the first weights."""
    model = PlainTransformer(P, WIDTH, HEADS, seed=3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for bias in (model.mlp_in_M, model.mlp_out_D):
            bias.normal_(generator=generator)
        model.query_DD *= 5
    return model


def every_position(model, pairs_N2):
    """An ordinary forward pass: every position of every row, causal attention, last logits."""
    ids_NT = torch.cat([pairs_N2, torch.full((len(pairs_N2), 1), P)], 1)
    stream = model.embedding_VD[ids_NT] + model.position_3D
    query, key, value = (
        (stream @ weight).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for weight in (model.query_DD, model.key_DD, model.value_DD)
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    stream = stream + mixed.transpose(1, 2).flatten(2) @ model.out_DD
    hidden = functional.relu(stream @ model.mlp_in_DM + model.mlp_in_M)
    stream = stream + hidden @ model.mlp_out_MD + model.mlp_out_D
    return (stream @ model.unembedding_DV)[:, -1]


def test_logits_and_gradients_are_those_of_an_ordinary_transformer(plain):
    task = drawn_task(P, 0.3, seed=0)
    pairs, right = task.pairs_N3[:, :2], task.answers_N
    found = []
    for logits in (plain(pairs), every_position(plain, pairs)):
        plain.zero_grad()
        functional.cross_entropy(logits, right).backward()
        found.append([logits.detach(), *(weight.grad.clone() for weight in plain.parameters())])
    for ours, theirs in zip(*found, strict=True):
        assert theirs.abs().max() > 1e-4
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_first_weights_have_the_published_spread():
    model = PlainTransformer(113, 128, 4, seed=0)
    for weight, std in (
        (model.embedding_VD, 128**-0.5),
        (model.value_DD, 128**-0.5),
        (model.mlp_out_MD, 128**-0.5),
        (model.unembedding_DV, 114**-0.5),
    ):
        assert float(weight.detach().std()) == pytest.approx(std, rel=0.03)
    assert sum(weight.numel() for weight in model.parameters()) == 226_816


def understood(keys, size):
    """Logits whose only content is ``cos(2 π k (a + b - c) / P)``, shape ``(P², P)``."""
    sums = np.add.outer(np.arange(P), np.arange(P)).ravel()
    behind = sums[:, None] - np.arange(P)
    return size * sum(np.cos(2 * math.pi * k * behind / P) for k in keys)


def test_without_its_frequencies_an_understanding_model_knows_nothing():
    logits = understood((2, 5), 3.0)
    trained = drawn_task(P, 0.3, seed=0).trained_N.numpy()
    assert key_frequencies(logits, P) == [2, 5]
    assert excluded_loss(logits, [2, 5], trained, P) == pytest.approx(math.log(P))
    assert restricted_loss(logits, [2, 5], P) == pytest.approx(losses(logits, P).mean())
    assert restricted_loss(logits, [1, 3], P) == pytest.approx(math.log(P))


def test_what_is_memorised_stays_in_excluded_loss_and_leaves_restricted_loss():
    task = drawn_task(P, 0.3, seed=0)
    trained = task.trained_N.numpy()
    memory = np.zeros((P * P, P))
    memory[trained, task.answers_N.numpy()[trained]] = 20.0
    for k in (2, 5):
        memory -= waves(P, k).T @ (waves(P, k) @ memory)
    memory -= memory.mean(0)
    both = memory + understood((2, 5), 3.0)
    assert losses(both, P)[trained].mean() < 1e-4
    alone = losses(memory, P)[trained].mean()
    assert excluded_loss(both, [2, 5], trained, P) == pytest.approx(alone)
    general = losses(understood((2, 5), 3.0), P).mean()
    assert restricted_loss(both, [2, 5], P) == pytest.approx(general)


def test_untrained_model_is_measured_at_chance():
    curves, task = Curves(), drawn_task(P, 0.3, seed=0)
    assert int(task.trained_N.sum()) == 50
    model = PlainTransformer(P, WIDTH, HEADS, seed=0)
    with torch.no_grad():
        model.unembedding_DV.zero_()
    measure(curves, 7, model, task)
    assert curves.epochs == [7]
    assert curves.train_loss == [pytest.approx(math.log(P))]
    assert curves.test_loss == [pytest.approx(math.log(P))]
