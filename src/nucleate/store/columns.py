"""Readings of a run in columns: those taken together stand together, and Curves share their Steps.

Shape legend: T records, M metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Curve, Level, Reading, Step
from nucleate.store.record import number

Floats = NDArray[np.float64]
Origin = tuple[int, int]
"""Attempt, and rank negated: the larger of two is the one that counts."""


_LEVELS = frozenset(str(level) for level in Level)


class Batch(NamedTuple):
    """Readings taken together at one Step; a column is a list, or one value that all share."""

    step: Step
    metrics: tuple[str, ...]
    value: list[Any]
    se: Any
    n: Any
    about: About


class About(NamedTuple):
    """What a batch says beside its numbers; `items` names a side file, or packs them."""

    chance: Any
    unit: Any
    level: Any
    items: Any


class Place(NamedTuple):
    """Where a Reading stands: its block, row and column."""

    block: Block
    row: int
    column: int


class Block:
    """All batches of the same metrics.

    Raises:
        ValueError: One metric stands twice, or is no name.
    """

    def __init__(self, metrics: tuple[str, ...]) -> None:
        if len(set(metrics)) != len(metrics) or not all(type(name) is str for name in metrics):
            raise ValueError("metrics are no names, or one stands twice")
        self.metrics = metrics
        self.steps: list[Step] = []
        self.origins: list[Origin] = []
        self.orders: list[int] = []
        self.abouts: list[About] = []
        self.values: list[Floats | list[float]] = []
        self.se: list[Floats | list[float]] = []
        self.counts: list[NDArray[np.int64] | list[int]] = []
        self.ordered = True
        self._stacked: tuple[int, list[list[float]], list[list[float]], list[list[int]]] | None
        self._stacked = None

    def add(self, origin: Origin, order: int, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            ValueError, TypeError: A column is of another length or kind.
        """
        size, level = len(self.metrics), batch.about.level
        if level not in _LEVELS if isinstance(level, str) else not _LEVELS.issuperset(level):
            raise ValueError(f"no such level: {level}")
        value, se, n = floats(batch.value, size), floats(batch.se, size), _counts(batch.n, size)
        if self.steps and self.steps[-1].step >= batch.step.step:
            self.ordered = False
        self.steps.append(batch.step)
        self.origins.append(origin)
        self.orders.append(order)
        self.abouts.append(batch.about)
        self.values.append(value)
        self.se.append(se)
        self.counts.append(n)

    def keep(self, rows: list[int]) -> None:
        """Keep these rows only."""
        for name in ("steps", "origins", "orders", "abouts", "values", "se", "counts"):
            column = getattr(self, name)
            setattr(self, name, [column[row] for row in rows])
        self._stacked = None
        counted = [step.step for step in self.steps]
        self.ordered = all(a < b for a, b in pairwise(counted))

    def column(self, at: int) -> tuple[list[float], list[float], list[int]]:
        """Return values, standard errors and counts of one metric, in order of writing."""
        if self._stacked is None or self._stacked[0] != len(self.steps):
            self._stacked = (
                len(self.steps),
                np.array(self.values).T.tolist(),
                np.array(self.se).T.tolist(),
                np.array(self.counts).T.tolist(),
            )
        _, values, se, counts = self._stacked
        return values[at], se[at], counts[at]

    def reading(self, row: int, column: int) -> Reading:
        """Return a Reading without its items."""
        about = self.abouts[row]
        return Reading(
            metric=self.metrics[column],
            value=float(self.values[row][column]),
            se=float(self.se[row][column]),
            n=int(self.counts[row][column]),
            chance=number(pick(about.chance, column)),
            unit=str(pick(about.unit, column)),
            level=Level(pick(about.level, column)),
        )


