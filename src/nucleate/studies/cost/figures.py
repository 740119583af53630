"""Numbers with a name, a unit, how they were obtained, and why: all that a scenario consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nucleate.core import Mark


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        key: Stable name for programs.
        name: What people call it.
        value: The number.
        unit: Its unit; empty for ratios.
        mark: `ASSUMED` for an input, `MODELLED` for what was computed from inputs.
        why: Source of an input, formula of an output.
    """

    key: str
    name: str
    value: float
    unit: str
    mark: Mark
    why: str

    def data(self) -> dict[str, Any]:
        """Return the figure as JSON types."""
        return {
            "key": self.key,
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "mark": str(self.mark),
            "why": self.why,
        }


def find(figures: Sequence[Figure], key: str) -> Figure | None:
    """Return the figure of that key, None when there is none."""
    return next((figure for figure in figures if figure.key == key), None)
