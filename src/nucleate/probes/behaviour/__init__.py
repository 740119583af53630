"""Behavioural probes: what a model does, measured by log-probabilities alone.

Importing this package registers them.
"""

from nucleate.probes.behaviour import (
    agreement,
    alignment,
    bits,
    choice,
    cloze,
    facts,
    pairs,
    plot,
    position,
    recall,
    state,
)

__all__ = [
    "agreement",
    "alignment",
    "bits",
    "choice",
    "cloze",
    "facts",
    "pairs",
    "plot",
    "position",
    "recall",
    "state",
]
