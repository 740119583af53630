"""Behavioural probes: what a model does, measured by log-probabilities alone.

Importing this package registers them.
"""

from nucleate.probes.behaviour import (
    agreement,
    alignment,
    bits,
    boxes,
    choice,
    cloze,
    endings,
    facts,
    far,
    needles,
    pairs,
    plot,
    position,
    recall,
    retention,
    state,
    truth,
)

__all__ = [
    "agreement",
    "alignment",
    "bits",
    "boxes",
    "choice",
    "cloze",
    "endings",
    "facts",
    "far",
    "needles",
    "pairs",
    "plot",
    "position",
    "recall",
    "retention",
    "state",
    "truth",
]
