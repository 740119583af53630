"""What earlier attempts at a watched run have left for the one that goes on: costs, its clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from nucleate.core import LedgerEntry, Mark, Step
from nucleate.store import Run

TRAINING, PROBES, REST = "training, matrix products", "probes", "training"
"""Parts of a watched run's ledger: training in FLOPs, probes, and the time of training."""


@dataclass(frozen=True)
class Earlier:
    """Costs as last recorded, those of steps that are done again among them.

    Attributes:
        probe_flops: FLOPs of probes.
        probe_seconds: Seconds of probes.
        training_seconds: Seconds of training.
    """

    probe_flops: float = 0.0
    probe_seconds: float = 0.0
    training_seconds: float = 0.0

    def entries(
        self, begin: Step, end: Step, probe_flops: float, probe_seconds: float
    ) -> list[LedgerEntry]:
        """Return the ledger of all attempts.

        Args:
            begin: Where this attempt began.
            end: Where training stands.
            probe_flops, probe_seconds: What probes of this attempt have cost.
        """
        trained = end.wall - begin.wall - probe_seconds
        return [
            LedgerEntry(TRAINING, end.flops),
            LedgerEntry(PROBES, self.probe_flops + probe_flops, self.probe_seconds + probe_seconds),
            LedgerEntry(REST, 0.0, self.training_seconds + trained, Mark.MEASURED),
        ]


def earlier(path: Path, begin: Step) -> tuple[Earlier, Step]:
    """Return what a run has cost so far, and `begin` with the time that had passed by then.

    Raises:
        RunFolderError: The folder is damaged.
    """
    run = Run.open(path)
    parts = {entry.part: entry for entry in run.ledger()}
    probes, rest = parts.get(PROBES), parts.get(REST)
    before = Earlier(
        _sum(probes.flops) if probes else 0.0,
        _sum(probes.seconds) if probes else 0.0,
        _sum(rest.seconds) if rest else 0.0,
    )
    known = [*run.losses()[0], *(step for step, _ in run.readings())]
    wall = max((step.wall for step in known if step.step <= begin.step), default=0.0)
    return before, replace(begin, wall=max(begin.wall, wall))


def _sum(value: float) -> float:
    return value if math.isfinite(value) else 0.0
