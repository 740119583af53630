"""The parts of a run's page: the sections of the report, and what only a live page can say."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from nucleate.core import Curve, Step
from nucleate.core.units import seconds, si, tokens
from nucleate.views.analysis import Analysis, composed, own_curves
from nucleate.views.charts import ladder
from nucleate.views.decisions import told
from nucleate.views.document import environment
from nucleate.views.facts import costs, created, happenings, reproduce, settings_text
from nucleate.views.frame import token_domain
from nucleate.views.headmap import head_map
from nucleate.views.labels import number
from nucleate.views.losschart import loss_chart
from nucleate.views.page.ending import ending
from nucleate.views.page.evidence import watched
from nucleate.views.page.judging import AGAIN, Judgement
from nucleate.views.page.logtail import last_lines
from nucleate.views.page.rows import last_written
from nucleate.views.page.snapshot import Snapshot
from nucleate.views.panels import lane
from nucleate.views.rows import MOVED, grouped, verdict_rows
from nucleate.views.scan_scores import scores_at_end

if TYPE_CHECKING:
    from nucleate.store import Run

NAMED = 8
"""Metrics of one verdict that are named before the rest is only counted."""

LISTED = 24
"""Verdicts up to which all stand in the table; of more, the sharp ones."""

FROM_REPORT = (
    "story",
    "ladder",
    "scores",
    "verdicts",
    "phases",
    "loss",
    "decisions",
    "cost",
    "events",
    "settings",
    "reading",
)
"""Sections that are blocks of the report's template."""

ORDER = (
    "ending",
    "story",
    "figures",
    "ladder",
    "watch",
    "verdicts",
    "phases",
    "scores",
    "loss",
    "decisions",
    "heads",
    "curves",
    "cost",
    "events",
    "log",
    "settings",
    "reading",
)

NAMES = {
    "ladder": "Ladder",
    "watch": "As it happens",
    "verdicts": "Verdicts",
    "phases": "Phases",
    "scores": "Scores",
    "loss": "Loss",
    "decisions": "Decisions",
    "heads": "Heads",
    "curves": "Curves",
    "cost": "Ledger",
    "events": "Events",
    "log": "Log",
    "settings": "Settings",
    "reading": "How to read this",
}
"""Sections in the list of contents."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of the page that is replaced when its digest changes."""

    id: str
    html: str
    digest: str


def analysis_of(snapshot: Snapshot, judgement: Judgement) -> Analysis:
    """Return what a run shows by what is known of it now; see `said_of`."""
    curves = own_curves(snapshot.curves, snapshot.has_heads)
    return replace(said_of(snapshot, judgement), curves=curves, last=snapshot.last)


def said_of(snapshot: Snapshot, judgement: Judgement) -> Analysis:
    """Return what was said of a run, with no more of its curves than was known then.

    A verdict that is older than the newest readings is never told of these.
    """
    curves = own_curves(snapshot.curves, snapshot.has_heads)
    known = {m: found for m, found in judgement.assessments.items() if m in curves}
    last = snapshot.last
    if known and last.tokens > AGAIN * judgement.tokens:
        last = max(
            (step for m in known for step in curves[m].steps if step.tokens <= judgement.at[m]),
            key=lambda step: step.tokens,
            default=Step(0, 0),
        )
    cut = {
        m: _until(curve, judgement.at[m])
        if m in known and snapshot.last.tokens > AGAIN * judgement.at[m]
        else curve
        for m, curve in curves.items()
    }
    found = composed(snapshot.manifest, snapshot.status, last, cut, known)
    return found if known else replace(found, story=(_unjudged(snapshot, judgement),))


def _until(curve: Curve, tokens: int) -> Curve:
    """Return a curve up to a place; all of it where nothing would be left."""
    count = sum(step.tokens <= tokens for step in curve.steps) or len(curve.steps)
    return replace(
        curve,
        steps=curve.steps[:count],
        values=curve.values[:count],
        se=curve.se[:count],
        counts=curve.counts[:count],
        positions=curve.positions[:count],
    )


