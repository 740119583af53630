"""Several scanned models as one page: scores beside each other, curves over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from nucleate.core import Curve
from nucleate.views import svg
from nucleate.views.frame import Series, axis_x, axis_y, chart, token_domain
from nucleate.views.labels import number, plain_name
from nucleate.views.report import _environment, _source, content_policy
from nucleate.views.scan_scores import score_rows, written
from nucleate.views.scan_terminal import axis_of, model_names

if TYPE_CHECKING:
    from nucleate.store import Run

WIDTH, HEIGHT, LEFT, RIGHT = 340.0, 190.0, 34.0, 10.0
MOST_COLOURS = 8


def write_comparison(runs: Sequence[Run], path: str | Path, patterns: Sequence[str] = ()) -> Path:
    """Write the page and return its path.

    Args:
        runs: Run folders of scans.
        path: The file to write; folders above it are created.
        patterns: Show the metrics that match one of these.

    Raises:
        RunFolderError: The file cannot be written.
    """
    from nucleate.core import RunFolderError
    from nucleate.store.files import write_atomic

    out = Path(path)
    page = render_comparison(runs, patterns)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, page.encode())
    except OSError as error:
        raise RunFolderError("cannot be written", where=out, got=error.strerror) from None
    return out


def render_comparison(runs: Sequence[Run], patterns: Sequence[str] = ()) -> str:
    """Return the comparison as one HTML page; the same runs give the same bytes."""
    environment = _environment()
    style = _source(environment, "report.css") + "\n" + _source(environment, "scans.css")
    script = _source(environment, "report.js")
    rows = score_rows(runs, patterns)
    names = model_names(runs)
    return environment.get_template("scans.html.j2").render(
        names=list(enumerate(names)),
        axis=axis_of(runs[0]),
        colours=[f"m{number_ % MOST_COLOURS}" for number_ in range(len(runs))],
        rows=[(row, [written(cell) for cell in row.cells]) for row in rows],
        charts=_charts(runs, names, [row.metric for row in rows if row.primary or patterns]),
        facts=[(name, _facts(run)) for name, run in zip(names, runs, strict=True)],
        style=style,
        script=script,
        policy=content_policy(style, script),
    )


def _facts(run: Run) -> dict[str, str]:
    recipe = run.manifest.recipe
    places = {step.step for step, _ in run.readings()}
    told = [e.text for e in run.events() if e.kind not in ("note", "resumed")]
    return {
        "source": str(recipe.get("scan", "")),
        "suite": ", ".join(recipe.get("sets") or [str(recipe.get("suite", ""))]),
        "checkpoints": str(len(places)),
        "left out": "; ".join(told) or "none",
    }


def _charts(
    runs: Sequence[Run], names: Sequence[str], metrics: Sequence[str]
) -> list[tuple[str, str, Markup]]:
    """Return level, name and chart of each metric of which any model has a curve."""
    curves = [run.curves() for run in runs]
    axes = [axis_of(run) for run in runs]
    if len(set(axes)) > 1:
        return []  # steps of one model beside tokens of another would mislead
    out = []
    for metric in metrics:
        own = [(n, each[metric]) for n, each in enumerate(curves) if metric in each]
        drawn = _chart(own, names, axes[0], metric)
        if drawn:
            level = str(own[0][1].level)
            out.append((level, plain_name(metric), drawn))
    return out


def _chart(
    own: Sequence[tuple[int, Curve]], names: Sequence[str], axis: str, metric: str
) -> Markup:
    domain = token_domain([curve for _, curve in own])
    if domain is None:
        return Markup("")
    x = svg.Scale(*domain, LEFT, WIDTH - RIGHT, log=True)
    values = [v for _, curve in own for v in curve.values if math.isfinite(v)]
    fraction = own[0][1].unit == "fraction"
    low, high = (0.0, 1.0) if fraction else (min(values), max(values))
    pad = 0.0 if fraction else 0.05 * (high - low) or 0.5
    y = svg.Scale(low - pad, high + pad, HEIGHT - 30.0, 14.0)
    parts = [axis_x(x, y.start, y.end, 3), axis_y(y, LEFT, WIDTH - RIGHT, y.ticks(3), digits=2)]
    chance = own[0][1].chance
    if math.isfinite(chance) and y.clip(chance) == y(chance):
        parts.append(svg.line(LEFT, y(chance), WIDTH - RIGHT, y(chance), class_="chance"))
    series = []
    for n, curve in own:
        kept = [
            (float(t), v)
            for t, v in zip(curve.tokens, curve.values, strict=True)
            if t > 0 and math.isfinite(v)
        ]
        colour = f"m{n % MOST_COLOURS}"
        xs, ys = [x(t) for t, _ in kept], [y(v) for _, v in kept]
        parts.append(svg.path(xs, ys, class_=f"line {colour}"))
        parts += [
            svg.tag("circle", cx=a, cy=b, r=3.25, class_=f"dot {colour}")
            for a, b in zip(xs, ys, strict=True)
        ]
        said = [number(v) for _, v in kept]
        series.append(Series(names[n], colour, xs, ys, said, [t for t, _ in kept], axis))
    return chart(parts, WIDTH, HEIGHT, series, class_="chart panel", label=f"{metric} over {axis}")
