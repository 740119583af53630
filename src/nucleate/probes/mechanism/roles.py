"""Roles of heads: claimed only where what a head looks at and what it is good for agree.

The rule, for each role and head: it scores above chance and its mean-ablation costs the matching
behaviour, each by `Rule.errors` standard errors and more after Bonferroni's correction over all
heads, and each by a size that matters: `Rule.excess` of the way from chance to 1 in attention (or
`Rule.nats` where the score is in nats), and `Rule.nats` lost. Attention alone proves nothing
(Sabry and Belz 2025, arXiv:2509.22947), and neither does ablation. Of 7,560 pairs of a role and a
random head (90 untrained models of the tiny size, two families, initial weights of standard
deviation .02 to .3) the rule claims none, so fewer than 1 in 2,500 at 95 %;
`tests/unit/probes/mechanism/test_roles.py` asks some of them again.

Shape legend: L layers, H heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nucleate.core import Level, Reading
from nucleate.core.heads import HeadScores, HeadTable, Role, label
from nucleate.probes.mechanism.ablation import ablation_scores, shared_ablation
from nucleate.probes.mechanism.items import HeadItems
from nucleate.probes.mechanism.scores import head_scores, shared_scores
from nucleate.probes.registry import probe
from nucleate.probes.view import ModelView

ROLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "previous token": ("previous_token", ("refrain", "copying")),
    "induction": ("induction", ("copying",)),
    "refrain": ("refrain", ("refrain",)),
    "agreement": ("agreement", ("agreement",)),
    "entity link": ("entity_link", ("state",)),
    "name mover": ("name_mover", ("holder",)),
    "cause link": ("cause_link", ("cause",)),
}
"""Each role with its score, and the behaviour that must suffer when the head is ablated: the first
of those that were asked. ``refrain`` is induction in stories, ``induction`` on random tokens."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold for a role to be claimed.

    Attributes:
        alpha: One-sided level of each of the two tests, over all heads together.
        excess: Least attention beyond chance, as a share of what is possible beyond it.
        nats: Least loss by ablation, and least score of those counted in nats.
    """

    alpha: float = 0.01
    excess: float = 0.1
    nats: float = 0.02

    def holds(self, scores: HeadScores, effect: HeadScores) -> NDArray[np.bool_]:
        """Return for which heads both score and ablation carry the role, shape ``(L, H)``."""
        z = -float(ndtri(self.alpha / scores.values_LH.size))
        in_nats = scores.unit == "nats"
        least = self.nats if in_nats else self.excess * (1 - scores.chance)
        return self._clear(scores, z, least) & self._clear(effect, z, self.nats)

    @staticmethod
    def _clear(scores: HeadScores, z: float, least: float) -> NDArray[np.bool_]:
        above_LH = scores.values_LH - scores.chance
        with np.errstate(invalid="ignore"):
            result: NDArray[np.bool_] = (above_LH >= least) & (above_LH > z * scores.se_LH)
        return result


def assign_roles(
    scores: Mapping[str, HeadScores],
    effects: Mapping[str, HeadScores],
    rule: Rule | None = None,
    roles: Mapping[str, tuple[str, tuple[str, ...]]] = ROLES,
) -> list[Role]:
    """Return the roles that heads have; a head may have several, or none.

    Args:
        scores: From `scores.head_scores`.
        effects: From `ablation.ablation_scores`.
        rule: What must hold; `Rule()` when left out.
        roles: Which scores and behaviours belong together; those not measured are passed over.
    """
    rule = rule or Rule()
    found = []
    for role, (score_name, behaviour) in judged(scores, effects, roles).items():
        score, effect = scores[score_name], effects[behaviour]
        for layer, head in np.argwhere(rule.holds(score, effect)):
            values = (float(x.values_LH[layer, head]) for x in (score, effect))
            found.append(Role(label(int(layer), int(head)), role, *values))
    return found


def judged(
    scores: Mapping[str, HeadScores],
    effects: Mapping[str, HeadScores],
    roles: Mapping[str, tuple[str, tuple[str, ...]]] = ROLES,
) -> dict[str, tuple[str, str]]:
    """Return the names of score and behaviour of each role for which both were measured."""
    found = {}
    for role, (score_name, behaviours) in roles.items():
        asked = [name for name in behaviours if name in effects]
        if score_name in scores and asked:
            found[role] = (score_name, asked[0])
    return found


def roles_of(model: Any, items: HeadItems, rule: Rule | None = None) -> list[Role]:
    """Measure scores and ablation effects of a model and return its heads' roles."""
    return assign_roles(head_scores(model, items), ablation_scores(model, items), rule)


def _cost(items: HeadItems) -> int:
    return (3 + items.sweep) * items.forward_tokens + items.example_tokens


@probe(name="roles", level=Level.MECHANISM, unit="heads", cost=_cost)
def roles(view: ModelView, items: HeadItems) -> Iterable[Reading]:
    """How many heads have each role, by attention and by ablation?"""
    scores, effects = shared_scores(view, items), shared_ablation(view, items)
    found = assign_roles(scores, effects)
    asked = {
        role: (score, f"ablation.{behaviour}")
        for role, (score, behaviour) in judged(scores, effects).items()
    }
    every = {**scores, **{f"ablation.{name}": effect for name, effect in effects.items()}}
    view.keep(HeadTable(every, asked, tuple(found)))
    for role in ROLES:
        held = sum(x.role == role for x in found)
        name = f"roles.{role.replace(' ', '_')}.heads"
        yield Reading(name, held, chance=0.0, unit="heads", level=Level.MECHANISM)
