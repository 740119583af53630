"""The article's claim about a 7B model, and the arithmetic between its own figures."""

from __future__ import annotations

from typing import Any

SOURCE = (
    "The article that started this project gives these figures for a 7B model, before and after. "
    "It has no method section, so they can only be held against each other."
)
FIGURES = (
    ("money", "USD", 900_000.0, 630_000.0),
    ("energy", "MWh", 285.0, 200.0),
    ("wall-clock", "days", 90.0, 65.0),
    ("carbon", "t CO2e", 135.0, 95.0),
)
"""Name, unit, before, after."""


def data() -> dict[str, Any]:
    """Return the claim with what its figures imply, as JSON types."""
    before = {name: value for name, _, value, _ in FIGURES}
    after = {name: value for name, _, _, value in FIGURES}
    rows = [
        {"name": name, "unit": unit, "before": old, "after": new, "saving": 1 - new / old}
        for name, unit, old, new in FIGURES
    ]
    implied = [
        {"name": name, "unit": unit, "before": rule(before), "after": rule(after)}
        for name, unit, rule in (
            ("carbon of the grid", "kg/kWh", lambda f: f["carbon"] / f["energy"]),
            ("mean power", "kW", lambda f: 1000 * f["energy"] / (24 * f["wall-clock"])),
            ("money for each kWh", "USD/kWh", lambda f: f["money"] / f["energy"] / 1000),
        )
    ]
    return {"source": SOURCE, "rows": rows, "implied": implied}
