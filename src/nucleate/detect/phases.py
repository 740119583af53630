"""From assessed curves to the phases of a run, named only where the evidence carries the name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.core import Assessment, Curve, Level, Phase, Verdict
from nucleate.detect.companions import clears_chance, standing
from nucleate.detect.score import level_score

MEMORIZATION = "memorization"
SYNTAX = "syntactic organization"
SEMANTICS = "semantic crystallization"
REFINEMENT = "refinement"
UNRESOLVED = "unresolved"

CHANGED = (
    Verdict.TRANSITION_CANDIDATE,
    Verdict.STEP_LIKE,
    Verdict.METRIC_ARTEFACT,
    Verdict.BROAD_RISE,
    Verdict.KINK,
)
"""Verdicts under which a curve did change (an artefact is a real rise, only not a sharp one)."""

NEARBY = 5
"""Readings on either side of a change that tell whether it is for the better."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a phase begins, in tokens, with its interval and the sentence that supports it."""

    name: str
    at: float
    lo: float
    hi: float
    why: str


def phases(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    total_tokens: float,
) -> list[Phase]:
    """Return the phases of a run in order; together they cover 0 to `total_tokens`.

    Syntactic organization begins where the rise of the syntax primary is half done, semantic
    crystallization where that of semantics or narrative is (whichever comes first), refinement when
    the last of them to rise has done 90 % of its rise. Beginnings that are not separated
    (overlapping intervals) make one unresolved phase, and so does a run without any rise.

    Args:
        assessments: Result of `assess_curves`.
        curves: The curves behind it, by metric name.
        primary: The metric that stands for each level, chosen beforehand.
        total_tokens: Length of the run in tokens.
    """
    boundaries = _boundaries(assessments, curves, primary, total_tokens)
    known = [level for level in primary if primary[level] in curves]
    if not boundaries:
        why = "no primary metric changed" if known else "no primary metric was measured"
        scores = mean_scores(curves, primary, 0.0, total_tokens)
        return [Phase(UNRESOLVED, 0.0, total_tokens, (0.0, 0.0), why, scores)]
    first = _beginning(assessments, curves, primary, boundaries[0])
    named = [first, *boundaries]
    out = []
    for index, boundary in enumerate(named):
        end = named[index + 1].at if index + 1 < len(named) else total_tokens
        out.append(
            Phase(
                boundary.name,
                boundary.at,
                end,
                (boundary.lo, boundary.hi),
                boundary.why,
                mean_scores(curves, primary, boundary.at, end),
            )
        )
    return out


def mean_scores(
    curves: Mapping[str, Curve], primary: Mapping[Level, str], begin: float, end: float
) -> dict[str, float]:
    """Return the mean score of each level over the readings in ``[begin, end)`` (end of run incl.).

    Levels without a score or without a reading inside are left out.
    """
    out = {}
    for level, metric in primary.items():
        if metric not in curves:
            continue
        curve = curves[metric]
        tokens, scores = curve.tokens, level_score(curve)
        last = float(tokens.max()) <= end
        inside = (tokens >= begin) & ((tokens <= end) if last else (tokens < end))
        inside &= np.isfinite(scores)
        if inside.any():
            out[str(level)] = float(scores[inside].mean())
    return out


def _boundaries(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    total: float,
) -> list[Boundary]:
    """Return the beginnings after the first, in order, merged where they are not separated."""
    starts = {level: _start(assessments, curves, primary, level) for level in primary}
    found = []
    if syntax := starts.get(Level.SYNTAX):
        found.append(Boundary(SYNTAX, *syntax))
    meanings = [starts[level] for level in (Level.SEMANTICS, Level.NARRATIVE) if starts.get(level)]
    if meanings:
        earliest = min((start for start in meanings if start), key=lambda start: start[0])
        found.append(Boundary(SEMANTICS, *earliest))
    found = [boundary for boundary in found if 0 < boundary.at < total]
    if found and (settled := _settled(assessments, curves, primary)) and settled.at < total:
        found.append(settled)
    return _merged(sorted(found, key=lambda boundary: boundary.at))


