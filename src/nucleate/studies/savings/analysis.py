"""All figures of a study from its records, as JSON types: what the page and `--json` show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import UserError
from nucleate.studies.savings import freezing
from nucleate.studies.savings.floors import Floor, floor, level_margin, loss_margin
from nucleate.studies.savings.looks import looks
from nucleate.studies.savings.paired import holm
from nucleate.studies.savings.records import Record, baseline_of, known_mean
from nucleate.studies.savings.rounds import Round, Slot
from nucleate.studies.savings.saving import (
    Baseline,
    Estimate,
    Treated,
    amortised,
    at_mean_quality,
    contrast,
    estimate,
    to_target,
)
from nucleate.studies.savings.settings import Study, Workload

Array = NDArray[np.float64]
SCHEMA = "nucleate.savings/1"
RUNS = (1, 10, 100)
"""Over how many runs the cost of tuning is spread."""


class Table:
    """The records of one workload, by arm, seed and horizon.

    Args:
        study: The study.
        workload: The workload's settings.
        seeds: Seeds looked at, in order.
        records: Every run.
        reference: Tokens of the baseline's final.
    """

    def __init__(
        self,
        study: Study,
        workload: Workload,
        seeds: Sequence[int],
        records: Sequence[tuple[Slot, Record]],
        reference: int,
    ) -> None:
        self.study, self.workload, self.seeds, self.reference = study, workload, seeds, reference
        self.by_slot = {(slot.arm, slot.seed, slot.tokens): one for slot, one in records}
        self.records = [one for _, one in records]

    def baseline(self, quality: str) -> Baseline:
        """Return the frontier's runs for one quality."""
        arm, horizons = self.study.baseline, self.workload.horizons
        grid = [[self.by_slot[arm, seed, tokens] for tokens in horizons] for seed in self.seeds]
        return baseline_of(grid, quality)

    def arm(self, name: str) -> list[Record]:
        """Return the runs of an arm in order of seeds; of the baseline, its finals."""
        tokens = self.reference if name == self.study.baseline else None
        found = [self.by_slot.get((name, seed, tokens)) for seed in self.seeds]
        return [one for one in found if one is not None]

    def treated(self, name: str, quality: str) -> Treated:
        """Return the costs and one quality of an arm's runs."""
        runs = self.arm(name)
        return Treated(
            np.array([one.flops for one in runs]),
            np.array([one.quality(quality) for one in runs]),
        )

    def estimate(self, name: str, quality: str, method: Any = "pooled") -> Estimate:
        """Return the saving of an arm over the seeds that it ran."""
        treated = self.treated(name, quality)
        whole = self.baseline(quality)
        return estimate(
            Baseline(whole.costs, whole.qualities[: treated.costs.size]), treated, method
        )


