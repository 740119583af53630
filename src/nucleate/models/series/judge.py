"""Judge a series by the sketches of its checkpoints: copies, exchanges, damage, strangers.

Training moves weights along a path that does not turn back: visited in another order it is longer.
That makes an exchange plain to see, far plainer than in any metric. What a sketch cannot show
is a flipped bit that leaves a value ordinary; only a manifest can.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.models.series.sketch import Sketch
from nucleate.models.series.words import Member

HUGE = 30.0
"""How many times the largest value of a tensor anywhere else in the series is damage."""

HUGE_ALONE = 1e6
"""Absolute value that no weight of a language model has."""

SHORTER = 0.05
"""Share of its length that the path must lose before its order is called wrong."""

FAR = 1.5
"""A checkpoint this many longest legs away from all the others is strange."""

Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to distrust checkpoints.

    Attributes:
        kind: ``duplicate``, ``swapped``, ``damaged``, ``mislabelled``, ``another model`` …
        names: The checkpoints it is about.
        skip: Those that should not be measured.
        text: One sentence.
    """

    kind: str
    names: tuple[str, ...]
    skip: tuple[str, ...]
    text: str


def judge(members: Sequence[Member], sketches: Mapping[str, Sketch]) -> list[Finding]:
    """Judge the checkpoints that could be read.

    Args:
        members: Of the series, in order; those without a sketch are passed over.
        sketches: By name of the member.
    """
    known = [member for member in members if member.name in sketches]
    taken = [sketches[member.name] for member in known]
    found = [*_strangers(taken), *_damaged(taken)]
    gone = {name for finding in found for name in finding.skip}
    found += _mislabelled(known, sketches, gone)
    gone |= {name for finding in found for name in finding.skip}
    whole = [sketch for sketch in taken if sketch.name not in gone]
    if len(whole) < 2:
        return found
    distances = _distances(whole)
    copies = _duplicates(whole, distances)
    found += copies
    gone = {name for finding in copies for name in finding.skip}
    kept = [number for number, sketch in enumerate(whole) if sketch.name not in gone]
    names = [whole[number].name for number in kept]
    found += order_findings(names, distances[np.ix_(kept, kept)])
    return found


def order_findings(names: Sequence[str], distances: Distances) -> list[Finding]:
    """Find exchanged checkpoints, and checkpoints that do not lie on the path of the others.

    Args:
        names: In the order that the series claims.
        distances: Between the weights of each two, shape ``(n, n)``.
    """
    strange = _strange(distances)
    found = [_stranger(names[k]) for k in strange]
    order = [k for k in range(len(names)) if k not in strange]
    for _ in names:  # more exchanges than checkpoints would be no order at all
        best = _exchange(distances[np.ix_(order, order)])
        if best is None:
            break
        i, j = best
        pair = (names[order[i]], names[order[j]])
        order[i], order[j] = order[j], order[i]
        text = (
            f"{pair[0]} and {pair[1]} look exchanged: the weights of each lie where the other "
            "stands"
        )
        found.append(Finding("swapped", pair, pair, text))
    return found


def _stranger(name: str) -> Finding:
    text = f"{name} lies far from the path of the others: it may be of another run"
    return Finding("off the path", (name,), (name,), text)


def _exchange(distances: Distances) -> tuple[int, int] | None:
    """Return the two positions whose exchange makes the path shorter by the most."""
    n, most, best = len(distances), 0.0, None
    for i in range(n):
        for j in range(i + 1, n):
            order = list(range(n))
            order[i], order[j] = j, i
            legs = sorted({k for c in (i, j) for k in (c - 1, c) if 0 <= k < n - 1})
            now = sum(float(distances[k, k + 1]) for k in legs)
            then = sum(float(distances[order[k], order[k + 1]]) for k in legs)
            if now - then > max(most, SHORTER * now):
                most, best = now - then, (i, j)
    return best


def _strange(distances: Distances) -> list[int]:
    """Return the positions, ends excepted, that are far from every other one."""
    n, out = len(distances), []
    for k in range(1, n - 1):
        others = [m for m in range(n) if m != k]
        longest = max(float(distances[a, b]) for a, b in itertools.pairwise(others))
        if longest > 0 and min(float(distances[k, m]) for m in others) > FAR * longest:
            out.append(k)
    return out


def _distances(sketches: Sequence[Sketch]) -> Distances:
    """Return the Euclidean distances between the samples, shape ``(n, n)``."""
    rows = np.stack([sketch.sample for sketch in sketches]).astype(np.float64)
    out = np.zeros((len(rows), len(rows)))
    for number, row in enumerate(rows):
        out[number] = np.sqrt(((rows - row) ** 2).sum(axis=1))
    return out


