"""What was found in a table of curves as JSON: a stable schema, numbers unrounded.

The object that ``nucleate detect --json`` prints:

``schema``
    ``nucleate.detect/1``; the number grows when a key changes its meaning or goes away.
``nucleate``
    Version that made it.
``source``, ``axis``, ``notes``
    What was read, what positions count (``tokens``, ``step`` …), how it was understood.
``settings``
    ``alpha``, ``max_width`` (decades), ``seed``.
``flags``
    Reasons to distrust part of the source, each with ``kind``, ``text``, ``runs``, ``metrics``,
    ``at`` and ``p``.
``counts``
    How many curves each verdict was passed on.
``curves``
    In the order of the source: ``run``, ``metric``, ``unit``, ``chance``, ``scale`` (``linear``, or
    ``ln`` where ``start``, ``end`` and amplitudes are of the natural logarithm), ``readings``,
    ``first`` and ``last`` (positions), ``verdict``, ``at``, ``lo``, ``hi``, ``onset``,
    ``onset_interval``, ``width``, ``start``, ``end``, ``note``, ``transitions`` and
    ``disturbances``.
``curves[].transitions[]`` and ``curves[].disturbances[]``
    ``kind``, ``verdict``, ``at``, ``lo``, ``hi``, ``width``, ``width_interval``, ``amplitude``,
    ``amplitude_interval``, ``onset``, ``onset_interval``, ``likelihood_ratio``, ``delta_bic``,
    ``p``, ``q`` and ``gap`` (decades between the readings around the change).
``together``
    What several metrics and runs say together: ``grouping`` (how runs were understood), and
    ``parts``, each with ``name``, ``question``, ``refused`` (why it was not asked), ``caveat`` and
    ``results``: ``about``, ``verdict``, ``note``, ``shown``, ``figures`` and ``marks`` (places).

Positions are on ``axis``, widths in decades, intervals are pairs; what is unknown is null.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.core import Assessment, Curve, Flag, Transition
from nucleate.core.printed import as_text, plain, schema
from nucleate.views.detect.changes import gap_at, onset_interval
from nucleate.views.detect.together import as_plain

if TYPE_CHECKING:
    from nucleate.detect import Findings

SCHEMA = schema("detect")


@dataclass(frozen=True, slots=True)
class Settings:
    """What decided the analysis.

    Attributes:
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Seed of the simulated null distributions.
        command: The command that does it again (empty when unknown).
        version: Version of nucleate.
    """

    alpha: float
    max_width: float
    seed: int
    command: str = ""
    version: str = ""


def as_json(findings: Findings, settings: Settings) -> str:
    """Return the findings as one JSON document, see the schema above."""
    return as_text(as_dict(findings, settings))


def as_dict(findings: Findings, settings: Settings) -> dict[str, Any]:
    """Return the findings as plain types without NaN."""
    book = findings.book
    pairs = [
        (run, curve, found)
        for run, curve in book.curves()
        if (found := findings.assessments.get(run, {}).get(curve.metric)) is not None
    ]
    made = plain(
        {
            "schema": SCHEMA,
            "nucleate": settings.version,
            "source": book.source,
            "axis": book.axis,
            "notes": book.notes,
            "settings": {
                "alpha": settings.alpha,
                "max_width": settings.max_width,
                "seed": settings.seed,
            },
            "flags": [_flag(flag) for flag in findings.flags],
            "counts": Counter(str(found.verdict) for _, _, found in pairs),
            "curves": [curve_data(run, curve, found) for run, curve, found in pairs],
            "together": as_plain(findings.together),
        }
    )
    assert isinstance(made, dict)
    return made


def _flag(flag: Flag) -> dict[str, Any]:
    return {
        "kind": flag.kind,
        "text": flag.text,
        "runs": flag.runs,
        "metrics": flag.metrics,
        "at": flag.at,
        "p": flag.p,
    }


def curve_data(run: str, curve: Curve, found: Assessment) -> dict[str, Any]:
    """Return one curve with what was found on it, see the schema above; NaN stays."""
    from nucleate.detect.family import by_logarithm

    places = curve.tokens
    return {
        "run": run,
        "metric": curve.metric,
        "unit": curve.unit,
        "chance": curve.chance,
        "scale": "ln" if by_logarithm(curve) else "linear",
        "readings": len(curve.values),
        "first": float(places.min()) if places.size else None,
        "last": float(places.max()) if places.size else None,
        "verdict": str(found.verdict),
        "at": found.at,
        "lo": found.lo,
        "hi": found.hi,
        "onset": found.onset,
        "onset_interval": onset_interval(found),
        "width": found.width,
        "start": found.start,
        "end": found.end,
        "note": found.note,
        "transitions": [_transition(change, curve) for change in found.transitions],
        "disturbances": [_transition(change, curve) for change in found.disturbances],
    }


def _transition(change: Transition, curve: Curve) -> dict[str, Any]:
    return {
        "kind": str(change.kind),
        "verdict": str(change.verdict),
        "at": change.at,
        "lo": change.lo,
        "hi": change.hi,
        "width": change.width,
        "width_interval": change.width_interval,
        "amplitude": change.amplitude,
        "amplitude_interval": change.amplitude_interval,
        "onset": change.onset,
        "onset_interval": change.onset_interval,
        "likelihood_ratio": change.evidence.likelihood_ratio,
        "delta_bic": change.evidence.delta_bic,
        "p": change.evidence.p,
        "q": change.evidence.q,
        "gap": gap_at(curve, change.at),
    }
