"""The bench of a study: train and score the runs it needs, skip what is there, note what fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nucleate.core import UserError
from nucleate.corpora.storyworld import Split
from nucleate.studies.savings import freezing
from nucleate.studies.savings.arms import base_recipe, digest, plain
from nucleate.studies.savings.jobs import Job, train, write_json
from nucleate.studies.savings.pool import Outcome, Task, Workers
from nucleate.studies.savings.scoring import score, scored
from nucleate.studies.savings.settings import Study
from nucleate.studies.savings.sources import audit_runs

CHUNK = 12
"""Runs scored by one process: its suite is built once for all of them."""


class Bench:
    """Trains and scores runs through workers.

    Args:
        study: Whose runs.
        workers: Where tasks are done.
        say: Told in one line what has happened.
    """

    def __init__(self, study: Study, workers: Workers, say: Callable[[str], None]) -> None:
        self._study, self._workers, self._say = study, workers, say
        self._code = freezing.code_hash()

    def measure(self, workload: str, jobs: Sequence[Job], split: Split, what: str) -> None:
        """Train runs that are not finished, then score those that are."""
        self.train(workload, jobs, what)
        self.score(workload, jobs, split)

    def train(self, workload: str, jobs: Sequence[Job], what: str, frozen: str = "") -> None:
        """Train runs to their ends; finished ones are left alone.

        Raises:
            UserError: A recipe cannot be trained.
        """
        there = {job.key: job for job in jobs}
        missing = [job for job in there.values() if not job.finished]
        tasks = [
            Task(job.key, train, {"job": job, "code": self._code, "frozen": frozen})
            for job in missing
        ]
        for number, outcome in enumerate(self._workers(tasks), start=1):
            place = f"{workload} · {what} · {number} of {len(tasks)} · {outcome.key}"
            if outcome.error:
                self._failed(there[outcome.key], outcome)
                self._say(f"{place} FAILED: {outcome.error}")
            else:
                there[outcome.key].beside("failed").unlink(missing_ok=True)
                self._say(f"{place}: {outcome.value:.0f} s")

    def score(self, workload: str, jobs: Sequence[Job], split: Split, stamp: str = "") -> None:
        """Score finished runs on a probe set; what was scored on the same is not scored again.

        Args:
            workload: Whose runs.
            jobs: The runs.
            split: Which probe set to open.
            stamp: Hash of the frozen study; of what is asked, where nothing is frozen.

        Raises:
            UserError: The suite cannot be built, or a run's weights cannot be opened.
        """
        recipe = base_recipe(self._study.workloads[workload])
        asked = [self._study.scoring.model_dump(mode="json"), plain(recipe)]
        stamp = stamp or digest(asked)
        there = {job.key: job for job in jobs}
        ready = [job for job in there.values() if job.finished and not scored(job, split, stamp)]
        shared: dict[str, Any] = {
            "recipe": recipe,
            "split": split,
            "scoring": self._study.scoring,
            "stamp": stamp,
        }
        chunks = [ready[start : start + CHUNK] for start in range(0, len(ready), CHUNK)]
        tasks = [Task(str(n), score, {"jobs": chunk, **shared}) for n, chunk in enumerate(chunks)]
        for outcome in self._workers(tasks):
            if outcome.error:
                raise UserError(f"runs cannot be scored: {outcome.error}", where=workload)
            self._say(f"{workload} · {outcome.value} runs scored on {split} probes")

    def audit(self, workload: str, jobs: Sequence[Job]) -> dict[str, Any]:
        """Return what the audit by n-grams found; see `audit.audit`.

        Raises:
            UserError: Sources or suite cannot be made again.
        """
        recipe = base_recipe(self._study.workloads[workload])
        arguments = {"jobs": list(jobs), "recipe": recipe, "scoring": self._study.scoring}
        (outcome,) = self._workers([Task("audit", audit_runs, arguments)])
        if outcome.error:
            raise UserError(f"sources cannot be audited: {outcome.error}", where=workload)
        found: dict[str, Any] = outcome.value
        return found

    def _failed(self, job: Job, outcome: Outcome) -> None:
        if outcome.mistake and not job.folder.exists():
            raise UserError(f"cannot be trained: {outcome.error}", where=job.key)
        note = {"error": outcome.error, "trace": outcome.trace, "mistake": outcome.mistake}
        write_json(job.beside("failed"), note)
