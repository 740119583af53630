"""Rules of a policy: when what has been seen, which levers are pulled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from nucleate.core.settings import Settings

LOSS = "train.loss"
"""Metric name under which conditions may name the training loss."""

Setting = bool | int | float | str


class Threshold(Settings):
    """A metric stands beyond a value, by `se` standard errors of its own."""

    metric: str
    value: float
    se: float = Field(default=0.0, ge=0)


class Rise(Settings):
    """A metric has left the plateau on which its earlier readings stood.

    Attributes:
        direction: Where it leaves to.
        sigmas: By how many standard errors the last two readings must differ from those before.
        least: And by at least this share of the way from chance to 1 (of the value itself where
            there is no chance).
    """

    metric: str
    direction: Literal["up", "down"] = "up"
    sigmas: float = Field(default=4.0, gt=0)
    least: float = Field(default=0.1, ge=0)


class Standstill(Settings):
    """A metric makes no progress for some decades of tokens.

    Attributes:
        decades: For how long, in decades of tokens.
        tolerance: Slower than this per decade, in the metric's unit, counts as none.
        direction: Where progress leads.
    """

    metric: str
    decades: float = Field(default=0.2, gt=0)
    tolerance: float = Field(default=0.1, gt=0)
    direction: Literal["up", "down"] = "up"


class Saturation(Settings):
    """The last two readings of a metric stand this far up from chance to 1."""

    metric: str
    share: float = Field(default=0.95, gt=0, le=1)


class After(Settings):
    """Another rule has fired, and so many tokens have passed since."""

    rule: str
    tokens: int = Field(default=0, ge=0)


class Condition(Settings):
    """One condition; exactly one key is given.

    Attributes:
        tokens: So many tokens have been trained on; 0 is before the first step.
        all, any: Of several conditions.
    """

    tokens: int | None = Field(default=None, ge=0)
    transition: Rise | None = None
    plateau: Standstill | None = None
    above: Threshold | None = None
    below: Threshold | None = None
    saturated: Saturation | None = None
    after: After | None = None
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if len(given := sorted(self.given)) != 1:
            words = ", ".join(given) or "none"
            raise ValueError(f"a condition has exactly one key, of {', '.join(KEYS)}; got {words}")
        return self

    @property
    def given(self) -> list[str]:
        """Keys that are given."""
        return [name for name in KEYS if getattr(self, name) not in (None, ())]

    def parts(self) -> Iterator[Condition]:
        """Walk through this condition and all inside it."""
        yield self
        for part in (*self.all, *self.any):
            yield from part.parts()

    @property
    def metrics(self) -> set[str]:
        """Metrics that it waits for."""
        named = (
            part.transition or part.plateau or part.above or part.below or part.saturated
            for part in self.parts()
        )
        return {each.metric for each in named if each is not None}


KEYS = tuple(Condition.model_fields)


class Rule(Settings):
    """When something holds, pull levers; at most once.

    Attributes:
        name: For the record, and for other rules.
        when: What must hold.
        by: Tokens at which it fires in any case; never for that reason alone when left out.
        pull: Settings by lever, pulled in this order.
    """

    name: str = Field(min_length=1, max_length=60)
    when: Condition
    by: int | None = Field(default=None, ge=0)
    pull: dict[str, Setting] = Field(min_length=1)


def problems(rules: tuple[Rule, ...]) -> Iterator[str]:
    """Say what is wrong between the rules of one policy."""
    before: list[str] = []
    for rule in rules:
        if rule.name in before:
            yield f"two rules are called {rule.name!r}"
        for part in rule.when.parts():
            if part.after is not None and part.after.rule not in before:
                earlier = ", ".join(before) or "none"
                yield f"rule {rule.name!r} comes after {part.after.rule!r}: earlier are {earlier}"
        before.append(rule.name)
