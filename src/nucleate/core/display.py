"""How a word of the project shows itself in a notebook: asked for here, answered by the views.

The words know no view. The root of the package, which knows every room, names the module that can
draw them (`DRAWN_BY`); it is imported when a notebook asks for the first time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

Thing = TypeVar("Thing")

_drawn: dict[type, Callable[[Any], str]] = {}


def draws(kind: type[Thing]) -> Callable[[Callable[[Thing], str]], Callable[[Thing], str]]:
    """Register a function as the one that draws things of this type, as a piece of HTML."""

    def register(function: Callable[[Thing], str]) -> Callable[[Thing], str]:
        _drawn[kind] = function
        return function

    return register


def html(thing: object) -> str | None:
    """Return a thing as a static piece of HTML; None, as notebooks expect, if nobody draws it."""
    if type(thing) not in _drawn:
        for module in getattr(sys.modules["nucleate"], "DRAWN_BY", ()):
            import_module(module)
    draw = _drawn.get(type(thing))
    return draw(thing) if draw else None
