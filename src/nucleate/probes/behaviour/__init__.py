"""Behavioural probes: what a model does, measured by log-probabilities alone.

Importing this package registers them.
"""

from nucleate.probes.behaviour import agreement, alignment, facts, pairs, plot, position, state

__all__ = ["agreement", "alignment", "facts", "pairs", "plot", "position", "state"]
