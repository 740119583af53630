"""Ask what several metrics and runs say together; each question has its conditions."""

from __future__ import annotations

import math

from nucleate.core import CurveBook
from nucleate.detect.together.groups import group_runs, in_words
from nucleate.detect.together.leads import leads, orders
from nucleate.detect.together.movers import Assessments
from nucleate.detect.together.onecurve import collapses
from nucleate.detect.together.physics import physics
from nucleate.detect.together.results import Together
from nucleate.detect.together.states import states

MOST_GROUPS = 4
"""Models of which order and states are asked; those with most seeds come first."""


def look_together(book: CurveBook, assessments: Assessments, *, seed: int = 0) -> Together:
    """Ask for lead and lag, order, collapse, states and physics of a whole source.

    Args:
        book: The curves.
        assessments: By run, then by metric, as `assess_runs` gives them.
        seed: Seed of everything that is simulated.
    """
    groups = [group for group in group_runs(book.runs) if any(book.runs[r] for r in group.runs)]
    if not groups:
        return Together("", ())
    chosen = groups[:MOST_GROUPS]
    sized = [group for group in groups if math.isfinite(group.size)]
    return Together(
        in_words(groups),
        (
            leads(chosen, book, assessments, seed),
            orders(chosen, book, assessments, seed),
            collapses(book, seed),
            states(chosen, book, assessments, seed),
            physics(list(dict.fromkeys((*chosen, *sized))), book, assessments, seed),
        ),
    )
