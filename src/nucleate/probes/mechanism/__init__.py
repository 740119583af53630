"""Mechanistic probes: which heads of a model do it, by what they see, write and are needed for.

Importing this package registers them.
"""

from nucleate.probes.mechanism import ablation, composition, copying, patching, roles, scores

__all__ = ["ablation", "composition", "copying", "patching", "roles", "scores"]