def _unjudged(snapshot: Snapshot, judgement: Judgement) -> str:
    if not snapshot.num_readings:
        return "No readings have been taken yet, so there is nothing to tell."
    if judgement.failed:
        return f"The detector could not judge this run ({judgement.failed}); it is asked again."
    if snapshot.share < 1.0:
        return "The log is being read; the detector begins when it has been read to its end."
    return "The detector is looking at these curves; its verdicts come in as they are ready."


def parts_of(
    snapshot: Snapshot, judgement: Judgement, run: Run, now: float
) -> tuple[list[Part], Analysis]:
    """Return the parts of a run's page in order, and the analysis behind them."""
    found = analysis_of(snapshot, judgement)
    values = _values(snapshot, judgement, found, run, now)
    shown = _shown(values)
    parts = []
    for name in ORDER:
        html = _render(name, values) if shown.get(name, True) else ""
        parts.append(Part(name, html, hashlib.sha256(html.encode()).hexdigest()[:16]))
    return parts, found


def prepare() -> None:
    """Load what the first drawing needs, before anybody waits for it."""
    import nucleate.detect
    import nucleate.detect.online.detector
    import nucleate.detect.phases  # noqa: F401

    _macros()
    for name in ("report.html.j2", "heads.html.j2", "page/parts.html.j2", "page/run.html.j2"):
        environment().get_template(name)


