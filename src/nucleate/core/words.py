"""The vocabulary of the project as frozen types: Step, Reading, Curve, Transition, Phase.

Positions along training are counted in tokens; widths are in decades (powers of ten of tokens).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core.display import html


class Level(StrEnum):
    """What a metric is about: the five rungs of the ladder, then the levels beside it."""

    COOCCURRENCE = "cooccurrence"
    SYNTAX = "syntax"
    SEMANTICS = "semantics"
    NARRATIVE = "narrative"
    KNOWLEDGE = "knowledge"
    LONG_CONTEXT = "long_context"
    TRUTH = "truth"
    ROBUSTNESS = "robustness"
    MECHANISM = "mechanism"
    LANDSCAPE = "landscape"


LADDER = (Level.COOCCURRENCE, Level.SYNTAX, Level.SEMANTICS, Level.NARRATIVE, Level.KNOWLEDGE)
"""The levels that coherence climbs, in their customary order."""


class Verdict(StrEnum):
    """What may be said of a Curve; only `TRANSITION_CANDIDATE` may be called a transition."""

    SMOOTH = "smooth"
    BROAD_RISE = "broad rise"
    KINK = "kink"
    STEP_LIKE = "step-like"
    TRANSITION_CANDIDATE = "transition candidate"
    METRIC_ARTEFACT = "metric artefact"
    UNRESOLVED = "unresolved"


class Kind(StrEnum):
    """The shape of a Transition."""

    STEP = "step"
    KINK = "kink"
    SPIKE = "spike"
    RESTART = "restart"


class Mark(StrEnum):
    """How a number of the ledger was obtained."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Step:
    """A point in training.

    Attributes:
        step: Optimiser steps done.
        tokens: Training tokens processed.
        flops: Training FLOPs spent (modelled from the architecture).
        wall: Seconds since the run began, pauses between restarts excluded.
        lr: Learning rate at this point.
    """

    step: int
    tokens: int
    flops: float = 0.0
    wall: float = 0.0
    lr: float = 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured number.

    `metric` is written ``probe.condition.measure`` (``agreement.attractor.accuracy``); the last
    part names the measure, so that an accuracy finds its continuous companion (`companion`).

    Attributes:
        value: The measured number, in `unit`.
        se: Standard error over items, same unit (NaN when unknown).
        n: Number of items behind the value.
        chance: Value of a model that knows nothing (NaN when there is none).
        unit: ``fraction``, ``nats``, ``nats/token`` …
        items: Per-item scores in item order, kept so that resampling stays possible.
    """

    metric: str
    value: float
    se: float = math.nan
    n: int = 0
    chance: float = math.nan
    unit: str = ""
    level: Level = Level.COOCCURRENCE
    items: tuple[float, ...] = ()


def measure_of(metric: str) -> str:
    """Return the measure a metric name ends in: ``agreement.attractor.accuracy`` → ``accuracy``."""
    return metric.rsplit(".", 1)[-1]


def companion(metric: str) -> str | None:
    """Return the continuous companion of an accuracy (its margin, in nats), or None.

    >>> companion("agreement.attractor.accuracy")
    'agreement.attractor.margin'
    """
    stem, _, measure = metric.rpartition(".")
    return f"{stem}.margin" if measure == "accuracy" and stem else None


@dataclass(frozen=True, slots=True)
class Curve:
    """The Readings of one metric of one run, ordered by tokens.

    Attributes:
        steps: Where each reading was taken.
        values: Measured values, shape ``(len(steps),)``.
        se: Standard errors, same shape (NaN when unknown).
        counts: Items behind each value, same shape, or empty when unknown.
        axis: What positions count: ``tokens``, or ``step``, ``epoch`` … for tables without tokens.
        positions: Positions on an axis other than tokens, same shape (empty: the steps' tokens).
    """

    metric: str
    level: Level
    unit: str
    chance: float
    steps: tuple[Step, ...]
    values: tuple[float, ...]
    se: tuple[float, ...]
    counts: tuple[int, ...] = ()
    axis: str = "tokens"
    positions: tuple[float, ...] = ()

    @classmethod
    def from_readings(cls, pairs: Iterable[tuple[Step, Reading]]) -> Curve:
        """Build a Curve from ``(Step, Reading)`` pairs of one metric, in any order."""
        ordered = sorted(pairs, key=lambda pair: pair[0].tokens)
        if not ordered:
            raise ValueError("a Curve needs at least one Reading")
        first = ordered[0][1]
        if any(reading.metric != first.metric for _, reading in ordered):
            raise ValueError(f"Readings of several metrics in one Curve: {first.metric} and others")
        return cls(
            metric=first.metric,
            level=first.level,
            unit=first.unit,
            chance=first.chance,
            steps=tuple(step for step, _ in ordered),
            values=tuple(reading.value for _, reading in ordered),
            se=tuple(reading.se for _, reading in ordered),
            counts=tuple(reading.n for _, reading in ordered),
        )

    @property
    def tokens(self) -> NDArray[np.float64]:
        """Positions on `axis` (in tokens by default), shape ``(n,)``."""
        if self.positions:
            return np.array(self.positions, dtype=np.float64)
        return np.array([step.tokens for step in self.steps], dtype=np.float64)

    def _repr_html_(self) -> str | None:
        return html(self)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a Transition is believed.

    Attributes:
        likelihood_ratio: Log-likelihood gained over the smooth null, in nats; it may be negative
            where a smooth trend bends around a change that its shape gives away.
        delta_bic: BIC of the null minus BIC of the alternative (positive favours the change).
        p: Share of smooth curves on which anything looks as sharp (docs/how-we-decide.md).
        q: p adjusted over the family of metrics tested together (None when tested alone).
    """

    likelihood_ratio: float
    delta_bic: float
    p: float
    q: float | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change on a Curve that a smooth-trend null cannot explain.

    Attributes:
        kind: Steps and kinks are changes of the trend; spikes and restarts leave it and come back,
            their `verdict` is that of the trend beneath them and never a claim of sharpness.
        at, lo, hi: Where half of the change is done, with its 95 % interval, on the axis that was
            given (tokens by default). A spike or restart is placed where it begins.
        width: 10–90 % width, in decades; for a spike or restart, the stretch it covers.
        amplitude: Change across the transition, in the metric's unit (negative for a fall); for a
            kink the change of slope, per decade.
        onset: Where 10 % of the change is done, same axis as `at`.
        width_interval, amplitude_interval, onset_interval: 95 % intervals (NaN when unknown).
    """

    metric: str
    kind: Kind
    verdict: Verdict
    at: float
    lo: float
    hi: float
    width: float
    amplitude: float
    onset: float
    evidence: Evidence
    width_interval: tuple[float, float] = (math.nan, math.nan)
    amplitude_interval: tuple[float, float] = (math.nan, math.nan)
    onset_interval: tuple[float, float] = (math.nan, math.nan)

    def _repr_html_(self) -> str | None:
        return html(self)


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is said about one Curve.

    Attributes:
        verdict: The strongest statement that the evidence carries.
        transitions: Steps and kinks in order of location; empty for smooth curves and broad rises.
        disturbances: Spikes and restarts: the curve left its trend and came back.
        at, lo, hi: Where half of the change is done, with an interval; NaN when nothing changed.
        onset: Where the change first stands clear of its beginning; NaN when it never does.
        width: 10–90 % width of the whole change in decades; NaN when nothing changed.
        start, end: Fitted value at the beginning and at the end of the curve.
        note: One sentence for people.
    """

    metric: str
    verdict: Verdict
    transitions: tuple[Transition, ...] = ()
    at: float = math.nan
    lo: float = math.nan
    hi: float = math.nan
    onset: float = math.nan
    width: float = math.nan
    start: float = math.nan
    end: float = math.nan
    note: str = ""
    disturbances: tuple[Transition, ...] = ()


DISCARDED = "discarded work"
"""Part of a ledger: steps done twice because a process was interrupted; in no sum of a method."""

BEGUN_AGAIN = "training begun again"
"""Part of a ledger: steps before training began again with a smaller batch, their records
superseded. Weights kept what they did, so they are in every sum."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What one part of a run has cost so far.

    Attributes:
        part: ``attention``, ``mlp``, ``head``, ``optimiser``, ``probes`` …
        flops: Floating-point operations.
        seconds: Wall-clock time (NaN when it was not taken apart).
        mark: How the entry's numbers were obtained.
        kwh: Energy (NaN where the entry is not about energy).
        kg_co2e: Carbon (NaN where the entry is not about carbon).
    """

    part: str
    flops: float
    seconds: float = math.nan
    mark: Mark = Mark.MODELLED
    kwh: float = math.nan
    kg_co2e: float = math.nan

    @property
    def is_energy(self) -> bool:
        """Whether the entry is about energy or carbon, and then not about FLOPs."""
        return math.isfinite(self.kwh) or math.isfinite(self.kg_co2e)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a Step and that a reader of the run should know.

    Attributes:
        kind: ``checkpoint``, ``probe failed``, ``reading skipped``, ``resumed``, ``warning`` …
        text: One sentence.
    """

    step: Step
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Levers pulled at a Step, and what caused it.

    Attributes:
        rule: Name of the rule that fired.
        pulls: Setting by lever.
        evidence: What held, in JSON types: the condition's metric, value and statistic, or
            ``deadline``.
    """

    step: Step
    rule: str
    pulls: dict[str, bool | int | float | str]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of training between Transitions.

    Attributes:
        name: A phase name where the evidence carries it, else ``unresolved``.
        begin, end: In tokens.
        begin_interval: 95 % interval of the beginning, in tokens.
        why: The evidence for the name, in one sentence.
        scores: Mean score of each level inside the phase, 0 (chance) to 1 (ceiling).
    """

    name: str
    begin: float
    end: float
    begin_interval: tuple[float, float]
    why: str
    scores: dict[str, float] = field(default_factory=dict)
