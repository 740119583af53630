"""Curves, transitions and runs in a notebook: static pieces of HTML that fit light and dark pages.

No script, no class, no colour of the page: text takes the notebook's colour, and the colours of
levels stand out on white and on black alike. Every text of a run is escaped.
"""

from __future__ import annotations

from markupsafe import Markup

from nucleate.core import Curve, NucleateError, Step, Transition
from nucleate.core.display import draws
from nucleate.core.units import tokens as in_tokens
from nucleate.store import Run
from nucleate.views import svg
from nucleate.views.analysis import Analysis, analyse
from nucleate.views.charts import ladder_at
from nucleate.views.figure.sheet import written_out
from nucleate.views.frame import SIZES
from nucleate.views.labels import (
    capital,
    change,
    metric_name,
    number,
    plain_name,
    plus_minus,
    probability,
    span,
)
from nucleate.views.panels import Family, panel
from nucleate.views.rows import verdict_rows

COLOURS = {
    "paper": "none",
    "raised": "#80808022",
    "ink": "currentColor",
    "soft": "#808080",
    "hair": "#80808038",
    "axis": "#80808099",
    "cooccurrence": "#808080",
    "syntax": "#2b83c6",
    "semantics": "#d1661f",
    "narrative": "#c4579b",
    "knowledge": "#1a9166",
    "long_context": "#a07d00",
    "truth": "#7f75e0",
    "robustness": "#b0663d",
    "mechanism": "#2a8fa0",
    "landscape": "#868632",
    "loss": "#7a8699",
}
"""At least 3 : 1 against white and against the dark of notebooks."""

LISTED = 8
"""Sharp changes of a run that are listed; more are counted."""

BOX = "max-width:54em;font-variant-numeric:tabular-nums;line-height:1.5"
CELL = "text-align:left;padding:2px 14px 2px 0;vertical-align:top"
TABLE = "color:inherit;font-size:inherit;border:0;margin:6px 0"


@draws(Curve)
def curve_html(curve: Curve) -> str:
    """Draw a curve with its errors and its chance level."""
    from nucleate.detect.halfwidth import half_width

    alone = Analysis(
        name="",
        status="",
        last=curve.steps[-1] if curve.steps else Step(0, 0),
        curves={curve.metric: curve},
        primary={},
        assessments={},
        phases=(),
        claims=(),
        story=(),
        axis=curve.axis,
    )
    family = Family(curve.metric, metric_name(curve.metric), str(curve.level), (curve.metric,))
    drawn = panel(alone, family)
    tokens = curve.tokens
    told = f"{len(tokens)} reading{'s' if len(tokens) != 1 else ''}"
    if len(tokens):
        told += f", {in_tokens(tokens[0])} to {in_tokens(tokens[-1])} {curve.axis}, last "
        told += number(curve.values[-1])
        n = curve.counts[-1] if curve.counts else 0
        half = half_width(curve.metric, curve.values[-1], curve.se[-1], n)
        told += f" ± {plus_minus(half)}" if half > 0 else ""
    return _box(capital(plain_name(curve.metric)), _line(told), _drawing(drawn, 420))


@draws(Transition)
def transition_html(found: Transition) -> str:
    """Tell a transition as a small table."""
    facts = [
        ("kind", str(found.kind)),
        ("at", f"{in_tokens(found.at)} (95 % {span(found.lo, found.hi)})"),
        ("width", f"{number(found.width)} decades"),
        ("amplitude", change(found.amplitude, "")),
        ("p", probability(found.evidence.p)),
        ("q", probability(found.evidence.q)),
    ]
    rows = [
        svg.tag("tr", svg.tag("th", name, scope="row", style=CELL), svg.tag("td", said, style=CELL))
        for name, said in facts
    ]
    title = f"{capital(plain_name(found.metric))}: {found.verdict}" if found.metric else ""
    return _box(title or capital(str(found.verdict)), svg.tag("table", *rows, style=TABLE))


@draws(Run)
def run_html(run: Run) -> str:
    """Tell a run: what happened, its ladder, and its sharp changes."""
    try:
        found = analyse(run)
    except NucleateError as error:
        return _box(run.manifest.name, _line(str(error)))
    told = [svg.tag("p", sentence, style="margin:4px 0") for sentence in found.story]
    ladder = ladder_at(found, SIZES[1])
    where = f"{found.status}, {in_tokens(found.last.tokens)} {found.axis}"
    sharp = [row for row in verdict_rows(found) if row.sharp]
    sharp.sort(key=lambda row: row.metric not in found.primary.values())
    rows = [
        svg.tag(
            "tr",
            svg.tag("td", capital(plain_name(row.metric)), style=CELL),
            svg.tag("td", str(row.verdict), style=CELL),
            svg.tag("td", f"{in_tokens(row.at)} ({span(row.lo, row.hi)})", style=CELL),
            svg.tag("td", f"q {probability(row.q)}", style=CELL),
        )
        for row in sharp[:LISTED]
    ]
    more = _line(f"and {len(sharp) - LISTED} more sharp changes") if len(sharp) > LISTED else ""
    table = svg.tag("table", *rows, style=TABLE) if rows else ""
    return _box(found.name, _line(where), *told, _drawing(ladder, 720), table, more)


def _box(title: str, *parts: str) -> str:
    inside = [svg.tag("b", title), *(part for part in parts if part)]
    return str(svg.tag("div", *inside, style=BOX))


def _line(words: str) -> Markup:
    return svg.tag("div", words, style="opacity:.75")


def _drawing(drawn: Markup, width: int) -> Markup:
    """Return a drawing that shrinks with its cell, with its description for screen readers."""
    if not drawn:
        return Markup("")
    label = drawn.partition('aria-label="')[2].partition('"')[0]
    plain = written_out(str(drawn), COLOURS).replace(
        "<svg ", f'<svg role="img" aria-label="{label}" style="max-width:{width}px;width:100%" ', 1
    )
    return Markup(plain)
