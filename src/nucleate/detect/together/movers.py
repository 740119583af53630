"""Which metrics to compare: those that change, in most runs of a group, the most clearly first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nucleate.core import Assessment, CurveBook, Verdict
from nucleate.detect.companions import continuous
from nucleate.detect.together.groups import Group

Assessments = Mapping[str, Mapping[str, Assessment]]

MOST = 6
"""Metrics compared with one another: with more, nothing survives the adjustment for all pairs."""

_SHARP = (Verdict.TRANSITION_CANDIDATE, Verdict.STEP_LIKE, Verdict.KINK)
_NOTHING = (Verdict.SMOOTH, Verdict.UNRESOLVED)


def movers(group: Group, book: CurveBook, assessments: Assessments, most: int = MOST) -> list[str]:
    """Return the metrics with a located change in more than half of a group's runs.

    Those that change sharply in most runs come first, then the narrowest. An accuracy stands for
    its continuous companion too, so that no metric is compared with itself.
    """
    names = dict.fromkeys(name for run in group.runs for name in book.runs[run])
    ranked: list[tuple[float, float, str]] = []
    for name in names:
        found = [assessments.get(run, {}).get(name) for run in group.runs]
        located = [one for one in found if one is not None and is_located(one)]
        if 2 * len(located) <= len(group.runs):
            continue
        sharp = sum(one.verdict in _SHARP for one in located) / len(located)
        widths = sorted(one.width for one in located if math.isfinite(one.width))
        ranked.append((-sharp, widths[len(widths) // 2] if widths else math.inf, name))
    chosen = [name for _, _, name in sorted(ranked)]
    doubles = {pair[0] for name in chosen if (pair := continuous(name, chosen)) is not None}
    return [name for name in chosen if name not in doubles][:most]


def is_located(found: Assessment) -> bool:
    """Whether a curve changed somewhere that can be told."""
    return found.verdict not in _NOTHING and math.isfinite(found.at) and found.at > 0


def of_metric(name: str, runs: Sequence[str], assessments: Assessments) -> list[Assessment | None]:
    """Return the assessments of a metric in some runs, None where a run lacks it."""
    return [assessments.get(run, {}).get(name) for run in runs]
