"""Which of its two measures speaks for an ability: the accuracy, or its continuous companion."""

from __future__ import annotations

from collections.abc import Mapping

from nucleate.core import Assessment, Verdict, companion

_SHARP = (Verdict.TRANSITION_CANDIDATE, Verdict.STEP_LIKE, Verdict.KINK)


def standing(metric: str, assessments: Mapping[str, Assessment]) -> Assessment | None:
    """Return the assessment that stands for a metric, None when it has none.

    It is the metric's own, unless only its companion shows a sharp change: margins are continuous
    and see a change that too few or too coarse accuracies cannot prove. The other way round nothing
    is borrowed, and a jump of the accuracy alone stays what it was called.

    Args:
        metric: A metric, usually the primary one of a level.
        assessments: Result of `assess_curves`.
    """
    own, other = assessments.get(metric), assessments.get(companion(metric) or "")
    if own is None or other is None or other.verdict not in _SHARP:
        return own
    undecided = (Verdict.SMOOTH, Verdict.BROAD_RISE, Verdict.UNRESOLVED)
    return other if own.verdict in undecided else own
