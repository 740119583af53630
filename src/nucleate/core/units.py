"""Numbers as people read them: tokens, FLOPs, seconds, decades."""

from __future__ import annotations

import math

_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_SI = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def si(value: float, digits: int = 3) -> str:
    """Write a number with an SI prefix: ``1234567`` → ``1.23M``; ``1e24`` and more have none."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1e21:
        return f"{value:.{digits}g}".replace("e+", "e")
    for scale, prefix in _SI:
        if abs(value) >= scale * (1 - 0.5 * 10**-digits):
            return f"{_significant(value / scale, digits)}{prefix}"
    return _significant(value, digits)


def tokens(value: float) -> str:
    """Write a number of tokens: billions are ``B``, as the field writes them."""
    return si(value).replace("G", "B")


def seconds(value: float) -> str:
    """Write a duration: ``75`` → ``1 min 15 s``."""
    if not math.isfinite(value):
        return "–"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def read_number(text: str) -> float:
    """Read ``7e9``, ``7B``, ``1.5T`` or ``300_000``.

    Raises:
        ValueError: It is no number.
    """
    scale = _SCALES.get(text[-1:].lower(), 1.0)
    return float(text[:-1] if scale > 1 else text) * scale


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    whole = max(0, math.floor(math.log10(abs(value))) + 1)
    text = f"{value:.{max(digits - whole, 0)}f}" if abs(value) >= 1e-3 else f"{value:.{digits}g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
