"""Suspicious evaluations: one metric jumps for the better where others get worse."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Flag
from nucleate.detect.integrity.panel import Panel, directions, listed, of_run, resolution

Array = NDArray[np.float64]

SIDE = 3
"""Readings on either side of a jump; medians of them, so that one odd checkpoint is no jump."""

BETTER, WORSE, RISING = 6.0, 4.5, 3.0
"""Size of the jump of the improving and of the worsening metrics in noise units; and what counts
as a rise of the others, which makes it learning."""

FEW = 0.1
"""Largest share of metrics that may improve together: more is learning, not a leak."""

VALID = re.compile(r"(^|[._/ -])(val|valid|validation|eval|test|held_?out)(?=$|[._/ -])")
TRAIN = re.compile(r"(^|[._/ -])(train|training)(?=$|[._/ -])")


def leakage(panel: Panel) -> list[Flag]:
    """Return flags where an evaluation improves suddenly while others, or its partner, worsen.

    Args:
        panel: One run; metrics whose direction of improvement is unknown take no part.
    """
    rows, signs = panel.values, directions(panel)
    kept = np.isfinite(rows).mean(axis=0) > 0.5
    usable = np.isfinite(rows[:, kept]).all(axis=1) & (signs != 0)
    if kept.sum() < 4 * SIDE or not usable.any():
        return []
    names = [panel.metrics[i] for i in np.flatnonzero(usable)]
    y = rows[usable][:, kept] * signs[usable, None]
    se = panel.se[usable][:, kept]
    least = np.array([[resolution(*pair)] for pair in zip(y, se, strict=True)])
    at = panel.positions[kept]
    return [
        *_against_others(panel, names, y, least, at),
        *_below_training(panel, names, y, least, at),
    ]


def jumps(y: Array) -> tuple[Array, Array]:
    """Return the change of level at each inner position ``(M, n)`` and its noise ``(M, 1)``.

    >>> change, _ = jumps(np.array([[0.0] * 6 + [1.0] * 6]))
    >>> float(change[0, 6 - SIDE])
    1.0
    """
    windows = np.median(np.lib.stride_tricks.sliding_window_view(y, SIDE, axis=1), axis=2)
    change = windows[:, SIDE:] - windows[:, :-SIDE]
    middle = np.median(change, axis=1, keepdims=True)
    noise = 1.4826 * np.median(np.abs(change - middle), axis=1, keepdims=True)
    floor = 1e-9 * np.abs(y).max(axis=1, keepdims=True) + 1e-300
    return change, np.maximum(noise, floor)


def _against_others(
    panel: Panel, names: list[str], y: Array, least: Array, at: Array
) -> list[Flag]:
    """Return the places where few metrics jump up and others fall."""
    if len(names) < 2:
        return []
    change, noise = jumps(y)
    noise = np.maximum(noise, least)
    middle = np.median(change, axis=1, keepdims=True)
    rise = (np.minimum(change, change - middle)) / noise
    up, down = rise > BETTER, change / noise < -WORSE
    learning = (rise > RISING).sum(axis=0) > max(1, FEW * len(names))
    stems = [_stem(name) for name in names]
    found: list[tuple[float, int]] = []
    for k in np.flatnonzero(up.any(axis=0) & down.any(axis=0)):
        better, worse = np.flatnonzero(up[:, k]), np.flatnonzero(down[:, k])
        if learning[k]:
            continue
        partner = any(_partners(stems[b], stems[w]) for b in better for w in worse)
        if worse.size >= 2 or partner or len(names) == 2:
            found.append((float((change / noise)[better, k].max()), int(k)))
    if not found:
        return []
    clearest = max(found)[1]
    place = int(np.median([k for _, k in found if abs(k - clearest) < SIDE]))
    place = place if (up & (down.any(axis=0)))[:, place].any() else clearest
    better, worse = (np.flatnonzero(part[:, place]) for part in (up, down))
    best, worst = (listed(names[i] for i in part) for part in (better, worse))
    sizes = (change / noise)[:, place]
    text = (
        f"suspicious{of_run(panel.run)} at {at[place + SIDE]:g}: {best} improves suddenly "
        f"({sizes[better].max():.0f} noise units) while {worst} gets worse "
        f"({-sizes[worse].min():.0f}): leaked items, a changed evaluation or flipped answers "
        f"would look like this"
    )
    about = tuple(names[i] for i in (*better, *worse))
    return [Flag("leakage", text, (panel.run,), about, (float(at[place + SIDE]),))]


def _below_training(
    panel: Panel, names: list[str], y: Array, least: Array, at: Array
) -> list[Flag]:
    """Return where a validation metric suddenly becomes better than its training partner."""
    flags = []
    stems = [_stem(name) for name in names]
    for v, valid in enumerate(stems):
        for t, train in enumerate(stems):
            if not (valid[1] == "valid" and train[1] == "train" and valid[0] == train[0]):
                continue
            lead = y[v] - y[t]
            change, noise = jumps(lead[None])
            sizes = change[0] / max(float(noise[0, 0]), float(least[v, 0]), float(least[t, 0]))
            k = int(sizes.argmax())
            before, after = lead[: k + SIDE], lead[k + SIDE :]
            turned = (before < 0).mean() >= 0.8 and (after > 0).mean() >= 0.8
            if sizes[k] > BETTER and turned:
                where = float(at[k + SIDE])
                text = (
                    f"suspicious{of_run(panel.run)}: {names[v]} is better than {names[t]} from "
                    f"{where:g} on ({np.median(after):.3g} apart, {-np.median(before):.3g} worse "
                    f"before): held-out items may have entered training"
                )
                flags.append(Flag("leakage", text, (panel.run,), (names[v], names[t]), (where,)))
    return flags


def _stem(name: str) -> tuple[str, str]:
    """Return a metric's name without its side, and the side: ``valid``, ``train`` or nothing."""
    lower = name.lower()
    if VALID.search(lower):
        return VALID.sub("", lower).strip("._/ -"), "valid"
    if TRAIN.search(lower):
        return TRAIN.sub("", lower).strip("._/ -"), "train"
    return lower, ""


def _partners(a: tuple[str, str], b: tuple[str, str]) -> bool:
    """Return whether two metrics are one measure on training and on held-out data, or a validation
    loss beside a benchmark."""
    sides = {a[1], b[1]}
    return (a[0] == b[0] and sides == {"valid", "train"}) or (
        "valid" in sides and ("loss" in a[0] or "loss" in b[0]) and a[0] != b[0]
    )
