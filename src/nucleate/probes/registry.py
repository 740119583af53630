"""Probes: functions from a model at one Step to Readings, registered under a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from nucleate.core import Level, NucleateError, Reading, UserError

Measure = Callable[[Any, Any], Iterable[Reading]]
Cost = Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Probe:
    """A measure and what is known about it before it runs.

    Attributes:
        name: First part of the metric names it yields.
        level: The level it speaks about.
        unit: Unit of its continuous measure.
        cost: Forward tokens that one measurement of some items needs on its own.
        measure: ``(model_view, items) -> Iterable[Reading]``.
    """

    name: str
    level: Level
    unit: str
    cost: Cost
    measure: Measure


_PROBES: dict[str, Probe] = {}


def probe(*, name: str, level: Level, unit: str, cost: Cost) -> Callable[[Measure], Measure]:
    """Register a function ``(model_view, items) -> Iterable[Reading]`` as a probe.

    Raises:
        NucleateError: The name is taken.
    """

    def register(measure: Measure) -> Measure:
        if name in _PROBES:
            raise NucleateError(f"two probes are called {name!r}")
        _PROBES[name] = Probe(name, level, unit, cost, measure)
        return measure

    return register


def get_probe(name: str) -> Probe:
    """Return a probe by name; entry points of group ``nucleate.probes`` are asked last.

    Raises:
        UserError: No such probe; the nearest names are suggested.
    """
    import nucleate.probes.behaviour
    import nucleate.probes.geometry.probes
    import nucleate.probes.landscape.probes
    import nucleate.probes.mechanism  # noqa: F401 (all register built-in probes)

    if name not in _PROBES:
        for entry in entry_points(group="nucleate.probes", name=name):
            entry.load()
    if name in _PROBES:
        return _PROBES[name]
    near = get_close_matches(name, _PROBES, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(_PROBES))}"
    raise UserError(f"no probe called {name!r}", fix=fix)
