"""Which heads are held out: those that had a role in the run, and as many that never had one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nucleate.core import UserError
from nucleate.core.heads import label, unlabel
from nucleate.store import Run
from nucleate.store.heads import HeadHistory

ENTITY = ("entity link", "name mover")
"""Roles of heads that carry entity state."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Heads of one run.

    Attributes:
        candidate: Heads that had one of the roles asked for, at some look.
        control: As many heads without it.
        matched: Whether the control heads lie in the layers of the candidate's.
        idle: Whether the control heads had no role at all, at any look.
        taken: Tokens of the first look at which a candidate had the role.
    """

    candidate: tuple[str, ...]
    control: tuple[str, ...]
    matched: bool
    idle: bool
    taken: float


def choose(run: Run, roles: Sequence[str] = ENTITY) -> Chosen | None:
    """Choose candidate and control heads of a run; None where no head had one of the roles.

    The control is drawn with the run's seed, for each candidate from the heads of its layer that
    never had any role; where there are too few, from those that never had this one; where even
    those are too few, from other layers.

    Raises:
        UserError: The run never looked at its heads, judged no such role, or has too few heads.
    """
    history = run.heads()
    if not history.tables:
        raise UserError(
            "never looked at its heads",
            where=run.path,
            expected="a run with probes.heads_per_decade",
        )
    for role in roles:
        if role not in history.roles:
            known = ", ".join(history.roles)
            raise UserError("no such role was judged", where=run.path, got=role, expected=known)
    at = [t for t, found in enumerate(_held(history, roles)) if found]
    if not at:
        return None
    candidate = tuple(sorted({head for found in _held(history, roles) for head in found}))
    busy = {head for found in _held(history, history.roles) for head in found}
    rng = np.random.default_rng((int(run.manifest.seeds.get("model", 0)), 6))
    control, matched, idle = _control(history, candidate, busy, rng)
    if len(control) < len(candidate):
        raise UserError("has too few heads for a control", where=run.path, got=", ".join(candidate))
    return Chosen(candidate, control, matched, idle, float(history.steps[at[0]].tokens))


def _held(history: HeadHistory, roles: Sequence[str]) -> list[set[str]]:
    """Return which heads had one of some roles, look by look."""
    return [
        {found.head for found in table.roles if found.role in roles} for table in history.tables
    ]


def _control(
    history: HeadHistory, candidate: Sequence[str], busy: set[str], rng: np.random.Generator
) -> tuple[tuple[str, ...], bool, bool]:
    layers, heads = history.values(history.names[0]).shape[1:]
    every = [label(layer, head) for layer in range(layers) for head in range(heads)]
    free = [str(head) for head in rng.permutation(every) if head not in candidate]
    chosen: list[str] = []
    for head in candidate:
        own = unlabel(head)[0]
        there = [x for x in free if x not in chosen]
        there.sort(key=lambda x: (unlabel(x)[0] != own, x in busy))  # stable: drawn order stays
        chosen += there[:1]
    same = sorted(unlabel(x)[0] for x in chosen) == sorted(unlabel(x)[0] for x in candidate)
    return tuple(sorted(chosen)), same, not set(chosen) & busy
