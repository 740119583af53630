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


def shamed(
    rules: Sequence[Rule], decisions: Sequence[Decision], seed: int, end: int
) -> tuple[Rule, ...]:
    """Return the rules at random times: as many as fired in a run, in the order in which they did.

    A rule that waited for something measured is drawn log-uniformly between a quarter of and four
    times the tokens at which it fired, but not after its deadline and not after the run: what every
    watched run does in the end (grow to its final depth, say), a sham run does too. All others are
    due when they fired. None fires before one that it came after.

    Args:
        rules: Of the sham arm.
        decisions: What was decided in the run, in order; those of rules that are not among `rules`
            are passed over.
        seed: Of the times.
        end: Tokens at which the last step of the sham run is decided on.
    """
    rng = random.Random(f"sham-{seed}")
    named = {rule.name: rule for rule in rules}
    times: dict[str, int] = {}
    last = 0
    for decision in decisions:
        rule, at = named.get(decision.rule), decision.step.tokens
        if rule is None:
            continue
        if rule.when.metrics and at:
            latest = max(at / 4.0, min(4.0 * at, max(at, rule.by or end), end))
            at = round(math.exp(rng.uniform(math.log(at / 4.0), math.log(latest))))
        times[rule.name] = last = max(last, min(at, end))
    return tuple(_at(rule, times.get(rule.name, NEVER)) for rule in rules)


def _at(rule: Rule, tokens: int) -> Rule:
    return rule.model_copy(update={"when": Condition(tokens=tokens), "by": None})
