"""Building: real transformers models, the same seed the same weights, random states untouched."""

import random

import numpy as np
import pytest
import torch

from nucleate.core import RecipeError
from nucleate.models import ModelSettings, build

FAMILIES = ("llama", "neox", "mixtral")


def tiny(family="llama", **more):
    return ModelSettings(family=family, size="tiny", **more)


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_same_weights(family):
    first, again, other = (build(tiny(family), 97, seed).state_dict() for seed in (7, 7, 8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_global_random_states_are_left_alone(family):
    def draw():
        return random.random(), np.random.rand(), torch.rand(3).tolist()  # noqa: NPY002

    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    build(tiny(family), 97, seed=3)
    assert draw() == expected


def test_global_state_does_not_change_the_weights():
    expected = build(tiny(), 97, seed=3).state_dict()
    torch.manual_seed(5)
    with torch.device("meta"):
        found = build(tiny(), 97, seed=3).state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_config_is_what_was_asked_for(family):
    settings = tiny(family, layers=2, context=48, init_std=0.1, rope_theta=500.0)
    model = build(settings, 97, seed=0, bos_token_id=1, eos_token_id=2, pad_token_id=3)
    config = model.config
    assert config._attn_implementation == "sdpa"
    assert (config.num_hidden_layers, config.max_position_embeddings) == (2, 48)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 3)
    assert config.vocab_size == 97
    assert model.training
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    weights = model.get_output_embeddings().weight
    assert weights.std().item() == pytest.approx(0.1, rel=0.05)
    rotary_width = 4 if family == "neox" else 16
    second = model.base_model.rotary_emb.inv_freq[1].item()
    assert second == pytest.approx(500.0 ** -(2 / rotary_width))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_dropout_training_is_deterministic(family):
    model = build(tiny(family), 97, seed=0)
    ids = torch.arange(32).reshape(2, 16)
    first, second = (model(ids, labels=ids).loss for _ in range(2))
    assert torch.equal(first, second)
    first.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_are_tied_on_request(family):
    model = build(tiny(family, tie_embeddings=True), 97, seed=0)
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"bos_token_id": 97}, "bos token lies outside the vocabulary"),
        ({"eos_token_id": -1}, "eos token lies outside the vocabulary"),
        ({"eos_token_id": 0, "pad_token_id": 0}, "padding shares its token"),
    ],
)
def test_token_ids_that_cannot_work_are_refused(ids, message):
    with pytest.raises(RecipeError, match=message):
        build(tiny(), 97, seed=0, **ids)
