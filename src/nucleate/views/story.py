"""What happened, in two plain sentences that claim no more than the assessments do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nucleate.core import Assessment, Curve, Level, Verdict
from nucleate.core.units import tokens as in_tokens
from nucleate.views.labels import (
    SHARP,
    capital,
    level_rank,
    measure_name,
    metric_name,
    span,
    stem_of,
)
from nucleate.views.rows import moves, never_left_chance

NEAR_CHANCE = 0.08
"""Share of the way from chance to the ceiling below which a start counts as chance."""

MOST = 3
"""Metrics named in one clause before the rest is only counted."""


def tell(
    curves: Mapping[str, Curve],
    assessments: Mapping[str, Assessment],
    primary: Mapping[Level, str],
    *,
    tokens: float,
    status: str,
    axis: str = "tokens",
    scan: bool = False,
) -> tuple[str, ...]:
    """Return two sentences: the sharpest changes, then what was broad and what never came.

    Args:
        curves, assessments: By metric.
        primary: The metric of each level; only these are told, if there are any.
        tokens: Length of the run so far.
        status: ``running``, ``finished`` or ``interrupted``.
        axis: What positions count: ``tokens`` or ``steps``.
        scan: Whether this is a finished series that was scanned, not training.
    """
    where = _where_it_stands(tokens, status, axis, scan)
    told = _told(curves, assessments, primary)
    if not told:
        return ("No readings have been taken yet, so there is nothing to tell.",)
    if all(found.verdict is Verdict.UNRESOLVED for found in told):
        most = max(len(curves[found.metric].steps) for found in told)
        if most == 1:
            return ("There is one reading of each metric: it shows a state, not a change.",)
        return (
            f"There are too few readings ({most}) to tell a sharp change from a smooth one.",
            f"{capital(where)}.",
        )
    sharp = _sharpest_first([found for found in told if found.verdict in SHARP])
    first = _sharp_sentence(sharp, curves, axis) if sharp else _nothing_sharp(assessments, told)
    rest = [found for found in told if found.verdict not in SHARP]
    return first, _rest_sentence(rest, curves, where)


def _told(
    curves: Mapping[str, Curve],
    assessments: Mapping[str, Assessment],
    primary: Mapping[Level, str],
) -> list[Assessment]:
    """Return the assessments that the story is about: primaries, else one measure per stem."""
    from nucleate.detect import standing

    chosen = [found for m in primary.values() if (found := standing(m, assessments, curves))]
    if chosen:
        return [found for found in chosen if found.metric in curves]
    stems: dict[str, str] = {}
    for metric in sorted(assessments, key=lambda name: not name.endswith(".accuracy")):
        stems.setdefault(stem_of(metric), metric)
    names = sorted(stems.values(), key=lambda name: (level_rank(curves[name].level), name))
    return [assessments[name] for name in names if name in curves]


def _sharpest_first(sharp: Sequence[Assessment]) -> list[Assessment]:
    """Order by strength of the verdict, then by location."""
    return sorted(sharp, key=lambda found: (SHARP.index(found.verdict), found.at))


def _sharp_sentence(sharp: Sequence[Assessment], curves: Mapping[str, Curve], axis: str) -> str:
    found, *others = sharp
    sentence = f"{capital(_named(found.metric))} {_course(found, curves[found.metric], axis)}"
    if others:
        parts = [
            f"{_named(other.metric)} at {in_tokens(other.at)} ({other.verdict})"
            for other in others[:MOST]
        ]
        if len(others) > MOST:
            parts.append(f"{len(others) - MOST} more")
        sentence += f"; sharp too: {_listed(parts)}"
    return sentence + "."


def _course(found: Assessment, curve: Curve, axis: str) -> str:
    """Tell where a sharp change began, how far it went and how well it is located."""
    begin = _start(found, curve)
    where = f"95 % interval {span(found.lo, found.hi)}; {found.verdict}"
    if found.verdict is Verdict.KINK:
        return f"{begin} and changed its slope suddenly at {in_tokens(found.at)} {axis} ({where})"
    main = max(found.transitions, key=lambda change: abs(change.amplitude))
    verb = "rose" if main.amplitude > 0 else "fell"
    by = f"{_size(main.amplitude, found, curve):.2f}{_unit(curve)}"
    begin = f"{begin} until {in_tokens(found.onset)} {axis}"
    within = f"within {found.width:.2f} decades around {in_tokens(found.at)} ({where})"
    return f"{begin} and then {verb} by {by} {within}"


def _size(amplitude: float, found: Assessment, curve: Curve) -> float:
    """Return the size of a change; of a share that would leave 0 to 1, what readings moved.

    A fitted step may overshoot beside a trend that goes the other way.
    """
    values = [value for value in curve.values if math.isfinite(value)]
    if curve.unit != "fraction" or not values or 0.0 <= found.start + amplitude <= 1.0:
        return abs(amplitude)
    farthest = max(values) - found.start if amplitude > 0 else found.start - min(values)
    return min(abs(amplitude), max(farthest, 0.0))


def _start(found: Assessment, curve: Curve) -> str:
    if math.isfinite(curve.chance) and curve.unit == "fraction":
        away = abs(found.start - curve.chance) / max(1.0 - curve.chance, 1e-9)
        if away < NEAR_CHANCE:
            return "sat at chance"
    return f"stood near {found.start:.2f}{_unit(curve)}"


def _nothing_sharp(assessments: Mapping[str, Assessment], told: Sequence[Assessment]) -> str:
    sharp = [found for found in assessments.values() if found.verdict in SHARP]
    stems = {stem_of(found.metric): found for found in reversed(_sharpest_first(sharp))}
    elsewhere = _sharpest_first(list(stems.values()))
    if not elsewhere:
        return f"No sharp change is shown in any metric ({len(assessments)} assessed)."
    parts = [f"{_named(found.metric)} ({found.verdict})" for found in elsewhere[:MOST]]
    if len(elsewhere) > MOST:
        parts.append(f"{len(elsewhere) - MOST} more")
    return (
        f"No sharp change is shown in the primary metric of any level ({len(told)} assessed); "
        f"outside them, {_listed(parts)} changed sharply."
    )


def _rest_sentence(rest: Sequence[Assessment], curves: Mapping[str, Curve], where: str) -> str:
    broad = [found for found in rest if found.verdict is Verdict.BROAD_RISE]
    artefacts = [found for found in rest if found.verdict is Verdict.METRIC_ARTEFACT]
    never = [found for found in rest if never_left_chance(curves[found.metric], found)]
    moving = [found for found in rest if moves(curves[found.metric], found)]
    never = [found for found in never if found not in moving]
    still = [found for found in rest if found.verdict is Verdict.SMOOTH]
    flat = [found for found in still if found not in never and found not in moving]
    clauses = [_broad_clause(broad)] if broad else []
    if artefacts:
        names = _listed([_named(found.metric) for found in artefacts])
        clauses.append(
            f"the jump of {names} is a metric artefact: its margin shows no sharp change"
        )
    if moving:
        clauses.append(f"{_names(moving)} moved by more than the error bars without a verdict")
    if flat:
        clauses.append(f"no change is shown for {_names(flat)}")
    if never:
        clauses.append(f"{_names(never)} had not left chance when {where}")
        return capital("; ".join(clauses)) + "."
    return capital("; ".join([*clauses, where])) + "."


def _broad_clause(broad: Sequence[Assessment]) -> str:
    parts = [
        f"{_named(found.metric)} {_manner(found)} {_within(found.width)} "
        f"around {in_tokens(found.at)}"
        for found in broad[:MOST]
    ]
    if len(broad) > MOST:
        parts.append(f"{_more(len(broad) - MOST)} changed broadly")
    return _listed(parts)


def _within(width: float) -> str:
    return f"over {width:.2f} decades" if width >= 0.005 else "from one reading to the next"


def _manner(found: Assessment) -> str:
    """Say how a curve changed: a narrow change that was not shown to be sharp is not broad."""
    from nucleate.detect import MAX_WIDTH

    verb = "rose" if found.end >= found.start else "fell"
    return f"{verb} broadly" if found.width > MAX_WIDTH else f"{verb}, not shown to be sharp,"


def _where_it_stands(tokens: float, status: str, axis: str, scan: bool) -> str:
    if scan:
        told = {"running": "the scan has come to", "interrupted": "the scan was interrupted at"}
        return f"{told.get(status, 'the series ended at')} {in_tokens(tokens)} {axis}"
    return f"training {_ended(status)} {in_tokens(tokens)} {axis}"


def _ended(status: str) -> str:
    return {"running": "stood at", "interrupted": "was interrupted at"}.get(status, "ended at")


def _named(metric: str) -> str:
    """Name a metric; an accuracy goes without saying, and so does what its name says already."""
    measure = measure_name(metric)
    name = metric_name(metric)
    if measure == "KL divergence":
        return f"divergence from {name}"
    return name if measure in ("accuracy", "loss", "score") else f"{name} ({measure})"


def _names(found: Sequence[Assessment]) -> str:
    names = [_named(one.metric) for one in found[:MOST]]
    if len(found) > MOST:
        names.append(_more(len(found) - MOST))
    return _listed(names)


def _more(number: int) -> str:
    return f"{number} more metric{'s' if number > 1 else ''}"


def _unit(curve: Curve) -> str:
    return f" {curve.unit}" if curve.unit and curve.unit != "fraction" else ""


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
