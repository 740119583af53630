"""Rules of a policy: when what has been seen, which levers are pulled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from nucleate.core.settings import Settings
from nucleate.train.levers.base import Setting

LOSS = "train.loss"
"""Metric name under which conditions may name the training loss."""

Direction = Literal["up", "down"] | None


class Threshold(Settings):
    """A metric stands beyond a value, by `se` standard errors of its own."""

    metric: str
    value: float
    se: float = Field(default=0.0, ge=0)


class Rise(Settings):
    """A metric has left the plateau on which its earlier readings stood; once true, it stays so.

    Of `train.loss`, whose readings are dense, `nucleate.detect.OnlineDetector` says so; `sigmas`,
    `least` and `from_chance` are for probes.

    Attributes:
        direction: Where it leaves to; by default down for `train.loss`, else up.
        sigmas: By how many standard errors the last two readings must differ from those before.
        least: And by at least this share of the way from chance to 1 (of the value itself where
            the metric has no such range).
        from_chance: It must leave the value of a model that knows nothing; then no readings
            before the change are needed.
    """

    metric: str
    direction: Direction = None
    sigmas: float = Field(default=4.0, gt=0)
    least: float = Field(default=0.1, ge=0)
    from_chance: bool = False

    @property
    def sign(self) -> int:
        """1 for up, -1 for down."""
        return _sign(self.direction, self.metric)

    @model_validator(mode="after")
    def _has_effect(self) -> Rise:
        plain = Rise.model_construct(metric=self.metric, direction=self.direction)
        if self.metric == LOSS and self != plain:
            raise ValueError(f"sigmas, least and from_chance have no effect on {LOSS}")
        return self


class Standstill(Settings):
    """A metric makes no progress for some decades of tokens.

    Attributes:
        decades: For how long, in decades of tokens.
        tolerance: Slower than this per decade, in the metric's unit, counts as none.
        direction: Where progress leads; by default down for `train.loss`, else up.
    """

    metric: str
    decades: float = Field(default=0.2, gt=0)
    tolerance: float = Field(default=0.5, gt=0)
    direction: Direction = None

    @property
    def sign(self) -> int:
        """1 for up, -1 for down."""
        return _sign(self.direction, self.metric)


class Saturation(Settings):
    """The last two readings of a metric both stand this far up from chance to 1.

    That says where they stand, not that they stand still: ``all: [saturated, plateau]`` asks
    whether progress has ended there.
    """

    metric: str
    share: float = Field(default=0.95, gt=0, le=1)

    @model_validator(mode="after")
    def _has_ceiling(self) -> Saturation:
        if self.metric == LOSS:
            raise ValueError(f"{LOSS} has no ceiling to be saturated at")
        return self


def _sign(direction: Direction, metric: str) -> int:
    down = direction == "down" or (direction is None and metric == LOSS)
    return -1 if down else 1


class After(Settings):
    """Another rule has fired, and so many tokens have passed since."""

    rule: str
    tokens: int = Field(default=0, ge=0)


class Condition(Settings):
    """One condition; exactly one key is given.

    `above` and `below` of `train.loss` judge the mean of the last 20 steps.

    Attributes:
        tokens: So many tokens have been trained on; 0 is before the first step.
        all, any: Of several conditions.
        none: Not one of several conditions; so it holds before anything has been read.
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
    none: tuple[Condition, ...] = ()

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
        """Walk through this condition and all inside it, the outer before the inner."""
        yield self
        for part in (*self.all, *self.any, *self.none):
            yield from part.parts()

    @property
    def about(self) -> Threshold | Rise | Standstill | Saturation | None:
        """What it says of a metric, itself and not by its parts."""
        return self.transition or self.plateau or self.above or self.below or self.saturated

    @property
    def metrics(self) -> set[str]:
        """Metrics that it waits for."""
        return {part.about.metric for part in self.parts() if part.about is not None}


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

    def keyed(self) -> Iterator[tuple[str, Condition]]:
        """Walk through the parts of its condition, each with a name of its own."""
        for number, part in enumerate(self.when.parts()):
            yield f"{self.name}/{number}", part


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
