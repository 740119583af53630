"""What earlier attempts at a watched run have left for the one that goes on: costs, its clock."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from nucleate.core import BEGUN_AGAIN, DISCARDED, LedgerEntry, Mark, Step
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
        discarded: FLOPs of training steps that a resumed attempt did again.
        again: FLOPs of training steps before training began again with a smaller batch.
    """

    probe_flops: float = 0.0
    probe_seconds: float = 0.0
    training_seconds: float = 0.0
    discarded: float = 0.0
    again: float = 0.0

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
        lost = ((DISCARDED, self.discarded), (BEGUN_AGAIN, self.again))
        return [
            LedgerEntry(TRAINING, end.flops),
            LedgerEntry(PROBES, self.probe_flops + probe_flops, self.probe_seconds + probe_seconds),
            LedgerEntry(REST, 0.0, self.training_seconds + trained, Mark.MEASURED),
            *(LedgerEntry(part, flops) for part, flops in lost if flops),
        ]


def earlier(path: Path, begin: Step, *, again: bool) -> tuple[Earlier, Step]:
    """Return what a run has cost so far, and `begin` with the time that had passed by then.

    Args:
        path: The run folder.
        begin: Where it goes on; what it did beyond is done again.
        again: Whether training begins again with weights as they are, not with those of `begin`.

    Raises:
        RunFolderError: The folder is damaged.
    """
    run = Run.open(path)
    parts = {entry.part: entry for entry in run.ledger()}
    probes, rest, kept = parts.get(PROBES), parts.get(REST), parts.get(BEGUN_AGAIN)
    beyond = max(0.0, run.last.flops - begin.flops) if run.last else 0.0
    begun = (kept.flops if kept else 0.0) + (beyond if again else 0.0)
    before = Earlier(
        _sum(probes.flops) if probes else 0.0,
        _sum(probes.seconds) if probes else 0.0,
        _sum(rest.seconds) if rest else 0.0,
        max(0.0, run.discarded_flops + beyond - begun),
        begun,
    )
    known = [*run.losses()[0], *(step for step, _ in run.readings())]
    wall = max((step.wall for step in known if step.step <= begin.step), default=0.0)
    return before, replace(begin, wall=max(begin.wall, wall))


def _sum(value: float) -> float:
    return value if math.isfinite(value) else 0.0
