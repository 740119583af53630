"""Curves read from somebody's table: what `nucleate detect` works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nucleate.core.words import Curve


@dataclass(frozen=True, slots=True)
class CurveBook:
    """All curves of one source.

    Attributes:
        source: File or folder, as the user named it.
        axis: What the positions count: ``tokens``, ``step``, ``epoch`` …
        runs: Curves by run (a seed, a model, a run id; ``""`` when the source holds one unnamed
            run), then by metric. All curves share `axis`.
        notes: How the source was understood: columns recognised, rows left out. One sentence each.
    """

    source: str
    axis: str
    runs: Mapping[str, Mapping[str, Curve]]
    notes: tuple[str, ...] = field(default=())

    def curves(self) -> Iterator[tuple[str, Curve]]:
        """Yield ``(run, curve)`` in the order of the source."""
        for run, curves in self.runs.items():
            for curve in curves.values():
                yield run, curve

    def __len__(self) -> int:
        return sum(len(curves) for curves in self.runs.values())


@dataclass(frozen=True, slots=True)
class Flag:
    """A reason to distrust part of a source before any conclusion is drawn from it.

    Attributes:
        kind: ``duplicate checkpoints``, ``swapped checkpoints``, ``leakage``, ``class collapse``,
            ``outlier run`` …
        text: One sentence for people, with the figures that speak for it.
        runs, metrics: What it is about (empty: all of them).
        at: Positions concerned, on the axis of the source.
        p: p-value where the flag is a test (NaN where it is a fact).
    """

    kind: str
    text: str
    runs: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    at: tuple[float, ...] = ()
    p: float = float("nan")
