"""Roles need evidence of both kinds, and random heads get none."""

import numpy as np
import pytest

from nucleate.corpora.storyworld import Mixture, make_world, vocabulary
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models import ModelSettings, build
from nucleate.probes.mechanism.head_scores import HeadScores
from nucleate.probes.mechanism.roles import ROLES, Role, Rule, assign_roles, roles_of
from nucleate.probes.mechanism.story_items import story_head_items


def scores(name, values, se, chance=0.0, unit="fraction"):
    values = np.array(values, dtype=float)
    return HeadScores(name, values, np.full_like(values, se), chance, 50, unit)


def test_a_role_needs_attention_and_ablation():
    looks = scores("induction", [[0.9, 0.9, 0.05, 0.15]], 0.01, chance=0.05)
    needed = scores("ablation.copying", [[1.0, 0.0, 1.0, 1.0]], 0.05, unit="nats")
    found = assign_roles({"induction": looks}, {"copying": needed})
    # L0H1 is not needed, L0H2 looks elsewhere, L0H3 looks there by more than a tenth of .95.
    assert found == [Role("L0H0", "induction", 0.9, 1.0), Role("L0H3", "induction", 0.15, 1.0)]
    strict = Rule(excess=0.5)
    assert [x.head for x in assign_roles({"induction": looks}, {"copying": needed}, strict)] == [
        "L0H0"
    ]


def test_a_role_needs_more_than_luck():
    """Bonferroni over two heads at 1 %: 2.58 standard errors; and a size that matters."""
    looks = scores("name_mover", [[1.0, 1.0]], 0.01, unit="nats")
    needed = scores("ablation.holder", [[0.26, 0.25]], 0.1, unit="nats")
    found = assign_roles({"name_mover": looks}, {"holder": needed})
    assert [x.head for x in found] == ["L0H0"]
    tiny = scores("ablation.holder", [[0.015, 0.03]], 0.001, unit="nats")
    assert [x.head for x in assign_roles({"name_mover": looks}, {"holder": tiny})] == ["L0H1"]
    unknown = scores("ablation.holder", [[np.nan, 1.0]], np.nan, unit="nats")
    assert assign_roles({"name_mover": looks}, {"holder": unknown}) == []


def test_the_first_behaviour_that_was_asked_counts():
    looks = scores("previous_token", [[0.9]], 0.01)
    needed = scores("ablation.refrain", [[1.0]], 0.1, unit="nats")
    useless = scores("ablation.copying", [[0.0]], 0.1, unit="nats")
    for effects, claimed in (
        ({"copying": needed}, 1),
        ({"copying": needed, "refrain": useless}, 0),
        ({"copying": useless, "refrain": needed}, 1),
        ({"state": needed}, 0),
    ):
        assert len(assign_roles({"previous_token": looks}, effects)) == claimed


@pytest.mark.parametrize(("family", "init_std"), [("llama", 0.02), ("neox", 0.3)])
def test_random_heads_get_no_roles(family, init_std):
    world = make_world(0)
    tokenizer = word_tokenizer(vocabulary(world.towns))
    items = story_head_items(world, Mixture(), tokenizer)
    settings = ModelSettings(family=family, size="tiny", init_std=init_std)
    assert len(ROLES) == 7
    assert roles_of(build(settings, len(tokenizer), 1), items) == []