def _start(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    level: Level,
) -> tuple[float, float, float, str] | None:
    """Return where half of a level's rise is done: location, interval, sentence."""
    rise = _rise(assessments, curves, primary, level)
    if rise is None:
        return None
    return rise.at, rise.lo, rise.hi, f"{rise.metric} rises ({rise.verdict})"


def _rise(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    level: Level,
) -> Assessment | None:
    """Return the assessment that stands for a level when the level improved, else None."""
    metric = primary.get(level, "")
    found = standing(metric, assessments, curves)
    if found is None or metric not in curves or found.verdict not in CHANGED:
        return None
    if not (math.isfinite(found.at) and found.at > 0):
        return None
    better = _improves(curves[metric], found.at) and clears_chance(curves[found.metric], found.at)
    return found if better else None


def _improves(curve: Curve, at: float) -> bool:
    """Return whether the readings just after `at` are better than those just before.

    Better is a higher score; a metric without a score (a margin) must simply be higher.
    """
    scores = level_score(curve)
    judged = scores if np.isfinite(scores).any() else np.asarray(curve.values, dtype=np.float64)
    before = judged[(curve.tokens < at) & np.isfinite(judged)][-NEARBY:]
    after = judged[(curve.tokens >= at) & np.isfinite(judged)][:NEARBY]
    return bool(before.size and after.size and after.mean() > before.mean())


def _settled(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
) -> Boundary | None:
    """Return where the last rise is 90 % done, or None when a level still rises at the end."""
    rises = [
        rise
        for level in (Level.SYNTAX, Level.SEMANTICS, Level.NARRATIVE)
        if (rise := _rise(assessments, curves, primary, level)) is not None
    ]
    meaning = (Level.SEMANTICS, Level.NARRATIVE)
    if not any(_rise(assessments, curves, primary, level) for level in meaning):
        return None
    ends = [(rise.onset * 10**rise.width, rise) for rise in rises if math.isfinite(rise.width)]
    if len(ends) < len(rises):
        return None
    at, last = max(ends, key=lambda pair: pair[0])
    tokens = curves[last.metric].tokens
    # A rise that is "done" only because the readings stop is still going on.
    if np.sum(tokens > at) < 3:
        return None
    shift = math.log10(at) - math.log10(last.at)
    below, above = tokens[(tokens > 0) & (tokens <= at)], tokens[tokens >= at]
    lo = min(last.lo * 10**shift, float(below.max()) if below.size else at)
    hi = max(last.hi * 10**shift, float(above.min()))
    return Boundary(
        REFINEMENT,
        at,
        lo,
        hi,
        f"{last.metric}, the last of syntax, semantics and narrative to rise, has done 90 %",
    )


def _merged(ordered: list[Boundary]) -> list[Boundary]:
    """Drop the name of beginnings that cannot be told apart from the one before."""
    out: list[Boundary] = []
    for boundary in ordered:
        # Intervals that only touch share one reading: the first change is over there.
        if out and boundary.lo < out[-1].hi:
            before = out.pop()
            why = f"{before.why}; not separated from: {boundary.why}"
            out.append(Boundary(UNRESOLVED, before.at, before.lo, max(before.hi, boundary.hi), why))
        else:
            out.append(boundary)
    return out


def _beginning(
    assessments: Mapping[str, Assessment],
    curves: Mapping[str, Curve],
    primary: Mapping[Level, str],
    following: Boundary,
) -> Boundary:
    """Name the stretch before the first boundary: memorization needs early co-occurrence gains."""
    rise = _rise(assessments, curves, primary, Level.COOCCURRENCE)
    if following.name in (SYNTAX, UNRESOLVED) and rise is not None and rise.onset < following.at:
        why = f"{rise.metric} begins to change before the next rise is half done"
        return Boundary(MEMORIZATION, 0.0, 0.0, 0.0, why)
    return Boundary(UNRESOLVED, 0.0, 0.0, 0.0, "no evidence for a name before the first rise")
