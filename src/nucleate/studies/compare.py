"""Compare two ways of training: two sets of run folders, paired by seed, with intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import UserError, measure_of
from nucleate.core.errors import Words
from nucleate.detect.score import FALLING
from nucleate.store import Run, Status
from nucleate.studies.savings.analysis import plain
from nucleate.studies.savings.frontier import MIN_HORIZONS
from nucleate.studies.savings.paired import bca_mean, drawn_signs, holm, sign_flip, t_interval
from nucleate.studies.savings.records import ledger
from nucleate.studies.savings.saving import Baseline, Treated, estimate

QUALITY = "loss.held_out.nll"
TRAINING = "train.loss"
"""The mean training loss of the last `TAIL` of a run: what there is when nothing was probed."""
TAIL = 0.02
_FREE = ("name", "seed", "tokens")
"""Keys of a recipe that may differ inside a set."""


@dataclass(frozen=True)
class Finished:
    """One run of a set.

    Attributes:
        path: Its folder.
        seed: Of the initial weights.
        tokens, flops: At its end, probes and everything else included.
        values: Last reading of each metric, and the training loss.
        kind: Its recipe without what may differ inside a set, as text.
    """

    path: str
    seed: int
    tokens: int
    flops: float
    values: Mapping[str, float]
    kind: str


def compare(
    base: Sequence[str | Path],
    treated: Sequence[str | Path] = (),
    *,
    metrics: Sequence[str] = (),
    quality: str = "",
) -> dict[str, Any]:
    """Compare two sets of finished runs.

    Args:
        base: Run folders of the first way, or of both, which are then told apart by their recipes:
            the way of the first folder is the base.
        treated: Run folders of the second way.
        metrics: Patterns of metrics to compare; all that both sets have measured when empty.
        quality: What is held equal where the base ran at five lengths or more.

    Returns:
        JSON types: the paired seeds, cost, a row for each metric with the mean paired difference,
        its intervals and p, and the saving at equal quality or why there is none.

    Raises:
        UserError: The runs are not two sets, are unfinished, have no ledger, or share no two seeds.

    Example:
        >>> compare(["runs/a0", "runs/a1"], ["runs/b0", "runs/b1"])     # doctest: +SKIP
    """
    first, second = _sets([_read(path) for path in base], [_read(path) for path in treated])
    seeds = sorted({run.seed for run in first} & {run.seed for run in second})
    if len(seeds) < 2:
        raise UserError(
            "two seeds or more must be in both sets",
            got=Words(f"{_seeds_of(first)} of the base, {_seeds_of(second)} of the other"),
            fix="the sets are paired by seed: add runs of the same seeds",
        )
    finals, others = _by_seed(first, seeds), _by_seed(second, seeds)
    if quality and not all(quality in run.values for run in finals + others):
        raise UserError(
            "not every run has measured it",
            where="--quality",
            got=quality,
            fix="nucleate show RUN names a run's metrics",
        )
    rows = _differences(finals, others, metrics)
    chosen = quality or (QUALITY if all(QUALITY in r.values for r in finals + others) else TRAINING)
    found = {
        "seeds": seeds,
        "base": [run.path for run in finals],
        "treated": [run.path for run in others],
        "left_out": _left_out(first, second, seeds),
        "flops": {"base": [r.flops for r in finals], "treated": [r.flops for r in others]},
        "tokens": {"base": [r.tokens for r in finals], "treated": [r.tokens for r in others]},
        "cost": _cost(finals, others),
        "rows": rows,
        "how": drawn_signs(len(seeds)),
        "quality": chosen,
        "saving": _saving(first, others, seeds, chosen),
    }
    result: dict[str, Any] = plain(found)
    return result


def _read(path: str | Path) -> Finished:
    run = Run.open(path)
    if run.status is not Status.FINISHED:
        raise UserError("has not finished", where=path, fix="finish it, or leave it out")
    values = {metric: curve.values[-1] for metric, curve in run.curves().items()}
    steps, losses = run.losses()
    if losses:
        start = (1 - TAIL) * steps[-1].tokens
        tail = [loss for step, loss in zip(steps, losses, strict=True) if step.tokens > start]
        values[TRAINING] = float(np.mean(tail))
    cost = ledger(Path(path))
    if not cost["flops"] > 0:
        raise UserError("has no ledger of FLOPs, and so no cost", where=path, fix="leave it out")
    recipe = {key: value for key, value in run.manifest.recipe.items() if key not in _FREE}
    return Finished(
        path=str(path),
        seed=int(run.manifest.seeds.get("model", 0)),
        tokens=cost["tokens"],
        flops=cost["flops"],
        values=values,
        kind=json.dumps(recipe, sort_keys=True),
    )


def _sets(base: list[Finished], treated: list[Finished]) -> tuple[list[Finished], list[Finished]]:
    """Return the two sets; by their recipes where nobody says which is which."""
    if treated:
        for name, runs in (("base", base), ("treated", treated)):
            _refuse_mixed(name, runs)
        return base, treated
    kinds = list(dict.fromkeys(run.kind for run in base))
    if len(kinds) != 2:
        raise UserError(
            "the runs are not of two recipes",
            got=Words(f"{_number(len(kinds), 'recipe')} in {_number(len(base), 'run')}"),
            fix="name the runs of the second way with --treated",
        )
    return [r for r in base if r.kind == kinds[0]], [r for r in base if r.kind == kinds[1]]


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _seeds_of(runs: Sequence[Finished]) -> str:
    seeds = sorted({run.seed for run in runs})
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"


def _refuse_mixed(name: str, runs: Sequence[Finished]) -> None:
    """Refuse two recipes for one seed: the longer run would silently stand for the set."""
    first: dict[int, Finished] = {}
    for run in runs:
        other = first.setdefault(run.seed, run)
        if other.kind != run.kind:
            raise UserError(
                f"the {name} set holds two recipes for seed {run.seed}",
                got=Words(f"{other.path} and {run.path}"),
                fix="leave one out: runs of a set differ in name, seed and length only",
            )


def _by_seed(runs: Sequence[Finished], seeds: Sequence[int]) -> list[Finished]:
    """Return the longest run of each seed."""
    return [max((r for r in runs if r.seed == seed), key=lambda r: r.tokens) for seed in seeds]


def _left_out(
    first: Sequence[Finished], second: Sequence[Finished], seeds: Sequence[int]
) -> list[str]:
    return [run.path for run in (*first, *second) if run.seed not in seeds]


def _differences(
    base: Sequence[Finished], treated: Sequence[Finished], patterns: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row for each metric that every run has, p adjusted by Holm over all of them."""
    shared = set.intersection(*(set(run.values) for run in (*base, *treated)))
    names = sorted(m for m in shared if not patterns or any(fnmatchcase(m, p) for p in patterns))
    if not names:
        raise UserError(
            "no metric that every run has measured matches",
            where="--metric",
            got=Words(", ".join(patterns)),
            fix="nucleate show RUN names a run's metrics",
        )
    rows = []
    for metric in names:
        values = np.array([[run.values[metric] for run in runs] for runs in (base, treated)])
        if not np.isfinite(values).all():
            continue
        gains = values[1] - values[0]
        rows.append(
            {
                "metric": metric,
                "falls": falls(metric),
                "base": values[0].mean(),
                "treated": values[1].mean(),
                "differences": gains,
                "bca": asdict(bca_mean(gains)),
                "student": asdict(t_interval(gains)),
                "p": sign_flip(gains),
            }
        )
    adjusted = holm({row["metric"]: row["p"] for row in rows})
    return [{**row, "holm": adjusted[row["metric"]]} for row in rows]


