"""A made-up run whose heads are known: who takes which role, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nucleate.core import Level, Reading, Step
from nucleate.core.heads import HeadScores, HeadTable, Role
from nucleate.store import Manifest, RunWriter

LOOKS = tuple(round(5e4 * 10 ** (i / 6)) for i in range(13))
"""Token counts of the looks: two decades, six to each."""

TAKEN = 6
"""From this look on, L1H0 links entities; for one look before, at 3, it did too."""


def at(tokens: int) -> Step:
    return Step(tokens // 1000, tokens, tokens * 1e6, tokens / 1e4, 3e-3)


def table(look: int, *, roles: bool = True) -> HeadTable:
    """Return a look: L1H0 attends to entities by .1, then by .9; nothing else moves."""
    values = np.full((2, 3), 0.1)
    effect = np.zeros((2, 3))
    held = roles and (look >= TAKEN or look == 3)
    if held:
        values[1, 0], effect[1, 0] = 0.9, 2.5
    names = np.full((2, 3), 0.01)
    se = np.full((2, 3), 0.02)
    return HeadTable(
        {
            "entity_link": HeadScores("entity_link", values, se, 0.1, 40),
            "name_mover": HeadScores("name_mover", names, se, 0.0, 20, "nats"),
            "ablation.state": HeadScores("state", effect, se * 5, 0.0, 40, "nats"),
            "ablation.holder": HeadScores("holder", effect * 0, se * 5, 0.0, 20, "nats"),
        },
        {
            "entity link": ("entity_link", "ablation.state"),
            "name mover": ("name_mover", "ablation.holder"),
        },
        (Role("L1H0", "entity link", 0.9, 2.5),) if held else (),
    )


def write_heads_run(path: Path, *, roles: bool = True) -> Path:
    with RunWriter.create(path, Manifest("heads")) as writer:
        for look, tokens in enumerate(LOOKS):
            for stem in ("cause.all", "fact.rare"):
                reading = Reading(f"{stem}.accuracy", 0.5, 0.02, 40, 0.5, "fraction")
                writer.reading(at(tokens), reading)
            summary = Reading("heads.entity_link.max", 0.1, 0.02, 40, 0.1, level=Level.MECHANISM)
            writer.reading(at(tokens), summary)
            writer.heads(at(tokens), table(look, roles=roles))
        writer.finish("finished", at(LOOKS[-1]))
    return path
