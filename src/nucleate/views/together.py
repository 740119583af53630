"""Behaviour, heads, geometry and landscape of one run on one axis: what changed, and after what.

Events are placed by the detector (a change of a curve) or by two neighbouring looks (a head took a
role); which of two comes first is said only where their intervals show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from nucleate.core import Assessment, Level, Verdict
from nucleate.views import svg
from nucleate.views.frame import SIZES, Size, axis_x, token_domain
from nucleate.views.labels import capital, change, metric_name, plain_name
from nucleate.views.rows import VerdictRow, by_metric, verdict_rows

if TYPE_CHECKING:
    from nucleate.detect.runs.alignment import Lag
    from nucleate.views.analysis import Analysis
    from nucleate.views.heads import HeadStory

INSIDE = {"geometry.": "geometry", "lens.": "geometry", "routers.": "routers"}
"""How metrics of representations and of routers begin, and the kind of their changes."""
MOST = 4
"""Changes of representations, of routers, and of the landscape, that are shown: the clearest."""
BEHAVIOUR_OF = {
    "agreement": "agreement.attractor",
    "refrain": "refrain.all",
    "entity link": "state.holder",
    "name mover": "state.holder",
    "cause link": "cause.all",
}
"""The behaviour that a role is for, as a stem of metrics."""
ROW, LABEL = 30.0, {"wide": 330.0, "medium": 280.0, "narrow": 0.0}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed, at a place.

    Attributes:
        number: Its place in the order, from 1.
        what: In plain words.
        kind: ``behaviour``, ``heads``, ``geometry``, ``routers`` or ``landscape``.
        level: Whose colour it has.
        says: The verdict, or that a role was taken.
        sharp: Whether a smooth trend cannot explain it, or a role was taken.
        at, lo, hi: Tokens.
        after: Numbers of the events that surely came before, see `earlier`.
        stem: The metric without its measure; ``role:`` and the role for a role that was taken.
    """

    number: int
    what: str
    kind: str
    level: str
    says: str
    sharp: bool
    at: float
    lo: float
    hi: float
    after: tuple[int, ...]
    stem: str

    @property
    def earlier(self) -> str:
        """The numbers in `after` as text, runs of them as ranges: ``1–3, 5``."""
        parts: list[list[int]] = []
        for number in self.after:
            if parts and parts[-1][1] == number - 1:
                parts[-1][1] = number
            else:
                parts.append([number, number])
        return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in parts)


@dataclass(frozen=True, slots=True)
class Together:
    """The events of a run, in order.

    Attributes:
        events: From the first to the last.
        lags: How heads and the behaviour that they are for follow each other, in sentences.
        drawing: The picture, in all sizes.
        missing: Kinds of which nothing was measured.
    """

    events: tuple[Event, ...]
    lags: tuple[str, ...]
    drawing: Markup
    missing: tuple[str, ...]


def together(found: Analysis, heads: HeadStory | None) -> Together | None:
    """Return the events of a run on one axis; None where there is nothing beside behaviour."""
    from nucleate.detect.runs.alignment import align

    events = [*_behaviour(found), *_roles(heads), *_inside(found)]
    domain = token_domain(list(found.curves.values()))
    if domain is None or len(events) < 2 or {one.kind for one in events} == {"behaviour"}:
        return None
    keyed = {str(i): one for i, one in enumerate(events)}
    aligned = align({key: [_as_assessment(one)] for key, one in keyed.items()})
    number = {placed.metric: i for i, placed in enumerate(aligned.order, 1)}
    ordered = [
        replace(
            keyed[placed.metric],
            number=number[placed.metric],
            after=tuple(sorted(number[key] for key in placed.after)),
        )
        for placed in aligned.order
    ]
    kinds = {_kind(metric, str(curve.level)) for metric, curve in found.curves.items()}
    missing = [kind for kind in ("geometry", "landscape") if kind not in kinds]
    return Together(
        tuple(ordered),
        tuple(_lags(keyed, aligned.lags)),
        Markup("").join(_draw(ordered, domain, size) for size in SIZES),
        (*(() if heads else ("heads",)), *missing),
    )


def _behaviour(found: Analysis) -> Iterator[Event]:
    """Yield the changes of each level's primary metric, and elsewhere the clearest sharp one."""
    rows = [row for row in verdict_rows(found) if _placed(row)]
    rows = [row for row in rows if _kind(row.metric, row.level) == "behaviour"]
    first = by_metric(rows)
    for metric in found.primary.values():
        if metric in first:
            yield _event(first[metric], "behaviour")
    covered = {str(level) for level in found.primary}
    others = sorted((row for row in rows if row.sharp and row.level not in covered), key=_clarity)
    for level in dict.fromkeys(row.level for row in others):
        yield _event(next(row for row in others if row.level == level), "behaviour")


