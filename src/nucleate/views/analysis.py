"""From a run folder to everything that its views say: one analysis, kept beside the log.

Assessing a dozen curves takes a second or more, so assessments are
kept in `analysis.json` under a fingerprint of the readings and of the detector's own source: a
changed detector judges again. The file may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.core import Assessment, Curve, Level, Phase, RunFolderError, Step
from nucleate.views.labels import level_rank, stem_of
from nucleate.views.story import tell

if TYPE_CHECKING:
    from nucleate.detect import ClaimRow
    from nucleate.store import Manifest, Run

CACHE = "analysis.json"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a run shows.

    Attributes:
        name: Name of the run.
        status: ``running``, ``finished`` or ``interrupted``.
        last: Where the run stands.
        curves: By metric.
        primary: The metric that stands for each measured level, in the customary order.
        assessments: By metric.
        phases: In order; together they cover the run.
        claims: One row per phase, in the shape of claim C1.
        story: The two sentences that stand at the top of every view.
        axis: What positions count: ``tokens``, or ``steps`` where a scan knows no more.
    """

    name: str
    status: str
    last: Step
    curves: Mapping[str, Curve]
    primary: Mapping[Level, str]
    assessments: Mapping[str, Assessment]
    phases: tuple[Phase, ...]
    claims: tuple[ClaimRow, ...]
    story: tuple[str, ...]
    axis: str = "tokens"


def analyse(run: Run, *, use_cache: bool = True) -> Analysis:
    """Assess a run as it is now.

    Args:
        run: An open run folder.
        use_cache: Use and write `analysis.json` in it.

    Example:
        >>> from nucleate.store import Run                      # doctest: +SKIP
        >>> analyse(Run.open("runs/a")).story                   # doctest: +SKIP
    """
    curves = own_curves(run.curves(), run.has_heads)
    status = str(run.status)
    assessments = assessed(curves, run.path / CACHE if use_cache else None)
    return composed(run.manifest, status, _last(run, curves), curves, assessments)


def composed(
    manifest: Manifest,
    status: str,
    last: Step,
    curves: Mapping[str, Curve],
    assessments: Mapping[str, Assessment],
) -> Analysis:
    """Return what a run shows, from curves and what the detector has said of them.

    Args:
        manifest: What the run is.
        status: ``running``, ``finished`` or ``interrupted``.
        last: Where the run stands.
        curves: By metric.
        assessments: By metric; those of earlier readings, or of some of the curves, will do.
    """
    from nucleate.detect import claim_table, phases

    primary = primary_metrics(curves, manifest.primary)
    known = {level: metric for level, metric in primary.items() if metric in assessments}
    found = phases(assessments, curves, known, float(last.tokens)) if known and last.tokens else []
    claims = claim_table(found, curves, primary, float(last.tokens)) if found else []
    axis = "steps" if manifest.recipe.get("axis") == "step" else "tokens"
    story = tell(
        curves,
        assessments,
        primary,
        tokens=last.tokens,
        status=status,
        axis=axis,
        scan="scan" in manifest.recipe,
    )
    return Analysis(
        name=manifest.name,
        status=status,
        last=last,
        curves=curves,
        primary=primary,
        assessments=assessments,
        phases=tuple(found),
        claims=tuple(claims),
        story=story,
        axis=axis,
    )


def primary_metrics(
    curves: Mapping[str, Curve], chosen: Mapping[str, str] | None = None
) -> dict[Level, str]:
    """Return the metric that stands for each level, in the customary order.

    The manifest chooses beforehand, by metric or by stem (``agreement.attractor``). Where it
    chooses nothing that was measured, each level is stood for by its first accuracy, else by its
    first metric that has a score.
    """
    own: dict[Level, list[str]] = {}
    for metric in sorted(curves):
        own.setdefault(curves[metric].level, []).append(metric)
    wanted = {str(level): metric for level, metric in (chosen or {}).items()}
    named = {
        level: [m for m in metrics if wanted.get(str(level)) in (m, stem_of(m))]
        for level, metrics in own.items()
    }
    candidates = named if any(named.values()) else own
    found = {level: _with_score(candidates[level], curves) for level in candidates}
    return {level: found[level] for level in sorted(found, key=level_rank) if found[level]}


def _with_score(metrics: list[str], curves: Mapping[str, Curve]) -> str:
    """Return the first accuracy, else the first metric that has a score, else nothing."""
    import numpy as np

    from nucleate.detect import level_score

    scored = [m for m in metrics if np.isfinite(level_score(curves[m])).any()]
    return next((m for m in scored if m.endswith(".accuracy")), next(iter(scored), ""))


HEAD_PROBES = ("heads.", "ablation.", "roles.")
"""Metrics of the heads; where arrays of all heads are kept, the report tells of those instead."""


def own_curves(curves: Mapping[str, Curve], has_heads: bool) -> Mapping[str, Curve]:
    """Return the curves that stand in the table of verdicts.

    Summaries of heads are left out where `views.heads` tells of every head, so that looking at
    heads changes no other verdict: all curves are judged as one family.
    """
    if not has_heads:
        return curves
    return {m: c for m, c in curves.items() if not m.startswith(HEAD_PROBES)}


def _last(run: Run, curves: Mapping[str, Curve]) -> Step:
    reached = [run.last] if run.last else []
    reached += [curve.steps[-1] for curve in curves.values()]
    return max(reached, key=lambda step: step.tokens, default=Step(0, 0))


def assessed(curves: Mapping[str, Curve], kept_in: Path | None) -> dict[str, Assessment]:
    """Return assessments of curves, from a cache when it is of these very readings.

    Args:
        curves: By metric.
        kept_in: The file to read and write; None for no cache.
    """
    from nucleate.detect import assess_curves

    if not curves:
        return {}
    key = fingerprint(curves)
    if kept_in is not None and (kept := read_cache(kept_in, key)) is not None:
        return kept
    assessments = assess_curves(curves)
    if kept_in is not None:
        _write_cache(kept_in, key, assessments)
    return assessments


def fingerprint(curves: Mapping[str, Curve]) -> str:
    """Return a hash of all readings and of the detector that judges them."""
    digest = hashlib.sha256(detector().encode())
    for metric in sorted(curves):
        curve = curves[metric]
        tokens = tuple(step.tokens for step in curve.steps)
        digest.update(repr((metric, curve.chance, tokens, curve.values, curve.se)).encode())
    return digest.hexdigest()


@cache
def detector() -> str:
    """Return a hash of `nucleate.detect`: its source, and the weights of its network."""
    digest = hashlib.sha256()
    folders = [files("nucleate.detect")]
    while folders:
        for entry in sorted(folders.pop().iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                folders.append(entry)
            elif entry.name.endswith((".py", ".npz")):
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()


def read_cache(path: Path, key: str) -> dict[str, Assessment] | None:
    """Return the assessments that a file keeps of the readings of a fingerprint, else None."""
    from pydantic import TypeAdapter, ValidationError

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["readings"] != key:
            return None
        return TypeAdapter(dict[str, Assessment]).validate_python(content["assessments"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return None


def _write_cache(path: Path, key: str, assessments: Mapping[str, Assessment]) -> None:
    from nucleate.store.files import write_atomic

    content = {
        "readings": key,
        "assessments": {metric: asdict(found) for metric, found in assessments.items()},
    }
    try:
        write_atomic(path, (json.dumps(content) + "\n").encode())
    except (OSError, RunFolderError):
        return  # a run folder that cannot be written can still be looked at
