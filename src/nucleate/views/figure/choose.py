"""What can be drawn of a run, by name: the ladder, its loss, its heads, its panels, one metric."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

import numpy as np

from nucleate.core import Level, UserError
from nucleate.views.charts import ladder_at
from nucleate.views.figure.sheet import Sheet, units
from nucleate.views.frame import Size
from nucleate.views.labels import capital, level_name, metric_name, stem_of
from nucleate.views.losschart import loss_at
from nucleate.views.panels import Family, families, panel

if TYPE_CHECKING:
    from nucleate.store import Run
    from nucleate.views.analysis import Analysis

NAMES = ("ladder", "loss", "heads", "panels")

PANEL = 300.0
"""Least width of a panel in user units: where two fit beside each other, they stand so."""


def sheet(run: Run, found: Analysis, name: str, width_mm: float) -> Sheet:
    """Return what is drawn under a name.

    Args:
        run: The run folder.
        found: Its analysis.
        name: One of `NAMES`, a level, a metric, or a metric without its measure.
        width_mm: Width of the figure.

    Raises:
        UserError: The run has nothing of that name.
    """
    if name == "ladder":
        return _ladder(found, width_mm)
    if name == "loss":
        return _loss(run, found, width_mm)
    if name == "heads":
        return _heads(run, found, width_mm)
    return _panels(found, name, width_mm)


def paper_size(width_mm: float) -> Size:
    """Return the size of a drawing that fills this width with text at 8 pt."""
    width = units(width_mm)
    narrow = width < 480
    height, right, ticks = (
        float(np.interp(width, (360, 720, 1040), row))
        for row in ((330, 400, 440), (120, 172, 172), (4, 7, 10))
    )
    name = "narrow" if narrow else "medium"
    return Size(name, width, height, 34.0, right, round(ticks))


def _ladder(found: Analysis, width_mm: float) -> Sheet:
    drawn = ladder_at(found, paper_size(width_mm))
    if not drawn:
        raise _missing(found, "ladder", "no level has two readings")
    title = f"{found.name}: score of each level over training {found.axis}"
    above = "Score: 0 at chance, 1 at the ceiling"
    return Sheet(title, (drawn,), above=above, beneath=f"Training {found.axis}")


def _loss(run: Run, found: Analysis, width_mm: float) -> Sheet:
    drawn = loss_at(*run.losses(), paper_size(width_mm))
    if not drawn:
        raise _missing(found, "loss", "no two losses were recorded")
    title = f"{found.name}: training loss over {found.axis}"
    above = "Training loss, nats per token"
    return Sheet(title, (drawn,), above=above, beneath=f"Training {found.axis}")


def _heads(run: Run, found: Analysis, width_mm: float) -> Sheet:
    from nucleate.views.heads import head_story

    story = head_story(run, found)
    if story is None or not story.maps:
        why = "heads were never looked at" if story is None else "no head holds a role"
        raise _missing(found, "heads", why)
    return Sheet(
        f"{found.name}: score of every attention head for each role that is held",
        tuple(story.maps.values()),
        titles=tuple(capital(role) for role in story.maps),
        above="Layers downwards, heads across; a frame marks heads that hold the role",
        columns=_columns(width_mm, len(story.maps)),
    )


def _panels(found: Analysis, name: str, width_mm: float) -> Sheet:
    chosen = _chosen(found, name)
    drawn = tuple(panel(found, family) for family in chosen)
    if not all(drawn):
        raise _missing(found, name, "it has no two readings")
    several = len(chosen) > 1
    what = "every metric" if name == "panels" else level_name(name) if several else chosen[0].title
    return Sheet(
        f"{found.name}: {what} over training {found.axis}",
        drawn,
        titles=tuple(family.title for family in chosen),
        beneath=f"Training {found.axis}",
        columns=_columns(width_mm, len(drawn)),
    )


def _chosen(found: Analysis, name: str) -> list[Family]:
    """Return the panels of a name: all of them, those of a level, or one metric's."""
    every = families(found.curves)
    if name == "panels" and every:
        return every
    if name in set(Level) and (own := [family for family in every if family.level == name]):
        return own
    for family in every:
        if name in (family.stem, family.stem.removesuffix(".all")):
            return [family]
    if name in found.curves:
        curve = found.curves[name]
        title = capital(metric_name(name))
        return [Family(stem_of(name), title, str(curve.level), (name,))]
    raise _missing(found, name, "")


def _missing(found: Analysis, name: str, why: str) -> UserError:
    if why:
        return UserError(f"cannot draw {name!r}: {why}", where=found.name)
    stems = {family.stem for family in families(found.curves)}
    levels = {str(curve.level) for curve in found.curves.values()}
    near = get_close_matches(name, [*NAMES, *levels, *stems, *found.curves], n=1, cutoff=0.5)
    return UserError(
        f"has nothing called {name!r} to draw",
        where=found.name,
        expected=f"{', '.join(NAMES)}, a level or a metric",
        fix=f"did you mean {near[0]!r}?" if near else "nucleate show RUN names its metrics",
    )


def _columns(width_mm: float, count: int) -> int:
    return max(1, min(count, int(units(width_mm) // PANEL)))
