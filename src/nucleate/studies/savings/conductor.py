"""Conduct a study: tune, check, freeze, run, score, analyse; each stage goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nucleate.core import UserError
from nucleate.corpora.storyworld import Split
from nucleate.store import Run
from nucleate.studies.savings import freezing
from nucleate.studies.savings.arms import digest, refuse_unfit
from nucleate.studies.savings.bench import Bench
from nucleate.studies.savings.jobs import Job, read_json, write_json
from nucleate.studies.savings.pool import Workers
from nucleate.studies.savings.records import Record, record
from nucleate.studies.savings.rounds import Round, Slot, borrows, job_of, reference_tokens, slots
from nucleate.studies.savings.settings import Study
from nucleate.studies.savings.tuning import Tuner

STAGES = ("tune", "check", "freeze", "run", "score", "analyse")
"""In the order of a whole study; ``preview`` may be asked for before the freeze."""
RESULT = "study.json"
PREVIEW = "preview.json"
CHECK = "check.json"
AUDIT = "audit.json"


class Conductor:
    """Conducts one study in one folder.

    Args:
        study: What is asked.
        folder: Where everything is kept.
        workers: Where runs are made.
        say: Told in one line what has happened.
        first: Look only at the first so many seeds.
        command: What was typed to get here, for the page.

    Raises:
        UserError: `first` is none of the study's looks.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        workers: Workers,
        say: Callable[[str], None],
        *,
        first: int | None = None,
        command: Sequence[str] = (),
    ) -> None:
        refuse_unfit(study)
        self.study, self.folder = study, folder
        self._say, self._command = say, command
        self.bench = Bench(study, workers, say)
        looks = (*study.looks, len(study.seeds))
        if first is not None and first not in looks:
            known = " or ".join(str(look) for look in dict.fromkeys(looks))
            raise UserError("is no look of this study", where="--first", got=first, expected=known)
        seeds = study.seeds[:first]
        self.round = Round("runs", seeds, Split.SEALED, study.looks)

    def tuners(self) -> dict[str, Tuner]:
        """Return what tunes each workload, with everything tuned so far."""
        return {
            name: Tuner(self.study, name, self.folder, self.bench) for name in self.study.workloads
        }

    def tuned(self) -> dict[str, Any]:
        """Return the chosen values by workload and arm.

        Raises:
            UserError: An arm that is to be tuned has not been.
        """
        found = {name: tuner.chosen for name, tuner in self.tuners().items()}
        for name, workload in self.study.workloads.items():
            for arm, settings in workload.arms.items():
                if settings.tune and arm not in found[name]:
                    raise UserError(f"arm {arm} is not tuned", where=name, fix="--stage tune first")
        return found

    def tune(self) -> None:
        """Tune every arm that has values to try."""
        for tuner in self.tuners().values():
            tuner.tune()

    def check(self) -> None:
        """Hold each baseline against its neighbours on seeds of their own."""
        for name, tuner in self.tuners().items():
            path = self.folder / name / CHECK
            basis = tuner.check_basis()
            if (read_json(path) or {}).get("basis") == basis:
                continue
            if found := tuner.check():
                write_json(path, {"basis": basis, **found})
                bad = [row for row in found["rows"] if row["verdict"] == "worse"]
                self._say(f"{name} · check of {self.study.baseline}: {len(bad)} neighbours better")

    def freeze(self) -> dict[str, Any]:
        """Hash the study as it is now; see `freezing.freeze`."""
        opened = any(self.folder.glob(f"*/*/*.{Split.SEALED}.json"))
        frozen = freezing.freeze(self.folder, self.study, self.tuned(), opened)
        self._say(f"frozen {frozen['at']} · {frozen['hash'][:16]}")
        return frozen

    def run(self) -> None:
        """Train every run of the frozen study."""
        frozen = freezing.require(self.folder, self.study, self.tuned())
        for name in self.study.workloads:
            self._train(name, self.round, self._root(name, frozen), frozen["hash"])

    def score(self) -> None:
        """Open the sealed probes and score every finished run of the frozen study."""
        frozen = freezing.require(self.folder, self.study, self.tuned())
        for name in self.study.workloads:
            root = self._root(name, frozen)
            jobs = [job for _, job in self._jobs(name, self.round, root) if job is not None]
            strangers = [
                job.key
                for job in jobs
                if job.finished and read_json(job.beside("job"))["code"] != frozen["code"]
            ]
            if strangers:
                raise UserError(
                    f"{len(strangers)} runs were trained by other code than was frozen",
                    where=root / strangers[0],
                    fix="remove their folders and run again",
                )
            self.bench.score(name, jobs, self.round.split, frozen["hash"])
            self._audit(name, [job for job in jobs if job.finished], frozen["hash"])

    def _audit(self, name: str, jobs: Sequence[Job], stamp: str) -> None:
        """Look for sealed questions in everything that the runs trained on; once for these runs."""
        path = self.folder / name / AUDIT
        basis = digest([stamp, *sorted(job.key for job in jobs)])
        if jobs and (read_json(path) or {}).get("basis") != basis:
            found = self.bench.audit(name, jobs)
            write_json(path, {"basis": basis, **found})
            told = f"{found['found']} of {found['asked']} sealed n-grams found"
            told += "" if found["clean"] else ": NOT CLEAN"
            self._say(f"{name} · audit of {found['tokens']} training tokens: {told}")

    def preview(self) -> dict[str, Any]:
        """Do everything on tuning seeds and development probes: for design, never a result.

        Raises:
            UserError: The study has fewer than two tuning seeds.
        """
        tuning = self.study.tuning
        if tuning is None or len(tuning.seeds) < 2:
            raise UserError("a preview needs two tuning seeds", where="tuning.seeds")
        round_ = Round("preview", tuning.seeds, Split.DEVELOPMENT)
        for name in self.study.workloads:
            root = self.folder / name / "tuning"
            self._train(name, round_, root)
            jobs = [job for _, job in self._jobs(name, round_, root) if job is not None]
            self.bench.score(name, jobs, round_.split)
        result = self._analysed(round_, None)
        write_json(self.folder / PREVIEW, result)
        return result

    def analyse(self) -> dict[str, Any]:
        """Work out all figures from what was scored, and keep them as `RESULT`.

        Raises:
            UserError: The study was never frozen, or its settings or tuned values have changed
                since. Later code may work out the figures; the page says so then.
        """
        frozen = freezing.require_settings(self.folder, self.study, self.tuned())
        result = self._analysed(self.round, frozen)
        write_json(self.folder / RESULT, result)
        return result

    def _root(self, name: str, frozen: dict[str, Any]) -> Path:
        return self.folder / name / f"runs-{frozen['hash'][:8]}"

    def _train(self, name: str, round_: Round, root: Path, frozen: str = "") -> None:
        """Train what stands on its own first, then what borrows its timing from that."""
        workload = self.study.workloads[name]
        for borrowed in (False, True):
            jobs = [
                job
                for slot, job in self._jobs(name, round_, root)
                if job is not None and borrows(workload, slot.arm) is borrowed
            ]
            self.bench.train(name, jobs, round_.name, frozen)

    def _jobs(self, name: str, round_: Round, root: Path) -> list[tuple[Slot, Job | None]]:
        """Return every run of a round; None where a lender has made no decisions yet."""
        tuned = self.tuned()[name]
        workload = self.study.workloads[name]
        own: dict[tuple[str, int], Job] = {}
        found: list[tuple[Slot, Job | None]] = []
        for slot in sorted(
            slots(self.study, name, round_), key=lambda slot: borrows(workload, slot.arm)
        ):
            decisions: Sequence[Any] = ()
            if borrows(workload, slot.arm):
                arm = workload.arms[slot.arm]
                yoked = arm.timing == "yoked"
                seed = round_.lender(slot.seed) if yoked else slot.seed
                lender = own.get((arm.of or self.study.treated, seed))
                if lender is None or not lender.finished:
                    found.append((slot, None))
                    continue
                decisions = Run.open(lender.folder).decisions()
            job = job_of(self.study, slot, tuned, root, decisions)
            own[slot.arm, slot.seed] = job
            found.append((slot, job))
        return found

    def records(self, name: str, round_: Round, root: Path) -> list[tuple[Slot, Record]]:
        """Return what every run of a round says; runs that are missing count as failed."""
        levels = self.study.workloads[name].levels
        return [
            (
                slot,
                record(job, round_.split, levels)
                if job is not None
                else Record(slot.arm, slot.seed, slot.arm, failed="lender did not finish"),
            )
            for slot, job in self._jobs(name, round_, root)
        ]

    def _analysed(self, round_: Round, frozen: dict[str, Any] | None) -> dict[str, Any]:
        from nucleate.studies.savings.analysis import analyse

        tuners = self.tuners()
        workloads = {}
        for name in self.study.workloads:
            root = self._root(name, frozen) if frozen else self.folder / name / "tuning"
            workloads[name] = {
                "records": self.records(name, round_, root),
                "reference": reference_tokens(self.study, name, tuners[name].chosen),
                "tuning": tuners[name].results,
                "check": read_json(self.folder / name / CHECK) or {},
                "audit": read_json(self.folder / name / AUDIT) or {},
            }
        return analyse(self.study, round_, frozen, workloads, self._command)