def contents(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Return id and name of the sections that are there."""
    return [(part.id, NAMES[part.id]) for part in parts if part.id in NAMES and part.html]


def _shown(values: Mapping[str, Any]) -> dict[str, bool]:
    return {
        "ending": bool(values["ending"].headline),
        "ladder": bool(values["ladder"]),
        "watch": bool(values["watched"]),
        "verdicts": bool(values["grouped"]) and values["several"],
        "phases": bool(values["found"].claims),
        "scores": bool(values["scores"]),
        "loss": bool(values["loss"]),
        "decisions": bool(values["decisions"]),
        "heads": bool(values["heads"] or values["maps"]),
        "curves": bool(values["num_metrics"]),
        "cost": bool(values["costs"].parts),
    }


def _render(name: str, values: dict[str, Any]) -> str:
    made = environment()
    if name == "heads" and values["heads"]:
        module = made.get_template("heads.html.j2").module
        drawn = module.heads_section(values["heads"], values["found"].axis)  # type: ignore[attr-defined]
        return str(drawn).encode("utf-8", "replace").decode()
    own = "report.html.j2" if name in FROM_REPORT else "page/parts.html.j2"
    template = made.get_template(own)
    context = template.new_context({**values, **_macros()})
    drawn = "".join(template.blocks[name](context)).strip()
    if name == "verdicts" and values["unlisted"]:
        drawn += _render("unlisted", values)
    return drawn.encode("utf-8", "replace").decode()  # a name may hold half a surrogate pair


def _macros() -> dict[str, Any]:
    """Return the macros that the report's sections use; a block alone does not import them."""
    made = environment()
    shared = made.get_template("parts.html.j2").module
    scores = made.get_template("scores.html.j2").module
    return {
        "chip": shared.chip,  # type: ignore[attr-defined]
        "metric_cell": shared.metric_cell,  # type: ignore[attr-defined]
        "scores_table": scores.scores_table,  # type: ignore[attr-defined]
    }


def _values(
    snapshot: Snapshot, judgement: Judgement, found: Analysis, run: Run, now: float
) -> dict[str, Any]:
    rows = verdict_rows(said_of(snapshot, judgement))
    curves = list(found.curves.values())
    domain = token_domain(curves)
    manifest = snapshot.manifest
    return {
        "key": snapshot.key,
        "snapshot": snapshot,
        "judgement": judgement,
        "found": found,
        "manifest": manifest,
        "created": created(manifest.created),
        "ending": ending(snapshot, now, last_written(snapshot.path)),
        "figures": figures(snapshot, found),
        "ladder": ladder(found),
        "watched": watched(found.primary, found.curves, judgement.course, found.axis),
        "rows": [row for row in rows if row.sharp] if len(rows) > LISTED else rows,
        "unlisted": len({r.metric for r in rows} - {r.metric for r in rows if r.sharp})
        if len(rows) > LISTED
        else 0,
        "several": any(len(curve.steps) > 1 for curve in curves),
        "scores": scores_at_end(run, found.curves.values()) if not snapshot.large else [],
        "lanes": {id(row): lane(domain, row) for row in rows} if domain else {},
        "grouped": grouped(rows),
        "moved": MOVED,
        "named": NAMED,
        "unresolved": any(phase.name == "unresolved" for phase in found.phases),
        "levels": [str(level) for level in found.primary],
        "loss": loss_chart(snapshot.steps, snapshot.losses),
        "final_loss": snapshot.losses[-1] if snapshot.losses else math.nan,
        "heads": judgement.heads,
        "maps": [] if judgement.heads or not snapshot.has_heads else _maps(run),
        "costs": costs(snapshot.ledger),
        "decisions": told(snapshot.decisions),
        "events": happenings(snapshot.events),
        "attempts": snapshot.attempts,
        "damaged": snapshot.damaged,
        "settings": settings_text(manifest.recipe),
        "environment": settings_text({**manifest.environment, "nucleate": manifest.nucleate}),
        "seeds": manifest.seeds,
        "reproduce": reproduce(manifest),
        "at_zero": any(step.tokens <= 0 for curve in curves for step in curve.steps),
        "num_metrics": len(own_levels(snapshot)),
        "level_names": sorted(set(own_levels(snapshot).values())),
        "lines": last_lines(snapshot.path),
    }


def own_levels(snapshot: Snapshot) -> Mapping[str, str]:
    """Return the metrics that have a panel, with their levels."""
    from nucleate.views.analysis import HEAD_PROBES

    if not snapshot.has_heads:
        return snapshot.levels
    return {m: level for m, level in snapshot.levels.items() if not m.startswith(HEAD_PROBES)}


def figures(snapshot: Snapshot, found: Analysis) -> list[tuple[str, str]]:
    """Return the key figures of a run as (name, value), those that are known."""
    last = snapshot.last
    out = [(found.axis, tokens(last.tokens))] if last.tokens > 0 else []
    total = snapshot.manifest.recipe.get("tokens")
    if snapshot.status == "running" and isinstance(total, int) and total > 0:
        out.append((f"of {tokens(total)}", f"{min(last.tokens / total, 1.0):.0%}"))
    if snapshot.losses:
        out.append(("loss, nats per token", number(snapshot.losses[-1], 3)))
    if last.flops:
        out.append(("FLOPs, modelled", si(last.flops)))
    if last.wall:
        out.append(("time", seconds(last.wall)))
        if not is_scan_of(snapshot):
            out.append(("tokens per second", si(last.tokens / last.wall)))
    share = costs(snapshot.ledger).probe_share
    if math.isfinite(share):
        out.append(("spent on probes", f"{share:.1%}"))
    name = "readings" if snapshot.share >= 1.0 else "readings, sampled"
    out.append((name, f"{snapshot.num_readings:,}".replace(",", " ")))
    return out


def is_scan_of(snapshot: Snapshot) -> bool:
    """Tell whether a run was written by a scan."""
    return "scan" in snapshot.manifest.recipe


def _maps(run: Run) -> list[tuple[str, Markup, tuple[str, ...]]]:
    """Return the maps of the last look at the heads, before the detector has judged them."""
    history = run.heads()
    if not history.tables:
        return []
    last = history.tables[-1]
    return [(role, head_map(last, role), last.holders(role)) for role in last.asked]
