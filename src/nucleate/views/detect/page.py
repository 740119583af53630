"""What a table of curves shows as one page: no network, and complete without JavaScript."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nucleate.core import Curve, DataError, Verdict
from nucleate.core.units import tokens
from nucleate.views import labels
from nucleate.views.detect import sentences
from nucleate.views.detect.agreement import agreements
from nucleate.views.detect.changes import Change, changes, counts, disturbances, judged, strongest
from nucleate.views.detect.data import Settings
from nucleate.views.detect.limits import averaged
from nucleate.views.detect.lines import width_of
from nucleate.views.detect.numbers import between, ends, figure, signed, spaced, unit
from nucleate.views.detect.panels import panel
from nucleate.views.detect.together import rows as place_rows
from nucleate.views.document import content_policy, sources, templates, write_document
from nucleate.views.panels import lane

if TYPE_CHECKING:
    from jinja2 import Environment

    from nucleate.detect import Findings

MOST_PANELS = 24
"""Curves drawn; the table and the JSON hold the rest."""

MOST_ROWS = 250
"""Rows of the table; the JSON holds the rest."""

MOST_METRICS = 60
"""Metrics compared across runs."""

MOST_ASIDE = 30
"""Spikes and restarts listed."""


def write_page(findings: Findings, settings: Settings, path: str | Path) -> Path:
    """Write the page and return its path.

    Args:
        findings: What it shows.
        settings: What decided the analysis; shown under the methods.
        path: The file to write; folders above it are created.

    Raises:
        DataError: The file cannot be written.
    """
    return write_document(render_page(findings, settings), path, DataError)


def render_page(findings: Findings, settings: Settings) -> str:
    """Return the page; the same findings give the same bytes."""
    environment = _environment()
    style = sources(environment, "report.css", "detect.css")
    script = sources(environment, "report.js")
    return environment.get_template("detect.html.j2").render(
        **_content(findings, settings),
        style=style,
        script=script,
        policy=content_policy(style, script),
    )


def _content(findings: Findings, settings: Settings) -> dict[str, Any]:
    """Return everything that the template says; all of it is escaped there."""
    book = findings.book
    rows = changes(findings)
    curves = strongest(rows)
    domain = sentences.extent(book)
    drawable = domain is not None and domain[0] < domain[1]
    listed = rows[:MOST_ROWS]
    aside = [
        sentences.disturbance(run, change, book.axis, len(book.runs) > 1)
        for run, change in disturbances(findings)
    ]
    return {
        "book": book,
        "name": Path(book.source).name or book.source,
        "unit": unit(book.axis),
        "size": sentences.size_of(book),
        "flags": findings.flags,
        "story": sentences.story(rows, book.axis, settings.max_width),
        "figures": _figures(findings, rows),
        "panels": _panels(rows, findings, domain) if domain and drawable else [],
        "num_curves": len(curves),
        "rows": listed,
        "more": len(rows) - len(listed),
        "lanes": {id(row): lane(domain, row.row) for row in listed} if domain and drawable else {},
        "agreements": agreements(rows)[:MOST_METRICS],
        "aside": aside[:MOST_ASIDE],
        "more_aside": max(len(aside) - MOST_ASIDE, 0),
        "together": findings.together if len(findings.book) > 1 else None,
        "places": {
            id(result): place_rows(result.marks, domain if drawable else None)
            for part in (findings.together.parts if findings.together else ())
            for result in part.results
        },
        "averaged": averaged(rows),
        "settings": settings,
        "version": settings.version,
        "at_zero": any(float(curve.tokens.min(initial=1.0)) <= 0 for _, curve in book.curves()),
        "kink": Verdict.KINK,
    }


def _figures(findings: Findings, rows: Sequence[Change]) -> list[tuple[str, str]]:
    """Return the key figures as (name, value): how many curves each verdict was passed on."""
    return [("curves", spaced(len(findings.book)))] + [
        (says, spaced(num)) for says, num in counts(rows).items()
    ]


def _panels(
    rows: Sequence[Change], findings: Findings, domain: tuple[float, float]
) -> list[tuple[Change, Markup]]:
    """Draw the curves with the strongest evidence, other runs of the same metric behind each."""
    by_curve: dict[tuple[str, str], list[Change]] = {}
    for row in rows:
        by_curve.setdefault((row.run, row.metric), []).append(row)
    out = []
    for (run, metric), members in list(by_curve.items())[:MOST_PANELS]:
        others = _others(findings.book.runs, run, metric)
        out.append((members[0], panel(members, others, domain)))
    return out


def _others(runs: Mapping[str, Mapping[str, Curve]], run: str, metric: str) -> list[Curve]:
    return [
        judged(curves[metric]) for name, curves in runs.items() if name != run and metric in curves
    ]


@cache
def _environment() -> Environment:
    made = templates("nucleate.views.detect", "nucleate.views")
    made.filters |= {
        "tokens": tokens,
        "number": labels.number,
        "figure": figure,
        "signed": signed,
        "ends": ends,
        "between": between,
        "width": width_of,
        "probability": labels.probability,
        "capital": labels.capital,
    }
    made.globals |= {"span": labels.span, "isfinite": math.isfinite, "id": id}
    return made
