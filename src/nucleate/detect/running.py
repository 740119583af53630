"""A provisional name for the present, cheap enough for every reading of a training run.

It looks at levels of scores, not at evidence for sharpness: nothing here may be reported as a
transition. `phases` gives the considered answer when the run is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.core import Curve, Level
from nucleate.detect.phases import MEMORIZATION, REFINEMENT, SEMANTICS, SYNTAX, UNRESOLVED
from nucleate.detect.score import level_score, score_error

RISEN = 0.10
"""Score gained over the first reading that counts as having begun to rise."""

STILL = 0.02
"""Score gained per doubling of tokens below which a level has stopped rising."""


@dataclass(frozen=True, slots=True)
class RunningPhase:
    """A provisional label.

    Attributes:
        name: A phase name, or ``unresolved``.
        provisional: Always True; a reminder for whoever prints it.
        why: One sentence.
    """

    name: str
    why: str
    provisional: bool = True


def running_phase(curves: Mapping[str, Curve], primary: Mapping[Level, str]) -> RunningPhase:
    """Name the current phase from the curves so far (no simulation; well under 5 ms).

    Args:
        curves: Curves so far, by metric name.
        primary: The metric that stands for each level.
    """
    state = {level: _state(curves[metric]) for level, metric in primary.items() if metric in curves}
    risen = {level for level, (has_risen, _) in state.items() if has_risen}
    still = {level for level, (_, is_still) in state.items() if is_still}
    meaning = risen & {Level.SEMANTICS, Level.NARRATIVE}
    climbed = risen & {Level.SYNTAX, Level.SEMANTICS, Level.NARRATIVE}
    if meaning and climbed <= still:
        return RunningPhase(REFINEMENT, f"{_names(climbed)} have risen and no longer rise")
    if meaning:
        return RunningPhase(SEMANTICS, f"{_names(meaning)} has left its starting level")
    if Level.SYNTAX in risen:
        return RunningPhase(SYNTAX, "syntax has left its starting level")
    if Level.COOCCURRENCE in risen:
        return RunningPhase(MEMORIZATION, "only co-occurrence has changed so far")
    why = "no level has left its starting level" if state else "no primary metric measured yet"
    return RunningPhase(UNRESOLVED, why)


def _state(curve: Curve) -> tuple[bool, bool]:
    """Return whether a level has risen (last two readings agree) and whether it stands still."""
    scores, tokens = level_score(curve), curve.tokens
    errors = np.nan_to_num(score_error(curve))
    usable = np.isfinite(scores) & (tokens > 0)
    scores, tokens, errors = scores[usable], tokens[usable], errors[usable]
    if scores.size < 3:
        return False, False
    floor = np.maximum(RISEN, 3.0 * errors[-2:])
    risen = bool(np.all(scores[-2:] - scores[0] > floor))
    recent = tokens >= tokens[-1] / 2.0
    if recent.sum() < 3 or tokens[0] > tokens[-1] / 2.0:
        return risen, False
    u = np.log2(tokens[recent])
    slope = float(np.polyfit(u - u.mean(), scores[recent], 1)[0])
    return risen, slope < STILL


def _names(levels: set[Level]) -> str:
    return ", ".join(sorted(levels))