def analyse(
    study: Study,
    round_: Round,
    frozen: Mapping[str, Any] | None,
    workloads: Mapping[str, Any],
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Work out everything that a study says.

    Args:
        study: The study.
        round_: Which seeds were looked at, on which probes.
        frozen: What was frozen; None for a preview.
        workloads: Of each workload its ``records``, ``reference`` tokens, ``tuning``, ``check`` and
            ``audit``.
        command: What was typed to get here.
    """
    found = {}
    for name, parts in workloads.items():
        workload = study.workloads[name]
        table = Table(study, workload, round_.seeds, parts["records"], parts["reference"])
        found[name] = _workload(table, parts)
    p_values = {
        name: one["arms"][study.treated]["p"]
        for name, one in found.items()
        if "p" in one["arms"].get(study.treated, {})
    }
    adjusted = holm(p_values)
    result: dict[str, Any] = plain(
        {
            "schema": SCHEMA,
            "name": study.name,
            "command": list(command),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "split": str(round_.split),
            "seeds": list(round_.seeds),
            "planned": len(study.seeds),
            "baseline": study.baseline,
            "treated": study.treated,
            "frozen": None if frozen is None else _frozen(frozen),
            "looks": [dataclasses.asdict(one) for one in looks(study.looks or [len(study.seeds)])],
            "holm": adjusted,
            "margins": study.margins.model_dump(),
            "tuning": study.tuning.model_dump(mode="json") if study.tuning else None,
            "workloads": found,
        }
    )
    return result


def _frozen(frozen: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the freeze, and whether the code is still the frozen one."""
    return {
        "at": frozen["at"],
        "hash": frozen["hash"],
        "code": frozen["code"],
        "same_code": frozen["code"] == freezing.code_hash(),
        "packages": frozen["packages"],
    }


def _workload(table: Table, parts: Mapping[str, Any]) -> dict[str, Any]:
    study, workload = table.study, table.workload
    quality = workload.quality
    result: dict[str, Any] = {
        "quality": quality,
        "reference": table.reference,
        "final_tokens": next(
            (one.tokens for one in table.arm(study.baseline) if one.tokens), table.reference
        ),
        "horizons": list(workload.horizons),
        "about": {name: _about(workload, name) for name in workload.arms},
        "frontier": _frontier(table, quality),
        "arms": {},
        "contrasts": {},
        "floors": _floors(table, study.treated),
        "runs": [_run(one) for one in table.records],
        "failed": [
            {"key": one.key, "arm": one.arm, "seed": one.seed, "why": one.failed}
            for one in table.records
            if one.failed
        ],
        "architectures": _architectures(table.records),
        "tuning": parts["tuning"],
        "check": parts["check"],
        "audit": parts["audit"],
    }
    estimates: dict[str, Estimate] = {}
    for name in workload.arms:
        if name == study.baseline or len(table.arm(name)) < 2:
            continue
        try:
            estimates[name] = table.estimate(name, quality)
        except UserError as error:
            result["arms"][name] = {"problem": str(error)}
            continue
        runs = table.treated(name, quality)
        result["arms"][name] = {
            **_estimate(estimates[name]),
            "costs": runs.costs,
            "qualities": runs.qualities,
        }
    if study.treated in estimates:
        controls = [name for name in estimates if name != study.treated]
        result["contrasts"] = {name: _contrast(table, name) for name in controls}
        result["others"] = _other_qualities(table)
        result["amortised"] = _amortised(table, estimates[study.treated], parts["tuning"])
    return result


def _about(workload: Workload, name: str) -> dict[str, Any]:
    arm = workload.arms[name]
    return {"about": arm.about, "timing": arm.timing, "like": arm.like, "ablation": arm.ablation}


def _frontier(table: Table, quality: str) -> dict[str, Any]:
    """The frontier's points, every seed, and the pooled curve, for drawing."""
    baseline = table.baseline(quality)
    found: dict[str, Any] = {
        "costs": baseline.costs,
        "qualities": baseline.qualities,
        "curve": [],
    }
    try:
        pooled = baseline.frontier(np.arange(len(table.seeds)))
    except UserError as error:
        return {**found, "problem": str(error)}
    fine = np.geomspace(pooled.costs[0], pooled.costs[-1], 80)
    inner = [pooled.quality_at(float(cost)) for cost in fine[1:-1]]
    drawn = [pooled.qualities[0], *inner, pooled.qualities[-1]]
    return {**found, "curve": [list(pair) for pair in zip(fine, drawn, strict=True)]}


def _floors(table: Table, name: str) -> list[dict[str, Any]]:
    """Test every level, the composite and the loss of an arm against the baseline's finals."""
    treated, finals = table.arm(name), table.arm(table.study.baseline)
    scored = [one for one in (*treated, *finals) if not one.failed]
    if not scored or len(treated) < 2 or len(finals) != len(treated):
        return []
    cost = known_mean([one.flops for one in finals])
    found: list[Floor] = []
    for quality in scored[0].scores:
        try:
            frontier = table.baseline(quality).frontier(np.arange(len(table.seeds)))
        except UserError:
            continue
        whole = quality in ("loss", "composite")
        margin = (loss_margin if whole else level_margin)(table.study.margins, frontier, cost)
        values = [
            np.array([one.scores.get(quality, math.nan) for one in runs])
            for runs in (treated, finals)
        ]
        found.append(floor(quality, values[0], values[1], margin, frontier.slope_at(cost)))
    return [dataclasses.asdict(one) for one in found]


def _estimate(found: Estimate) -> dict[str, Any]:
    return {
        "saving": dataclasses.asdict(found.saving),
        "student": dataclasses.asdict(found.student),
        "log_ratios": found.log_ratios,
        "places": found.places,
        "against": found.against,
        "p": found.p,
        "how": found.how,
        "missed": found.missed,
        "beyond": found.beyond,
    }


def _contrast(table: Table, name: str) -> dict[str, Any]:
    """What the treated arm saves against another one."""
    quality = table.workload.quality
    arms = [table.treated(arm, quality) for arm in (table.study.treated, name)]
    try:
        return _estimate(contrast(table.baseline(quality), *arms))
    except UserError as error:
        return {"problem": str(error)}


def _other_qualities(table: Table) -> dict[str, Any]:
    """The saving again: by each seed's own frontier, at other qualities, and to a preset target."""
    name = table.study.treated
    wanted: dict[str, tuple[str, Any]] = {
        "each seed's own frontier": (table.workload.quality, "per seed")
    }
    scored = next((one for one in table.arm(name) if not one.failed), None)
    for quality in scored.scores if scored else ():
        if quality != table.workload.quality:
            wanted[f"at equal {quality}"] = (quality, "pooled")
    found: dict[str, Any] = {}
    for what, (quality, method) in wanted.items():
        try:
            found[what] = _estimate(table.estimate(name, quality, method))
        except UserError as error:
            found[what] = {"problem": str(error)}
    try:
        own = table.treated(name, table.workload.quality)
        mean = at_mean_quality(table.baseline(table.workload.quality), own)
        found["at the mean quality of all seeds"] = _estimate(mean)
    except UserError as error:
        found["at the mean quality of all seeds"] = {"problem": str(error)}
    if table.workload.target is not None:
        quality = table.workload.quality
        reached = to_target(
            table.baseline(quality), table.treated(name, quality), table.workload.target
        )
        what = f"to the preset {quality} of {table.workload.target:g}"
        problem = {"problem": "the frontier does not reach the target"}
        found[what] = problem if reached is None else _estimate(reached)
    return found


def _amortised(table: Table, found: Estimate, tuning: Mapping[str, Any]) -> dict[str, Any]:
    """Spread the tuning of both sides over 1, 10 and 100 runs at equal quality."""
    treated = known_mean([one.flops for one in table.arm(table.study.treated)])
    baseline = treated / (1 - found.saving.value)  # none at infinite cost
    own = float(tuning.get(table.study.baseline, {}).get("total", 0.0))
    line = table.workload.line(table.study.treated)
    spent = sum(float(tuning[arm]["flops"]) for arm in line if arm in tuning)
    return {
        "treated": treated,
        "baseline": baseline,
        "tuning_treated": spent,
        "tuning_baseline": own,
        "savings": {
            str(n): amortised(treated, baseline, spent, own, n) if baseline > 0 else -math.inf
            for n in RUNS
        },
    }


def _run(one: Record) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "probe_share": one.probe_share}


def _architectures(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The different final architectures; more than one means that arms are not comparable."""
    found: list[dict[str, Any]] = []
    for one in records:
        if one.architecture and dict(one.architecture) not in found:
            found.append(dict(one.architecture))
    return found


def plain(value: Any) -> Any:
    """Return something as strict JSON types: NaN becomes null, infinities ``inf`` and ``-inf``."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isnan(number):
            return None
        return number if math.isfinite(number) else ("inf" if number > 0 else "-inf")
    return value