def _duplicates(sketches: Sequence[Sketch], distances: Distances) -> list[Finding]:
    found = []
    taken: set[int] = set()
    for i in range(len(sketches)):
        same = [
            j
            for j in range(i + 1, len(sketches))
            if j not in taken and distances[i, j] == 0 and _same(sketches[i], sketches[j])
        ]
        if i in taken or not same:
            continue
        group = [i, *same]
        taken.update(group)
        names = tuple(sketches[k].name for k in group)
        own = _own_place(group, distances)
        skip = tuple(sketches[k].name for k in group if k != own[0])
        told = (
            "which of them is genuine cannot be told"
            if own[1]
            else (f"the path of the others places them at {sketches[own[0]].name}")
        )
        text = f"{' and '.join(names)} hold the same weights; {told}"
        found.append(Finding("duplicate", names, skip, text))
    return found


def _same(one: Sketch, other: Sketch) -> bool:
    return dict(one.largest) == dict(other.largest)


def _own_place(group: Sequence[int], distances: Distances) -> tuple[int, bool]:
    """Return at which position of equal weights the path is shortest, and whether that is unsure.

    Whichever is kept, the path visits the same weights, in another order.
    """
    length = {}
    for own in group:
        path = [k for k in range(len(distances)) if k == own or k not in group]
        length[own] = sum(float(distances[a, b]) for a, b in itertools.pairwise(path))
    best = min(group, key=lambda own: (length[own], own))
    last = len(distances) - 1
    touching = sum(
        float(distances[max(k - 1, 0), k] + distances[k, min(k + 1, last)]) for k in group
    )
    near = [own for own in group if length[own] - length[best] <= SHORTER * touching]
    return (min(group), True) if len(near) > 1 else (best, False)


def _damaged(sketches: Sequence[Sketch]) -> list[Finding]:
    found = []
    for sketch in sketches:
        tensor, value = _worst(sketch, sketches)
        if tensor:
            text = f"{sketch.name} is damaged: {tensor} holds {_value(value)}"
            found.append(Finding("damaged", (sketch.name,), (sketch.name,), text))
    return found


def impossible(sketch: Sketch) -> str:
    """Say what a checkpoint holds that no weight can be; nothing when it holds no such thing."""
    tensor, value = _worst(sketch, ())
    return f"{tensor} holds {_value(value)}" if tensor else ""


def _value(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "a value that is no number"


def _worst(sketch: Sketch, sketches: Sequence[Sketch]) -> tuple[str, float]:
    """Return a tensor that holds what no weight can be, and the value; nothing when none does."""
    for name, value in sketch.largest.items():
        if not math.isfinite(value) or value > HUGE_ALONE:
            return name, value
        others = [
            other.largest[name]
            for other in sketches
            if other is not sketch and math.isfinite(other.largest.get(name, math.nan))
        ]
        ordinary = [each for each in others if each <= HUGE_ALONE]
        last = bool(sketches) and sketch is sketches[-1]
        if ordinary and max(ordinary) > 0 and not last and value > HUGE * max(ordinary):
            return name, value
    return "", 0.0


def _strangers(sketches: Sequence[Sketch]) -> list[Finding]:
    """Name the checkpoints whose config or tokenizer is not the one of most others."""
    found = []
    for what, keys in (
        ("config", [sketch.config for sketch in sketches]),
        ("tokenizer", [sketch.tokenizer for sketch in sketches]),
        ("shape of weights", [str(sketch.sample.shape) for sketch in sketches]),
    ):
        usual = Counter(key for key in keys if key).most_common(1)
        for sketch, key in zip(sketches, keys, strict=True):
            if key and usual and key != usual[0][0]:
                text = f"{sketch.name} has another {what} than the rest of the series"
                found.append(Finding(f"another {what}", (sketch.name,), (sketch.name,), text))
    return found


def _mislabelled(
    members: Sequence[Member], sketches: Mapping[str, Sketch], gone: set[str]
) -> list[Finding]:
    """Name the checkpoints whose name and whose own record tell different steps."""
    wrong = {
        member.name: (member.step.step, says)
        for member in members
        if member.name not in gone
        and (says := sketches[member.name].says) is not None
        and says != member.step.step
    }
    at = {member.step.step: member.name for member in members}
    found, told = [], set[str]()
    for name, (stands, says) in wrong.items():
        if name in told:
            continue
        other = at.get(says, "")
        if wrong.get(other) == (says, stands):
            told |= {name, other}
            text = (
                f"{name} and {other} are exchanged: each holds what was saved at the other's step"
            )
            found.append(Finding("swapped", (name, other), (name, other), text))
        elif other and _equal(sketches[name], sketches.get(other)):
            text = f"{name} is a copy of {other}: it was saved at step {says}"
            found.append(Finding("duplicate", (other, name), (name,), text))
        else:
            text = f"{name} was saved at step {says}"
            found.append(Finding("mislabelled", (name,), (name,), text))
    return found


def _equal(one: Sketch, other: Sketch | None) -> bool:
    return other is not None and dict(one.digests) == dict(other.digests)
