"""Small run folders for the page: every text, state and number is known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nucleate.core import Decision, Event, LedgerEntry, Level, Reading, Step
from nucleate.store import Manifest, RunWriter

PER_STEP = 1000


def at(step: int) -> Step:
    return Step(step, step * PER_STEP, step * 1e9, float(step), 1e-3)


def small_run(
    path: Path,
    *,
    name: str = "small",
    metric: str = "agreement.attractor.accuracy",
    steps: int = 30,
    jump: int = 15,
    end: str | None = "finished",
    loss: float = 1.5,
    text: str = "",
    seed: int = 0,
    recipe: Mapping[str, Any] | None = None,
    notes: str = "",
    noise: float = 0.0,
) -> Path:
    """Write a run: a metric that jumps from .5 to .9 at a step, and a loss that ends where told."""
    manifest = Manifest(
        name=name,
        recipe=recipe if recipe is not None else {"tokens": steps * PER_STEP, "seed": seed},
        environment={"python": "3.12", "note": text} if text else {},
        seeds={"model": seed, "data": seed},
        primary={"syntax": metric},
        created="2026-11-23T06:30:00+00:00",
        nucleate="0.1.0",
    )
    with RunWriter.create(path, manifest) as writer:
        for step in range(1, steps + 1):
            writer.loss(at(step), 5.0 - 3.5 * step / steps if step < steps else loss, 1.0)
            value = (0.5 if step < jump else 0.9) + noise * ((step * 7919) % 11 - 5) / 5
            writer.reading(
                at(step), Reading(metric, value, 0.02, 100, 0.5, "fraction", Level.SYNTAX)
            )
        if text:
            writer.event(Event(at(steps), text, text))
            writer.decision(Decision(at(steps), text, {text: text}, {"metric": text, "x": text}))
            writer.ledger([LedgerEntry(text, 1e9, 1.0)])
        if end:
            writer.finish(end, at(steps))  # type: ignore[arg-type]
    if notes:
        (path / "notes.txt").write_text(notes)
    return path
