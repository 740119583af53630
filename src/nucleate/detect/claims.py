"""A run's phases in the shape of the article's claim C1: phase, share of training, scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.core import Curve, Level, Phase
from nucleate.detect.score import level_score, score_half_width


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score with the half-width of its 95 % interval (None when it is not known)."""

    value: float
    plus_minus: float | None


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One phase of a run.

    Attributes:
        phase: Its name (``unresolved`` where the evidence carries none).
        begin, end: Tokens.
        begin_percent, end_percent: The same as per cent of training completed.
        begin_percent_interval: 95 % interval of `begin_percent`.
        scores: Score of each level at the end of the phase, 0 to 1; None when not measured.
        why: The evidence for the name.
    """

    phase: str
    begin: float
    end: float
    begin_percent: float
    end_percent: float
    begin_percent_interval: tuple[float, float]
    scores: dict[str, Estimate | None]
    why: str


def claim_table(
    phases: list[Phase],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    total_tokens: float,
) -> list[ClaimRow]:
    """Return one row per phase; nothing that was not measured is filled in.

    Args:
        phases: Result of `phases`.
        curves: Curves by metric name.
        primary: The metric that stands for each level.
        total_tokens: Length of the run in tokens.

    Raises:
        ValueError: When `total_tokens` is not positive.
    """
    if not total_tokens > 0:
        raise ValueError(f"total_tokens must be positive, got {total_tokens}")

    def percent(tokens: float) -> float:
        return 100.0 * min(max(tokens / total_tokens, 0.0), 1.0)

    return [
        ClaimRow(
            phase=phase.name,
            begin=phase.begin,
            end=phase.end,
            begin_percent=percent(phase.begin),
            end_percent=percent(phase.end),
            begin_percent_interval=(
                percent(phase.begin_interval[0]),
                percent(phase.begin_interval[1]),
            ),
            scores={
                str(level): _at_end(curves.get(metric), phase.begin, phase.end)
                for level, metric in primary.items()
            },
            why=phase.why,
        )
        for phase in phases
    ]


def _at_end(curve: Curve | None, begin: float, end: float) -> Estimate | None:
    """Return the last score inside a phase, or None when there is no reading with a score."""
    if curve is None:
        return None
    tokens, scores, halves = curve.tokens, level_score(curve), score_half_width(curve)
    inside = np.flatnonzero((tokens >= begin) & (tokens <= end) & np.isfinite(scores))
    if not inside.size:
        return None
    last = int(inside[-1])
    half = float(halves[last])
    return Estimate(float(scores[last]), half if math.isfinite(half) else None)
