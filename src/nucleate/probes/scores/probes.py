"""The narrative coherence score and the long-context consistency score, as probes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nucleate.core import Level, Reading
from nucleate.probes.registry import probe
from nucleate.probes.scores.composite import Composite, score_readings

NARRATIVE = "narrative_coherence"
LONG_CONTEXT = "long_context_consistency"


def _free(items: Composite) -> int:
    """Return 0: every item is asked by another probe of the suite, and a view asks once."""
    return 0


@probe(name=NARRATIVE, level=Level.NARRATIVE, unit="points", cost=_free)
def narrative_coherence(view: Any, items: Composite) -> Iterable[Reading]:
    """Corrupted stories, orders, endings and states, each kind corrected for chance."""
    yield from score_readings(items, view)


@probe(name=LONG_CONTEXT, level=Level.LONG_CONTEXT, unit="points", cost=_free)
def long_context_consistency(view: Any, items: Composite) -> Iterable[Reading]:
    """Needles that must be told apart, and sentences that far context makes likelier."""
    yield from score_readings(items, view)
