"""Layer × head arrays of a run: one safetensors file for each look, named by a record of the log.

Shape legend: T looks, L layers, H heads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.core import Step
from nucleate.core.heads import Example, Floats, HeadScores, HeadTable, Role
from nucleate.store.files import sha256

HEADS = "heads"
"""Folder of the side files inside a run folder."""

_EXAMPLE = "example.attention"
"""Name of the array that says where heads look in one story."""

_ABOUT = "nucleate"
"""Key of the file's metadata under which everything but the arrays stands, as JSON."""


@dataclass(frozen=True, eq=False, slots=True)
class HeadHistory:
    """What was found out about every head over a run.

    Attributes:
        steps: Where the heads were looked at, in order.
        tables: What was found there.
        damaged: Files that are missing, or not what was written.
    """

    steps: tuple[Step, ...] = ()
    tables: tuple[HeadTable, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scores, in the order in which they were first measured."""
        return tuple(dict.fromkeys(name for table in self.tables for name in table.scores))

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that could be judged at some Step."""
        return tuple(dict.fromkeys(role for table in self.tables for role in table.asked))

    def values(self, name: str) -> Floats:
        """Return a score, shape ``(T, L, H)``; NaN where it, or the head, was not there.

        Raises:
            KeyError: Nothing of that name was measured.
        """
        return self._stacked(name, "values_LH")

    def se(self, name: str) -> Floats:
        """Return the standard errors of a score, as `values`."""
        return self._stacked(name, "se_LH")

    def holders(self, role: str) -> tuple[tuple[str, ...], ...]:
        """Return which heads had a role at each Step, the highest score first."""
        return tuple(table.holders(role) for table in self.tables)

    def to_xarray(self) -> Any:
        """Return everything as an `xarray.Dataset` of step × layer × head.

        A variable for each score (attributes ``unit``, ``chance``, ``n``), ``NAME.se`` for its
        standard errors, and ``role.ROLE`` (boolean) for each role; tokens are a coordinate of step.

        Raises:
            UserError: xarray is not installed.

        Example:
            >>> Run.open("runs/a").heads().to_xarray()["induction"].max("head")  # doctest: +SKIP
        """
        from nucleate.store.headgrid import dataset_of_heads

        return dataset_of_heads(self)

    def _stacked(self, name: str, field: str) -> Floats:
        if name not in self.names:
            raise KeyError(f"no score of heads is called {name!r}; there: {', '.join(self.names)}")
        found = [table.scores.get(name) for table in self.tables]
        arrays = [None if one is None else getattr(one, field) for one in found]
        shapes = [one.shape for one in arrays if one is not None]
        layers, heads = (max(sizes) for sizes in zip(*shapes, strict=True))
        out_TLH = np.full((len(arrays), layers, heads), np.nan)
        for t, one in enumerate(arrays):
            if one is not None:
                out_TLH[t, : one.shape[0], : one.shape[1]] = one
        return out_TLH


def since(history: HeadHistory, role: str, head: str) -> tuple[float, float]:
    """Return between which looks a head took the role that it has at the last one, in tokens.

    The second is the first look of those, without a gap until the end, at which it has the role;
    the first is the look before, which may be one at 0 tokens, NaN when there was none. Both are
    NaN when it does not have the role.
    """
    held = [head in holders for holders in history.holders(role)]
    if not held or not held[-1]:
        return math.nan, math.nan
    first = next((i + 1 for i in reversed(range(len(held))) if not held[i]), 0)
    before = float(history.steps[first - 1].tokens) if first else math.nan
    return before, float(history.steps[first].tokens)


def pack_heads(table: HeadTable) -> bytes:
    """Return a table as the bytes of a safetensors file: ``NAME`` and ``NAME.se``, float64."""
    from safetensors.numpy import save

    arrays = {}
    for name, scores in table.scores.items():
        arrays[name] = np.ascontiguousarray(scores.values_LH, dtype=np.float64)
        arrays[f"{name}.se"] = np.ascontiguousarray(scores.se_LH, dtype=np.float64)
    about: dict[str, object] = {
        "scores": {
            name: {"name": x.name, "chance": x.chance, "n": x.n, "unit": x.unit}
            for name, x in table.scores.items()
        },
        "asked": {role: list(names) for role, names in table.asked.items()},
        "roles": [asdict(role) for role in table.roles],
    }
    if table.example is not None:
        arrays[_EXAMPLE] = np.ascontiguousarray(table.example.attention_LHT, dtype=np.float32)
        about["example"] = {"words": list(table.example.words), "answer": table.example.answer}
    content: bytes = save(arrays, metadata={_ABOUT: json.dumps(about)})
    return content


def unpack_heads(content: bytes) -> HeadTable:
    """Read a table from the bytes of a file that `pack_heads` made.

    Raises:
        ValueError: They are something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        size = int.from_bytes(content[:8], "little")
        about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][_ABOUT])
        return HeadTable(
            {
                name: HeadScores(
                    x["name"], arrays[name], arrays[f"{name}.se"], x["chance"], x["n"], x["unit"]
                )
                for name, x in about["scores"].items()
            },
            {role: (names[0], names[1]) for role, names in about["asked"].items()},
            tuple(Role(**role) for role in about["roles"]),
            _example(arrays, about.get("example")),
        )
    except (SafetensorError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"no table of heads: {error}") from None


def _example(arrays: dict[str, Floats], about: dict[str, Any] | None) -> Example | None:
    if about is None:
        return None
    attention = np.asarray(arrays[_EXAMPLE], dtype=np.float64)
    return Example(tuple(about["words"]), about["answer"], attention)


def read_heads(folder: Path, kept: Iterable[tuple[Step, str, str]]) -> HeadHistory:
    """Read the side files that records name; those that are not what was written are left out.

    Args:
        folder: Where they lie.
        kept: Step, file name and SHA-256 of each, in order.
    """
    steps, tables, damaged = [], [], []
    for step, name, digest in kept:
        try:
            content = (folder / Path(name).name).read_bytes()
            if sha256(content) != digest:
                raise ValueError("not what was written")
            tables.append(unpack_heads(content))
            steps.append(step)
        except (OSError, ValueError):
            damaged.append(name)
    return HeadHistory(tuple(steps), tuple(tables), tuple(damaged))
