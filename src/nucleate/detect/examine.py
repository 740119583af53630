"""A whole table of curves, several runs perhaps: what changed, what may not be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nucleate.core import Assessment, CurveBook, Flag
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.family import assess_curves


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one source.

    Attributes:
        book: The curves.
        assessments: By run, then by metric; every q is over all curves of all runs.
        flags: Reasons to distrust parts of the source.
    """

    book: CurveBook
    assessments: Mapping[str, Mapping[str, Assessment]]
    flags: tuple[Flag, ...] = ()


def examine(
    book: CurveBook,
    *,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
) -> Findings:
    """Assess every curve of a source."""
    assessments = {
        run: assess_curves(
            curves, alpha=alpha, max_width=max_width, seed=seed, n_bootstrap=n_bootstrap
        )
        for run, curves in book.runs.items()
    }
    return Findings(book, assessments)
