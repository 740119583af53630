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

import json
import math
from pathlib import Path
from typing import Any

from nucleate.store import Run

SCHEMA = "nucleate.scan/1"


def scan_data(run: Run) -> dict[str, Any]:
    """Return what a scan found, as JSON types."""
    recipe = run.manifest.recipe
    return {
        "schema": SCHEMA,
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
                "value": _known(reading.value),
                "se": _known(reading.se),
                "n": reading.n,
                "chance": _known(reading.chance),
            }
            for step, reading in run.readings()
        ],
        "events": [
            {"kind": event.kind, "step": event.step.step, "text": event.text}
            for event in run.events()
        ],
    }


def print_json(folder: Path) -> None:
    """Print what a scan found as JSON."""
    print(json.dumps(scan_data(Run.open(folder)), ensure_ascii=False, allow_nan=False))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