def falls(metric: str) -> bool:
    """Return whether a metric falls as a model learns."""
    return metric == TRAINING or any(word in measure_of(metric).lower() for word in FALLING)


def _cost(base: Sequence[Finished], treated: Sequence[Finished]) -> dict[str, Any]:
    """Return the ratio of costs, whatever the quality that was reached."""
    ratios = np.log([b.flops / a.flops for a, b in zip(base, treated, strict=True)])
    interval = t_interval(ratios)
    return {key: math.exp(value) for key, value in asdict(interval).items()}


def _saving(
    base: Sequence[Finished], treated: Sequence[Finished], seeds: Sequence[int], quality: str
) -> dict[str, Any]:
    """Return the saving at equal quality; without a frontier, what is missing for one."""
    lengths = [sorted({run.tokens for run in base if run.seed == seed}) for seed in seeds]
    shared = sorted(set.intersection(*(set(own) for own in lengths)))
    if len(shared) < MIN_HORIZONS:
        why = (
            f"the base ran at {_number(len(shared), 'length')} that all seeds share; a saving at "
            f"equal quality needs {MIN_HORIZONS}, each trained to its own end"
        )
        return {"problem": why}
    sign = -1.0 if falls(quality) else 1.0
    grid = [[_at(base, seed, tokens) for tokens in shared] for seed in seeds]
    runs = [run for row in grid for run in row]
    if not all(math.isfinite(r.values.get(quality, math.nan)) for r in (*runs, *treated)):
        return {"problem": f"not every run has measured {quality}"}
    found = estimate(
        Baseline(
            np.array([[run.flops for run in row] for row in grid]).mean(axis=0),
            sign * np.array([[run.values[quality] for run in row] for row in grid]),
        ),
        Treated(
            np.array([run.flops for run in treated]),
            sign * np.array([run.values[quality] for run in treated]),
        ),
    )
    return {**asdict(found), "missed": found.missed, "beyond": found.beyond, "lengths": shared}


def _at(runs: Sequence[Finished], seed: int, tokens: int) -> Finished:
    return next(run for run in runs if run.seed == seed and run.tokens == tokens)
