"""The article's claim about a 7B model, and the arithmetic between its own figures."""

from __future__ import annotations

from collections.abc import Mapping
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
            ("carbon of the grid", "kg/kWh", _grid),
            ("mean power", "kW", _power),
            ("money for each kWh", "USD/kWh", _price),
        )
    ]
    return {"source": SOURCE, "rows": rows, "implied": implied}


def _grid(figures: Mapping[str, float]) -> float:
    return figures["carbon"] / figures["energy"]


def _power(figures: Mapping[str, float]) -> float:
    return 1000 * figures["energy"] / (24 * figures["wall-clock"])


def _price(figures: Mapping[str, float]) -> float:
    return figures["money"] / figures["energy"] / 1000
