"""Runs side by side: curves over each other, what differs in their settings, pairs of one seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from nucleate.core import Curve, Level, Step
from nucleate.detect import level_score
from nucleate.detect.runs.ordering import sign_test
from nucleate.views.charts import level_changes
from nucleate.views.labels import level_name, level_rank, metric_name
from nucleate.views.losschart import SMOOTH, smoothed
from nucleate.views.overlay import overlay

if TYPE_CHECKING:
    from nucleate.views.analysis import Analysis
    from nucleate.views.page.snapshot import Snapshot

MOST = 8
"""Runs that can be compared at once: as many as there are colours."""

SEED_KEYS = ("seed", "name", "seeds", "out")
"""Settings that tell runs of one method apart."""

LISTED = 40
"""Settings that differ and are listed."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Scores of one level in two methods, seed by seed, as far as both runs have come.

    Attributes:
        level: The level's name.
        differences: Second minus first, for each seed that both have.
        mean: Their mean.
        up, down: Seeds in which the second is higher, lower.
        p: Two-sided exact sign test over the seeds.
    """

    level: str
    differences: tuple[float, ...]
    mean: float
    up: int
    down: int
    p: float


def level_overlays(
    snapshots: Sequence[Snapshot], analyses: Sequence[Analysis], names: Sequence[str]
) -> list[tuple[str, str, Markup]]:
    """Return level, title and overlay of each level that any run has a primary metric for."""
    levels = sorted({level for each in analyses for level in each.primary}, key=level_rank)
    out = []
    axes = {each.axis for each in analyses}
    if len(axes) > 1:
        return []
    for level in levels:
        own = [
            (n, _scores(each.curves[each.primary[level]]))
            for n, each in enumerate(analyses)
            if level in each.primary
        ]
        metrics = {each.primary[level] for each in analyses if level in each.primary}
        title = ", ".join(sorted(metric_name(metric) for metric in metrics))
        drawn = overlay(own, names, next(iter(axes)), f"{level_name(level)} score")
        if drawn:
            out.append((str(level), title, drawn))
    return out


def loss_overlay(snapshots: Sequence[Snapshot], names: Sequence[str]) -> Markup:
    """Return the smoothed training losses of runs over each other; nothing without losses."""
    own = []
    for n, each in enumerate(snapshots):
        curve = _smooth_loss(each.steps, each.losses)
        if curve is not None:
            own.append((n, curve))
    return overlay(own, names, "tokens", "training loss") if own else Markup("")


def changes_table(
    analyses: Sequence[Analysis],
) -> list[tuple[Level, list[str | None]]]:
    """Return for each level where each run changed sharply: None where it was not judged."""
    from nucleate.core.units import tokens

    levels = sorted({level for each in analyses for level in each.primary}, key=level_rank)
    out: list[tuple[Level, list[str | None]]] = []
    for level in levels:
        cells: list[str | None] = []
        for each in analyses:
            metric = each.primary.get(level)
            if metric is None or metric not in each.assessments:
                cells.append(None)
                continue
            found = level_changes(each, metric)
            cells.append(
                ", ".join(f"{tokens(c.at)} ({c.verdict})" for c in found) or "nothing sharp"
            )
        out.append((level, cells))
    return out


def differing(snapshots: Sequence[Snapshot]) -> tuple[list[tuple[str, list[str]]], int]:
    """Return the settings in which runs differ, and how many more there are than are listed."""
    flat = [_flat(each.manifest.recipe) for each in snapshots]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    rows = []
    for key in keys:
        values = [
            json.dumps(each[key], ensure_ascii=False) if key in each else "–" for each in flat
        ]
        if len(set(values)) > 1:
            rows.append((key, [value[:80] for value in values]))
    return rows[:LISTED], max(0, len(rows) - LISTED)


def methods(snapshots: Sequence[Snapshot]) -> list[list[int]]:
    """Return the runs grouped by their settings apart from seeds and names."""
    groups: dict[str, list[int]] = {}
    for n, each in enumerate(snapshots):
        own = {k: v for k, v in each.manifest.recipe.items() if k not in SEED_KEYS}
        groups.setdefault(json.dumps(own, sort_keys=True, default=str), []).append(n)
    return list(groups.values())


def of_one_method(snapshots: Sequence[Snapshot]) -> bool:
    """Tell whether runs surely differ by nothing but seeds: all that decides them is recorded."""
    whole = all("corpus" in each.manifest.recipe for each in snapshots)
    return whole and len(methods(snapshots)) == 1


def paired(
    snapshots: Sequence[Snapshot], analyses: Sequence[Analysis]
) -> tuple[list[tuple[str, int, int]], list[Pair]]:
    """Return which runs form pairs of one seed, and what differs within the pairs.

    There are pairs where the runs are of exactly two methods and seeds occur once in each.

    Returns:
        ``(seed, run of the first method, run of the second)`` and one Pair for each level.
    """
    groups = methods(snapshots)
    if len(groups) != 2:
        return [], []
    first, second = ({_seed(snapshots[n]): n for n in group} for group in groups)
    seeds = [seed for seed in first if seed and seed in second]
    if len(first) < len(groups[0]) or len(second) < len(groups[1]) or not seeds:
        return [], []
    couples = [(seed, first[seed], second[seed]) for seed in seeds]
    rows = []
    for level in sorted({level for each in analyses for level in each.primary}, key=level_rank):
        differences = tuple(_difference(analyses[a], analyses[b], level) for _, a, b in couples)
        known = [d for d in differences if math.isfinite(d)]
        if not known:
            continue
        up, down = sum(d > 0 for d in known), sum(d < 0 for d in known)
        p = sign_test(up, down)[1] if up + down else 1.0
        rows.append(Pair(str(level), differences, float(np.mean(known)), up, down, p))
    return couples, rows


def _seed(snapshot: Snapshot) -> str:
    seeds = snapshot.manifest.seeds
    return ", ".join(f"{name} {seeds[name]}" for name in sorted(seeds))


def _difference(first: Analysis, second: Analysis, level: Level) -> float:
    """Return second minus first where the one that is behind has its last reading."""
    if level not in first.primary or level not in second.primary:
        return math.nan
    curves = [each.curves[each.primary[level]] for each in (first, second)]
    scores = [level_score(curve) for curve in curves]
    known = [np.isfinite(score) for score in scores]
    if not all(each.any() for each in known):
        return math.nan
    end = min(curve.tokens[each].max() for curve, each in zip(curves, known, strict=True))
    last = [
        score[each & (curve.tokens <= end)]
        for curve, score, each in zip(curves, scores, known, strict=True)
    ]
    return float(last[1][-1] - last[0][-1]) if all(each.size for each in last) else math.nan


def _scores(curve: Curve) -> Curve:
    """Return a curve as scores from 0 (chance) to 1, without chance line."""
    from dataclasses import replace

    values = tuple(float(v) for v in level_score(curve))
    return replace(
        curve, values=values, se=(math.nan,) * len(values), unit="fraction", chance=math.nan
    )


def _smooth_loss(steps: Sequence[Step], losses: Sequence[float]) -> Curve | None:
    tokens = np.array([step.tokens for step in steps], dtype=np.float64)
    values = np.array(losses, dtype=np.float64)
    usable = np.flatnonzero((tokens > 0) & np.isfinite(values))
    if usable.size < 2 or tokens[usable[0]] == tokens[usable[-1]]:
        return None
    tokens, values = tokens[usable], values[usable]
    wanted = np.geomspace(
        tokens[0], tokens[-1], round(np.log10(tokens[-1] / tokens[0]) / SMOOTH) + 2
    )
    at = np.unique(np.clip(np.searchsorted(tokens, wanted), 0, tokens.size - 1))
    line = smoothed(tokens, values, tokens[at])
    own = tuple(steps[usable[i]] for i in at)
    nothing = (math.nan,) * len(own)
    return Curve("loss", Level.COOCCURRENCE, "nats", math.nan, own, tuple(line.tolist()), nothing)


def _flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out
