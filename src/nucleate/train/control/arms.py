"""The same rules at other times: fixed, another run's, or at random."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from nucleate.core import Decision, RecipeError
from nucleate.train.control.rules import Condition, Rule

NEVER = 10**15
"""Tokens that no run reaches: a rule that fired in no run of the lender's stays silent."""


def fixed(rules: Sequence[Rule], times: Mapping[str, int]) -> tuple[Rule, ...]:
    """Return the rules, each at the tokens given for it; those without a time as they are.

    Raises:
        RecipeError: A rule that waits for something measured is given no time.
    """
    for rule in rules:
        if rule.name not in times and rule.when.metrics:
            raise RecipeError(
                "fixed timing lacks a rule", where=f"at.{rule.name}", expected="tokens"
            )
    return tuple(_at(rule, times[rule.name]) if rule.name in times else rule for rule in rules)


def yoked(rules: Sequence[Rule], decisions: Sequence[Decision]) -> tuple[Rule, ...]:
    """Return the rules at the tokens at which they fired in another run; the others never fire."""
    times = {decision.rule: decision.step.tokens for decision in decisions}
    return tuple(_at(rule, times.get(rule.name, NEVER)) for rule in rules)


def shamed(rules: Sequence[Rule], decisions: Sequence[Decision], seed: int) -> tuple[Rule, ...]:
    """Return the rules at random times, as many as fired in a run.

    A rule that waited for something measured fires log-uniformly between a quarter of and four
    times the tokens at which it did, but not after its deadline: what every watched run does in
    the end (grow to its final depth, say), a sham run does too. All others fire when they did.
    """
    rng = random.Random(f"sham-{seed}")
    times = {decision.rule: decision.step.tokens for decision in decisions}
    found = []
    for rule in rules:
        at = times.get(rule.name, NEVER)
        if rule.when.metrics and 0 < at < NEVER:
            latest = min(4 * at, max(at, rule.by or 4 * at))
            at = round(math.exp(rng.uniform(math.log(at / 4.0), math.log(latest))))
        found.append(_at(rule, at))
    return tuple(found)


def _at(rule: Rule, tokens: int) -> Rule:
    return rule.model_copy(update={"when": Condition(tokens=tokens), "by": None})
