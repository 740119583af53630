"""A whole table of curves, several runs perhaps: what changed, what may not be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nucleate.core import Assessment, CurveBook, Flag
from nucleate.detect.assess import ALPHA, MAX_WIDTH, NUM_BOOTSTRAP
from nucleate.detect.family import assess_runs
from nucleate.detect.integrity import integrity_flags


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
    progress: Callable[[int], None] | None = None,
) -> Findings:
    """Assess every curve of a source as one family, and look for reasons to distrust it.

    Args:
        book: The curves.
        alpha: Size of the test of sharpness of one curve.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Seed of the simulated null distributions and of the posterior draws.
        n_bootstrap: Number of simulated null curves per setting of the null.
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
    return Findings(book, assessments, flags)
