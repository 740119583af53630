"""Large and small numbers of a scenario, in the unit that people say them in."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nucleate.core.units import si, tokens

_LARGER: Mapping[str, tuple[tuple[float, str], ...]] = {
    "kWh": ((1e6, "GWh"), (1e3, "MWh"), (1, "kWh"), (1e-3, "Wh"), (1e-6, "mWh"), (1e-9, "µWh")),
    "kg CO2e": (
        (1e3, "t CO2e"),
        (1, "kg CO2e"),
        (1e-3, "g CO2e"),
        (1e-6, "mg CO2e"),
        (1e-9, "µg CO2e"),
    ),
    "FLOP/s": ((1e15, "PFLOP/s"), (1e12, "TFLOP/s"), (1e9, "GFLOP/s")),
}
_DAYS_FROM = 48
"""Hours of wall-clock from which people count days."""


def shown(value: float, unit: str, key: str = "") -> str:
    """Write a figure with its unit: ``81071`` kWh → ``81.1 MWh``; FLOPs as a power of ten."""
    if not math.isfinite(value):
        return "–"
    if unit == "FLOP":
        return power(value)
    if unit == "tokens" and value >= 1e5:
        return f"{tokens(value)} tokens"
    if key == "params":
        return tokens(value)
    if key == "wall_hours" and value >= _DAYS_FROM:
        return f"{_plain(value / 24)} days"
    if unit == "h" and 0 < value < 1:
        return _below_an_hour(value)
    for scale, name in _LARGER.get(unit, ()):
        if abs(value) >= scale or (scale, name) == _LARGER[unit][-1]:
            return f"{_plain(value / scale)} {name}"
    return f"{_plain(value)} {unit}".strip()


def power(value: float) -> str:
    """Write a number as three digits and a power of ten: ``8.09 × 10²²``."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits, exponent = f"{value:.2e}".split("e")
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits} × 10{raised}"


def percent(share: float) -> str:
    """Write a share as percent: ``0.298`` → ``29.8 %``; a negative one keeps its sign."""
    return f"{100 * share:.3g} %".replace("-", "−")


def _below_an_hour(hours: float) -> str:
    seconds = 3600 * hours
    if seconds >= 60:
        return f"{_plain(seconds / 60)} min"
    for scale, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{_plain(seconds / scale)} {name}"
    return f"{seconds:.3g} s"


def _plain(value: float) -> str:
    """Write three digits, or all whole ones with thin groups."""
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return si(value) if abs(value) >= 1e-3 or value == 0 else f"{value:.3g}"