def _roles(heads: HeadStory | None) -> Iterator[Event]:
    """Yield for the leading head of each role when it took it, and a sharp change of its score."""
    seen: set[str] = set()
    for one in heads.held if heads else ():
        if one.role in seen:
            continue
        seen.add(one.role)
        name = f"{one.head} {one.role}"
        level = str(Level.MECHANISM)
        if one.before > 0:
            at = math.sqrt(one.before * one.since)
            says, stem = "has the role since", f"role:{one.role}"
            yield Event(0, f"{name}: role taken", "heads", level, says, True,
                        at, one.before, one.since, (), stem)  # fmt: skip
        if one.row is not None and one.row.sharp and _placed(one.row):
            yield replace(_event(one.row, "heads"), what=f"{name}: score")


def _inside(found: Analysis) -> Iterator[Event]:
    rows = [row for row in verdict_rows(found) if _placed(row)]
    for kind in ("geometry", "routers", "landscape"):
        own = [row for row in rows if _kind(row.metric, row.level) == kind]
        for row in sorted(own, key=_clarity)[:MOST]:
            yield _event(row, kind)


def _kind(metric: str, level: str) -> str:
    for begin, kind in INSIDE.items():
        if metric.startswith(begin):
            return kind
    return {"landscape": "landscape", "mechanism": "heads"}.get(level, "behaviour")


def _placed(row: VerdictRow) -> bool:
    return math.isfinite(row.at) and row.lo > 0 and math.isfinite(row.hi)


def _clarity(row: VerdictRow) -> tuple[bool, float]:
    return not row.sharp, row.p if row.p is not None else 1.0


def _event(row: VerdictRow, kind: str) -> Event:
    inside = kind not in ("behaviour", "heads")  # several measures of one layer
    what = capital((plain_name if inside else metric_name)(row.metric))
    return Event(
        0, what, kind, row.level, row.says, row.sharp, row.at, row.lo, row.hi, (), row.stem
    )


def _as_assessment(event: Event) -> Assessment:
    return Assessment(event.what, Verdict.STEP_LIKE, at=event.at, lo=event.lo, hi=event.hi)


def _lags(events: dict[str, Event], lags: Sequence[Lag]) -> Iterator[str]:
    """Yield how far a behaviour and the head that took the role for it lie apart."""
    for lag in lags:
        one, other = events[lag.first], events[lag.second]
        for head, behaviour, sign in ((one, other, -1.0), (other, one, 1.0)):
            role = head.stem.removeprefix("role:")
            if role != head.stem and behaviour.stem == BEHAVIOUR_OF.get(role):
                lo, hi = sorted((sign * lag.lo, sign * lag.hi))
                words = "not resolved" if lag.leads == "not resolved" else "resolved"
                middle = change(sign * lag.lag, "")
                yield (
                    f"{head.what.removesuffix(': role taken')} against "
                    f"{behaviour.what[:1].lower()}{behaviour.what[1:]}: "
                    f"{middle} decades ({change(lo, '')} to {change(hi, '')}), {words}"
                )


def _draw(events: Sequence[Event], domain: tuple[float, float], size: Size) -> Markup:
    """Draw a strip for each event: its interval and its place; hollow where it is not sharp."""
    label = LABEL[size.name]
    row = ROW if label else 44.0
    top, right = 8.0, size.width - 14.0
    bottom = top + row * len(events) + 4
    x = svg.Scale(*domain, max(label, 14.0), right, log=True)
    parts = [axis_x(x, bottom, top, size.num_ticks)]
    for index, one in enumerate(events):
        y = top + row * (index + (0.5 if label else 0.68))
        colour = f"lv-{one.level}"
        height = y + 4 if label else y - 11
        parts.append(svg.text(18, height, str(one.number), class_="tick", text_anchor="end"))
        parts.append(svg.text(28, height, one.what, class_=f"label {colour}"))
        parts.append(svg.line(x.start, y, x.end, y, class_="grid"))
        left, end = x.clip(one.lo), x.clip(one.hi)
        parts.append(svg.line(left, y, max(end, left + 1), y, class_=f"whisker {colour}"))
        shape = f"dot {colour}" if one.sharp else f"dot hollow {colour}"
        at = x.clip(one.at)
        if one.stem.startswith("role:"):
            parts.append(svg.rect(at - 4, y - 4, 8, 8, class_=f"dot {colour}"))
        else:
            parts.append(svg.tag("circle", cx=at, cy=y, r=4.5, class_=shape))
    return svg.tag(
        "svg",
        *parts,
        viewBox=f"0 0 {size.width:g} {bottom + 26:g}",
        class_=f"chart {size.name}",
        role="img",
        aria_label="Changes in order: " + "; ".join(one.what for one in events),
    )