class Readings:
    """All Readings of a run; where one was taken again, the later attempt counts.

    Within an attempt the lowest rank counts, and of one rank what it wrote last.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, ...], Block] = {}
        self._order = 0
        self._shared: tuple[list[Step], tuple[Step, ...]] = ([], ())

    def add(self, origin: Origin, batch: Batch) -> None:
        """Take in a batch.

        Raises:
            ValueError, TypeError, IndexError: A column is of another length or kind.
        """
        block = self._blocks.get(batch.metrics) or Block(batch.metrics)
        block.add(origin, self._order, batch)
        self._blocks[batch.metrics] = block
        self._order += 1

    def forget_beyond(self, step: int, attempt: int) -> None:
        """Forget what earlier attempts took beyond a Step."""
        for key, block in list(self._blocks.items()):
            rows = [
                row
                for row, (at, origin) in enumerate(zip(block.steps, block.origins, strict=True))
                if at.step <= step or origin[0] >= attempt
            ]
            if not rows:
                del self._blocks[key]
            elif len(rows) < len(block.steps):
                block.keep(rows)

    def metrics(self) -> list[str]:
        """Return the names of the metrics, sorted."""
        return sorted({metric for metrics in self._blocks for metric in metrics})

    def places(self) -> dict[str, list[tuple[Block, int]]]:
        """Return where each metric stands: block and column."""
        found: dict[str, list[tuple[Block, int]]] = {}
        for block in self._blocks.values():
            for column, metric in enumerate(block.metrics):
                found.setdefault(metric, []).append((block, column))
        return found

    def curves(self) -> dict[str, Curve]:
        """Return the Curve of each metric, by name."""
        self._shared = ([], ())
        return {
            metric: self._curve(metric, where) for metric, where in sorted(self.places().items())
        }

    def curve(self, metric: str) -> Curve:
        """Return the Curve of one metric.

        Raises:
            KeyError: It was never read.
        """
        self._shared = ([], ())
        return self._curve(metric, self.places()[metric])

    def levels(self) -> dict[str, Level]:
        """Return the level of each metric, by name."""
        return {
            metric: where[0][0].reading(0, where[0][1]).level
            for metric, where in sorted(self.places().items())
        }

    def _curve(self, metric: str, where: list[tuple[Block, int]]) -> Curve:
        (block, column), *more = where
        if more or not block.ordered:
            taken = self.taken(where)
            return Curve.from_readings(
                (block.steps[row], block.reading(row, column)) for block, row, column in taken
            )
        if self._shared[0] is not block.steps:
            self._shared = (block.steps, tuple(block.steps))
        values, se, counts = block.column(column)
        first = block.reading(0, column)
        return Curve(
            metric=metric,
            level=first.level,
            unit=first.unit,
            chance=first.chance,
            steps=self._shared[1],
            values=tuple(values),
            se=tuple(se),
            counts=tuple(counts),
        )

    def taken(self, where: list[tuple[Block, int]]) -> list[Place]:
        """Return the Readings of one metric that count, by tokens."""
        best: dict[int, tuple[Origin, int, Place]] = {}
        for block, column in where:
            for row, step in enumerate(block.steps):
                key = (block.origins[row], block.orders[row])
                if step.step not in best or best[step.step][:2] <= key:
                    best[step.step] = (*key, Place(block, row, column))
        return sorted((p for _, _, p in best.values()), key=lambda p: p.block.steps[p.row].tokens)

    def __iter__(self) -> Iterator[tuple[Step, Reading]]:
        for _, where in sorted(self.places().items()):
            for block, row, column in self.taken(where):
                yield block.steps[row], block.reading(row, column)

    def count(self) -> int:
        """Return how many Readings count."""
        return sum(
            len(where[0][0].steps)
            if len(where) == 1 and where[0][0].ordered
            else len(self.taken(where))
            for where in self.places().values()
        )

    def side_files(self) -> list[str]:
        """Return the names of the side files that Readings have their items in."""
        named = (about.items for block in self._blocks.values() for about in block.abouts)
        return list(dict.fromkeys(name for name in named if isinstance(name, str) and name))

    def items_at(self, metric: str, step: int) -> Any:
        """Return where the items of a Reading are; None where it was not taken."""
        best: tuple[Origin, int] | None = None
        items: Any = ""
        for block in self._blocks.values():
            if metric not in block.metrics:
                continue
            for row, taken in enumerate(block.steps):
                key = (block.origins[row], block.orders[row])
                if taken.step == step and (best is None or best <= key):
                    best = key
                    items = pick(block.abouts[row].items, block.metrics.index(metric))
        return None if best is None else items


def pick(column: Any, at: int) -> Any:
    """Return the entry of a column, which may be one value that all share."""
    return column[at] if isinstance(column, list) else column


def floats(column: Any, size: int) -> Floats | list[float]:
    """Return a column as numbers, shape ``(size,)``; null is NaN."""
    if not isinstance(column, list):
        value = number(column)
        return [value] if size == 1 else np.full(size, value)
    if size == 1 and len(column) == 1:
        return [number(column[0])]
    found = np.array(column, dtype=np.float64)
    if found.shape != (size,):
        raise ValueError(f"a column of {found.shape} instead of {size}")
    return found


def _counts(column: Any, size: int) -> NDArray[np.int64] | list[int]:
    if not isinstance(column, list):
        return [int(column)] if size == 1 else np.full(size, int(column), dtype=np.int64)
    found = np.array(column, dtype=np.int64)
    if found.shape != (size,):
        raise ValueError(f"a column of {found.shape} instead of {size}")
    return found


def one_or_all(column: Sequence[Any]) -> Any:
    """Return a column as a list, or as the one value that all of it has."""
    first = column[0]
    same = all(value is first or value == first for value in column)
    return first if same and (first != 0 or len(set(map(repr, column))) == 1) else list(column)
