"""What a scan found as JSON: a stable schema, numbers unrounded.

The object that ``nucleate scan --json`` prints:

``schema``
    ``nucleate.scan/1``; the number grows when a key changes its meaning or goes away.
``run``, ``name``, ``source``, ``suite``, ``axis``
    Run folder, series, what was named, which suite, what positions count (``tokens``, ``step``).
``primary``
    The metric stem that stands for each level.
``readings``
    ``metric``, ``level``, ``unit``, ``step``, ``tokens``, ``value``, ``se``, ``n``, ``chance``, by
    metric and position.
``events``
    ``kind``, ``step``, ``text``: damage, what was left out, notes.

What is unknown is null. Per-item scores stay in the run folder.
"""

from __future__ import annotations

from typing import Any

from nucleate.store import Run


def scan_data(run: Run) -> dict[str, Any]:
    """Return what a scan found, see the schema above."""
    recipe = run.manifest.recipe
    return {
        "run": str(run.path),
        "name": run.manifest.name,
        "status": str(run.status),
        "source": recipe.get("scan"),
        "suite": recipe.get("suite"),
        "axis": recipe.get("axis", "tokens"),
        "primary": dict(run.manifest.primary),
        "readings": [
            {
                "metric": reading.metric,
                "level": str(reading.level),
                "unit": reading.unit,
                "step": step.step,
                "tokens": step.tokens,
                "value": reading.value,
                "se": reading.se,
                "n": reading.n,
                "chance": reading.chance,
            }
            for step, reading in run.readings()
        ],
        "events": [
            {"kind": event.kind, "step": event.step.step, "text": event.text}
            for event in run.events()
        ],
    }
