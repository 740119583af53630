"""Tune arms on development probes with equal budgets; hold the baseline against its neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import UserError
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings.arms import (
    AT,
    arm_changes,
    arm_recipe,
    digest,
    looked_up,
    needs_readings,
)
from nucleate.studies.savings.bench import Bench
from nucleate.studies.savings.jobs import Job, read_json, write_json
from nucleate.studies.savings.paired import t_interval
from nucleate.studies.savings.records import Record, baseline_of, record
from nucleate.studies.savings.saving import Baseline
from nucleate.studies.savings.search import Setting, at_edge, neighbours, search
from nucleate.studies.savings.settings import Study, Tuning
from nucleate.train.recipe import Recipe

FILE = "tuning.json"
_LEAST_SLOPE = 1e-3
"""Quality per nat of compute that a flat end of a frontier is taken for when settings compete."""


@dataclass(frozen=True)
class Trial:
    """One setting with what it scored on each tuning seed."""

    setting: Setting
    records: tuple[Record, ...]

    @property
    def flops(self) -> float:
        """What it cost to try, as far as it is known: a run that broke off has no ledger."""
        return sum(each.flops for each in self.records if math.isfinite(each.flops))


class Tuner:
    """Tunes the arms of one workload.

    Args:
        study: The study.
        name: The workload.
        folder: The study's folder.
        bench: Where runs are made and scored.
    """

    def __init__(self, study: Study, name: str, folder: Path, bench: Bench) -> None:
        self._study, self._name, self._bench = study, name, bench
        self._workload = study.workloads[name]
        self._root = folder / name / "tuning"
        self._file = folder / name / FILE
        # What was found for an arm that is tuned no more must not decide its runs.
        self.results: dict[str, Any] = {
            arm: result
            for arm, result in (read_json(self._file) or {}).items()
            if arm in self._workload.arms and self._workload.arms[arm].tune
        }

    @property
    def chosen(self) -> dict[str, Setting]:
        """Chosen values by arm, as far as arms have been tuned."""
        return {arm: result["chosen"] for arm, result in self.results.items()}

    def tune(self) -> None:
        """Tune every arm that has values to try; what was tuned before is not tuned again.

        Raises:
            UserError: No setting of an arm could be trained.
        """
        tuning = self._study.tuning
        for arm in self._order():
            settings = self._workload.arms[arm]
            if not settings.tune or tuning is None:
                continue
            basis = self._basis(arm, tuning)
            if self.results.get(arm, {}).get("basis") == basis:
                continue
            self.results.pop(arm, None)
            self.results[arm] = {"basis": basis, **self._tune(arm, tuning)}
            write_json(self._file, self.results)

    def _order(self) -> list[str]:
        """The baseline and what it builds upon first, and no arm before one that it is like."""
        order: list[str] = []
        for arm in (self._study.baseline, *self._workload.arms):
            order += [one for one in self._workload.line(arm) if one not in order]
        return order

    def _basis(self, arm: str, tuning: Tuning) -> str:
        others = {name: values for name, values in self.chosen.items() if name != arm}
        changes = arm_changes(self._workload, arm, others)
        own = self._workload.arms[arm]
        search_ = tuning.model_dump(mode="json", exclude={"check"})
        scoring = self._study.scoring.model_dump(mode="json")
        goal = [self._workload.quality, self._workload.levels, self._workload.horizons]
        return digest(
            [self._workload.recipe, changes, own.model_dump(mode="json"), search_, scoring, goal]
        )

    def _tune(self, arm: str, tuning: Tuning) -> dict[str, Any]:
        tune = self._workload.arms[arm].tune
        steps = search(tune, tuning.search, tuning.runs, tuning.seed, self._start(arm))
        trials: list[tuple[float, Trial]] = []
        try:
            batch = next(steps)
            while True:
                tried = self._try(arm, batch, tuning.seeds)
                scores = [self._objective(trial, tuning) for trial in tried]
                trials += list(zip(scores, tried, strict=True))
                batch = steps.send(scores)
        except StopIteration:
            pass
        best = max(trials, key=lambda pair: pair[0])
        if not math.isfinite(best[0]):
            raise UserError("no setting that was tried could be scored", where=f"arm {arm}")
        flops = sum(trial.flops for _, trial in trials)
        if tuning.objective == "saving":  # its frontier was made for this too
            flops += float(np.nansum(self.frontier(tuning.seeds).costs)) * len(tuning.seeds)
        return {
            "chosen": best[1].setting,
            "budget": tuning.runs,
            "used": len(trials),
            "search": tuning.search,
            "objective": tuning.objective,
            "seeds": list(tuning.seeds),
            "flops": flops,
            "total": flops + self._inherited(arm),
            "values": {key: list(values) for key, values in tune.items()},
            "edge": at_edge(best[1].setting, tune),
            "trials": [self._row(score, trial) for score, trial in trials],
        }

    def _inherited(self, arm: str) -> float:
        """FLOPs of tuning the arms that this one takes values from."""
        line = self._workload.line(arm)[:-1]
        return sum(float(self.results[one]["flops"]) for one in line if one in self.results)

    def _start(self, arm: str) -> Setting:
        """Where a search in turns begins: at what the recipe says now, where it says so."""
        recipe = arm_recipe(self._workload, arm, self.chosen, seed=0).model_dump(mode="json")
        _, times = arm_changes(self._workload, arm, self.chosen)
        start: Setting = {}
        for key, values in self._workload.arms[arm].tune.items():
            timed = key.startswith(AT)
            value = times.get(key.removeprefix(AT)) if timed else looked_up(recipe, key)
            if value in values:
                start[key] = value
        return start

    def jobs(self, arm: str, setting: Setting, seeds: Sequence[int]) -> list[Job]:
        """Return the runs of an arm with some of its values set."""
        tuned = {**self.chosen, arm: {**self.chosen.get(arm, {}), **setting}}
        return [self._job(arm, arm_recipe(self._workload, arm, tuned, seed=seed)) for seed in seeds]

    def _job(self, arm: str, recipe: Recipe) -> Job:
        wish = self._workload.arms[arm].observed
        return Job(self._root, arm, recipe, needs_readings(recipe) if wish is None else wish)

    def _try(self, arm: str, batch: Sequence[Setting], seeds: Sequence[int]) -> list[Trial]:
        groups = [self.jobs(arm, setting, seeds) for setting in batch]
        flat = [job for jobs in groups for job in jobs]
        self._bench.measure(self._name, flat, Split.DEVELOPMENT, f"tuning {arm}")
        return [
            Trial(setting, tuple(self._record(job) for job in jobs))
            for setting, jobs in zip(batch, groups, strict=True)
        ]

    def _record(self, job: Job) -> Record:
        return record(job, Split.DEVELOPMENT, self._workload.levels)

    def _objective(self, trial: Trial, tuning: Tuning) -> float:
        """Return what is made best; −∞ where a run failed."""
        if any(each.failed for each in trial.records):
            return -math.inf
        if tuning.objective == "saving":
            return self._saving(trial, tuning)
        quality = "loss" if tuning.objective == "loss" else self._workload.quality
        return float(np.mean([each.quality(quality) for each in trial.records]))

    def _saving(self, trial: Trial, tuning: Tuning) -> float:
        """Return the mean saving in nats against the baseline's frontier on the tuning seeds.

        While the baseline itself is tuned, its frontier is that of its untuned setting. To tell
        settings apart, and only for that, the frontier goes on in a straight line.
        """
        frontier = self.frontier(tuning.seeds).frontier(np.arange(len(tuning.seeds)))
        gains = []
        for each in trial.records:
            quality = each.quality(self._workload.quality)
            nearest = float(np.clip(quality, frontier.qualities[0], frontier.qualities[-1]))
            reached = frontier.cost_at(nearest).cost
            slope = max(frontier.slope_at(reached), _LEAST_SLOPE)
            gains.append(math.log(reached / each.flops) + (quality - nearest) / slope)
        return float(np.mean(gains))

    def frontier(self, seeds: Sequence[int]) -> Baseline:
        """Return the baseline's horizons on some seeds, trained where they are missing."""
        arm, horizons = self._study.baseline, self._workload.horizons

        def job(seed: int, tokens: int) -> Job:
            recipe = arm_recipe(self._workload, arm, self.chosen, seed=seed, tokens=tokens)
            return self._job(arm, recipe)

        grid = [[job(seed, tokens) for tokens in horizons] for seed in seeds]
        flat = [one for row in grid for one in row]
        self._bench.measure(self._name, flat, Split.DEVELOPMENT, "frontier for tuning")
        records = [[self._record(one) for one in row] for row in grid]
        return baseline_of(records, self._workload.quality)

    def check_basis(self) -> str:
        """Return the hash of everything that decides what `check` finds."""
        arm, tuning = self._study.baseline, self._study.tuning
        found = self.results.get(arm, {})
        seeds = tuning.check if tuning else ()
        return digest([found.get("basis"), found.get("chosen"), seeds])

    def check(self) -> dict[str, Any]:
        """Hold the baseline's chosen setting against each neighbour on seeds that saw no tuning.

        Returns:
            Rows with the mean paired gain of the chosen setting and its 95 % interval.
        """
        arm, tuning = self._study.baseline, self._study.tuning
        if tuning is None or len(tuning.check) < 2 or arm not in self.results:
            return {}
        chosen, values = self.results[arm]["chosen"], self._workload.arms[arm].tune
        near = neighbours(chosen, values)
        tried = self._try(arm, [chosen, *(setting for _, setting in near)], tuning.check)
        rows = []
        for (key, setting), trial in zip(near, tried[1:], strict=True):
            gains = {
                quality: [
                    a.quality(quality) - b.quality(quality)
                    for a, b in zip(tried[0].records, trial.records, strict=True)
                ]
                for quality in (self._workload.quality, "loss")
            }
            judged = _judged(gains, self._workload.quality)
            rows.append({"key": key, "value": setting[key], **judged})
        return {"seeds": list(tuning.check), "chosen": chosen, "rows": rows}

    def _row(self, score: float, trial: Trial) -> dict[str, Any]:
        return {
            "setting": trial.setting,
            "score": score if math.isfinite(score) else None,
            "flops": trial.flops,
            "failed": [each.failed for each in trial.records if each.failed],
            "scores": [dict(each.scores) for each in trial.records],
        }


def _judged(gains: dict[str, list[float]], quality: str) -> dict[str, Any]:
    """Say whether the chosen setting is not worse: its gain's interval does not lie below zero."""
    found: dict[str, Any] = {"gains": {}}
    for name, values in gains.items():
        interval = t_interval(values)
        found["gains"][name] = [interval.value, interval.lo, interval.hi]
    value, lo, hi = found["gains"][quality]
    found["verdict"] = "better" if lo > 0 else "worse" if hi < 0 else "not told apart"
    if not math.isfinite(value):
        found["verdict"] = "failed"
        found["gains"] = {name: [None, None, None] for name in gains}
    return found
