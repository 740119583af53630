"""A whole table of curves, several runs perhaps: what changed, what may not be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nucleate.core import Assessment, CurveBook, Flag, Verdict
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.family import assess_runs
from nucleate.detect.integrity import integrity_flags
from nucleate.detect.together import Together, look_together


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one source.

    Attributes:
        book: The curves.
        assessments: By run, then by metric; every q is over all curves of all runs.
        flags: Reasons to distrust parts of the source.
        together: What several metrics and runs say together (None: not asked).
    """

    book: CurveBook
    assessments: Mapping[str, Mapping[str, Assessment]]
    flags: tuple[Flag, ...] = ()
    together: Together | None = None


def examine(
    book: CurveBook,
    *,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
    progress: Callable[[int], None] | None = None,
) -> Findings:
    """Assess every curve of a source as one family, and look for reasons to distrust it.

    Args:
        book: The curves.
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Of simulated curves (for the test of overall change) and of posterior draws.
        n_bootstrap: Number of simulated curves.
        progress: Called with the number of curves done.
    """
    flags = integrity_flags(book)
    assessments = assess_runs(
        book.runs,
        alpha=alpha,
        max_width=max_width,
        seed=seed,
        n_bootstrap=n_bootstrap,
        progress=progress,
    )
    judged = _without_flips(assessments, flags)
    return Findings(book, judged, flags, look_together(book, judged, seed=seed))


def _without_flips(
    assessments: Mapping[str, Mapping[str, Assessment]], flags: Sequence[Flag]
) -> dict[str, dict[str, Assessment]]:
    """Call sharp changes of collapsed accuracies artefacts: one answer replaced another."""
    collapsed = [flag for flag in flags if flag.kind == "class collapse"]
    return {
        run: {
            name: _artefact(found)
            if any(name in flag.metrics and run in (flag.runs or (run,)) for flag in collapsed)
            else found
            for name, found in named.items()
        }
        for run, named in assessments.items()
    }


def _artefact(found: Assessment) -> Assessment:
    if found.verdict not in (Verdict.STEP_LIKE, Verdict.KINK):
        return found
    changes = tuple(
        replace(change, verdict=Verdict.METRIC_ARTEFACT) for change in found.transitions
    )
    note = f"{found.note}; the same answer to every item, exchanged: a metric artefact"
    return replace(found, verdict=Verdict.METRIC_ARTEFACT, transitions=changes, note=note)
