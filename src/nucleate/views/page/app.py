"""The routes of the live page: runs, one run, its changes, its curves, several runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from nucleate.core import RunFolderError
from nucleate.core.units import tokens
from nucleate.views.document import environment, sources
from nucleate.views.facts import created
from nucleate.views.page import compared, sections
from nucleate.views.page.desk import LARGE, Desk
from nucleate.views.page.doors import Doors
from nucleate.views.page.guard import Guard
from nucleate.views.page.rows import STATES, RunRow, run_row, tag_counts
from nucleate.views.page.snapshot import Snapshot
from nucleate.views.panels import families_of, panel

if TYPE_CHECKING:
    from starlette.requests import Request

    from nucleate.store import Run
    from nucleate.views.analysis import Analysis
    from nucleate.views.page.judging import Judgement

PANELS = 24
"""Panels of curves that are sent at once."""

KEPT = 16
"""Runs whose drawings are kept."""

ASSETS = {
    "report.css": ("text/css", ("report.css", "heads.css", "page/page.css")),
    "report.js": ("text/javascript", ("report.js",)),
    "heads.js": ("text/javascript", ("heads.js",)),
    "page.js": ("text/javascript", ("page/page.js",)),
    "live.js": ("text/javascript", ("page/live.js",)),
    "curves.js": ("text/javascript", ("page/curves.js",)),
    "list.js": ("text/javascript", ("page/list.js",)),
    "keys.js": ("text/javascript", ("page/keys.js",)),
    "icon.svg": ("image/svg+xml", ("page/icon.svg",)),
}
"""Everything that the page loads: file by file, so that no path is ever put together."""


def make_app(
    root: Path,
    doors: Doors,
    *,
    entered: Callable[[], None] | None = None,
    large: int = LARGE,
    warm: bool = False,
) -> Starlette:
    """Return the live page of the runs beneath a root as an ASGI application.

    Args:
        root: A folder with run folders, or one run folder.
        doors: Who may come in.
        entered: Called when a token was used.
        large: Bytes of log from which on a run is read in another process.
        warm: Start the other processes at once.
    """
    pages = Pages(Desk(root, large=large))

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        if warm:
            pages.desk.warm()
            await asyncio.to_thread(sections.prepare)
        yield
        pages.desk.close()

    app = Starlette(
        routes=[
            Route("/", pages.runs),
            Route("/compare", pages.compare),
            Route("/assets/{name}", pages.asset),
            Route("/live/{key:path}", pages.live),
            Route("/curves/{key:path}", pages.curves),
            Route("/run/{key:path}", pages.run),
        ],
        middleware=[Middleware(Guard, doors=doors, entered=entered)],
        exception_handlers={HTTPException: pages.missing, RunFolderError: pages.unreadable},
        lifespan=life,
    )
    app.state.pages = pages
    return app


class Pages:
    """Answers requests; every answer is made of what the desk knows.

    Args:
        desk: The runs that are open.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._drawn: dict[str, tuple[str, list[sections.Part], Analysis]] = {}

    async def runs(self, request: Request) -> Response:
        """The list of runs, those that match a search."""
        words, state = request.query_params.get("q", ""), request.query_params.get("state", "")
        everything = await asyncio.to_thread(_rows, self.desk)
        shown = [row for row in everything if row.matches(words, state)]
        names = [row.name for row in everything]
        shown.sort(key=lambda row: (row.state != "running", -row.written, row.key))
        states = [(each, sum(row.state == each for row in everything)) for each in STATES]
        return await _page(
            "runs",
            title="Runs",
            rows=shown,
            shared={name for name in names if names.count(name) > 1},
            total=len(everything),
            root=self.desk.shelf.root.name or str(self.desk.shelf.root),
            tags=tag_counts(everything),
            states=[(each, count) for each, count in states if count],
            words=words,
            state=state,
            now=time.time(),
            most=compared.MOST,
        )

    async def run(self, request: Request) -> Response:
        """One run, every section of it."""
        snapshot, run = await self._run(request)
        judgement = await self.desk.judging.of(snapshot)
        parts, found = await self._parts(snapshot, judgement, run)
        row = await asyncio.to_thread(run_row, _place(self.desk, snapshot))
        return await _page(
            "run",
            title=found.name,
            found=found,
            row=row,
            key=snapshot.key,
            manifest=snapshot.manifest,
            created=created(snapshot.manifest.created),
            seeds=snapshot.manifest.seeds,
            parts=parts,
            contents=sections.contents(parts),
            version=version(snapshot, judgement),
            news=news(snapshot, judgement),
            state=row.state,
        )

    async def live(self, request: Request) -> Response:
        """What has changed of a run since a version; nothing where nothing has."""
        snapshot, run = await self._run(request)
        judgement = await self.desk.judging.of(snapshot)
        now = version(snapshot, judgement)
        if request.query_params.get("since") == now:
            return Response(status_code=204)
        parts, _ = await self._parts(snapshot, judgement, run)
        row = await asyncio.to_thread(run_row, _place(self.desk, snapshot))
        had = dict(
            pair.split(":", 1)
            for pair in request.query_params.get("have", "").split(",")
            if ":" in pair
        )
        return JSONResponse(
            {
                "version": now,
                "state": row.state,
                "news": news(snapshot, judgement),
                "busy": judgement.working or snapshot.share < 1.0,
                "parts": [
                    {"id": part.id, "digest": part.digest, "html": part.html}
                    for part in parts
                    if had.get(part.id) != part.digest
                ],
                "contents": sections.contents(parts),
            }
        )

    async def curves(self, request: Request) -> Response:
        """Panels of curves: a search, a level, and from which panel on."""
        snapshot, _ = await self._run(request)
        judgement = await self.desk.judging.of(snapshot)
        words = request.query_params.get("q", "").casefold().split()
        level = request.query_params.get("level", "")
        try:
            start = max(0, int(request.query_params.get("start", "0")))
        except ValueError:
            start = 0
        levels = sections.own_levels(snapshot)
        members = [
            each
            for each in families_of(levels)
            if (not level or each.level == level)
            and all(word in f"{each.stem} {each.title}".casefold() for word in words)
        ]
        chosen = members[start : start + PANELS]
        wanted = [metric for each in chosen for metric in each.metrics]
        curves = await self.desk.curves(snapshot, wanted)

        def draw() -> str:
            found = sections.analysis_of(snapshot, judgement)
            return _drawn_panels(found, chosen, curves)

        drawn = await asyncio.to_thread(draw)
        return HTMLResponse(
            drawn.encode("utf-8", "replace"),
            headers={
                "x-next": str(start + PANELS if start + PANELS < len(members) else ""),
                "x-total": str(len(members)),
            },
        )

    async def compare(self, request: Request) -> Response:
        """Several runs over each other."""
        keys = list(dict.fromkeys(request.query_params.getlist("run")))[: compared.MOST]
        found: list[tuple[Snapshot, Judgement]] = []
        for key in keys:
            snapshot = await self.desk.snapshot(key)
            if snapshot is not None:
                found.append((snapshot, await self.desk.judging.of(snapshot)))
        if len(found) < 2:
            return await _page("compare", title="Compare", names=[], keys=keys, status_code=200)
        return await _page("compare", **await asyncio.to_thread(_comparison, found))

    async def asset(self, request: Request) -> Response:
        """A style sheet or script of the package."""
        entry = ASSETS.get(request.path_params["name"])
        if entry is None:
            raise HTTPException(404)
        kind, names = entry
        return Response(_asset(names), media_type=kind, headers={"cache-control": "no-cache"})

    async def missing(self, request: Request, error: Exception) -> Response:
        """A page for what is not there."""
        status = getattr(error, "status_code", 404)
        return await _page("gone", title="Not here", status_code=status, said="")

    async def unreadable(self, request: Request, error: Exception) -> Response:
        """A page for a run folder that cannot be read: which part, and what to do."""
        said = f"{getattr(error, 'what', '')}; {getattr(error, 'fix', '')}".strip("; ")
        return await _page("gone", title="Cannot be read", status_code=200, said=said)

    async def _parts(
        self, snapshot: Snapshot, judgement: Judgement, run: Run
    ) -> tuple[list[sections.Part], Analysis]:
        """Draw a run, or return what was drawn of this version already."""
        wanted = version(snapshot, judgement)
        known = self._drawn.get(snapshot.key)
        if known is None or known[0] != wanted:
            drawn = await asyncio.to_thread(
                sections.parts_of, snapshot, judgement, run, time.time()
            )
            known = (wanted, *drawn)
            self._drawn[snapshot.key] = known
            while len(self._drawn) > KEPT:
                self._drawn.pop(next(iter(self._drawn)))
        return known[1], known[2]

    async def _run(self, request: Request) -> tuple[Snapshot, Run]:
        key = request.path_params["key"]
        snapshot = await self.desk.snapshot(key)
        if snapshot is None:
            raise HTTPException(404)
        return snapshot, self.desk.run(key)


def version(snapshot: Snapshot, judgement: Judgement) -> str:
    """Return a text that changes whenever a run's page does."""
    return f"{snapshot.stamp}.{judgement.serial}.{int(judgement.working)}.{len(judgement.failed)}"


def news(snapshot: Snapshot, judgement: Judgement) -> str:
    """Say what is being worked on; empty when nothing is."""
    if snapshot.share < 1.0:
        return f"Reading the log: {snapshot.share:.0%}. Until then, samples of it are shown."
    if judgement.working:
        if judgement.assessments:
            return f"Judging again; verdicts are of {tokens(judgement.tokens)} tokens."
        return "The detector is at work; the curves are complete."
    if snapshot.large and judgement.assessments:
        return "A large run: only the metrics that stand for a level were judged."
    return ""


def _rows(desk: Desk) -> list[RunRow]:
    return [run_row(place) for place in desk.shelf.look()]


def _place(desk: Desk, snapshot: Snapshot) -> Any:
    from nucleate.views.page.shelf import Place

    return Place(snapshot.key, snapshot.path)


def _drawn_panels(found: Analysis, chosen: Sequence[Any], curves: dict[str, Any]) -> str:
    from dataclasses import replace

    from nucleate.views.rows import by_metric, verdict_rows

    shown = replace(found, curves={**found.curves, **curves})
    members = [
        (each, panel(shown, each))
        for each in chosen
        if all(m in shown.curves for m in each.metrics)
    ]
    template = environment().get_template("page/panels.html.j2")
    first = by_metric(verdict_rows(found))
    return template.render(members=members, first=first)


def _comparison(found: Sequence[tuple[Snapshot, Judgement]]) -> dict[str, Any]:
    snapshots = [snapshot for snapshot, _ in found]
    analyses = [sections.analysis_of(*each) for each in found]
    names = _names(snapshots)
    couples, pairs = compared.paired(snapshots, analyses)
    settings, more = compared.differing(snapshots)
    return {
        "title": "Compare",
        "keys": [snapshot.key for snapshot in snapshots],
        "names": names,
        "runs": list(zip(names, snapshots, analyses, strict=True)),
        "same_axis": len({each.axis for each in analyses}) == 1,
        "levels": compared.level_overlays(snapshots, analyses, names),
        "loss": compared.loss_overlay(snapshots, names),
        "changes": compared.changes_table(analyses),
        "settings": settings,
        "more_settings": more,
        "one_method": compared.of_one_method(snapshots),
        "couples": couples,
        "pairs": pairs,
        "working": any(judgement.working for _, judgement in found),
    }


def _names(snapshots: Sequence[Snapshot]) -> list[str]:
    """Return what runs are called beside each other: their names, their keys where these clash."""
    names = [snapshot.manifest.name for snapshot in snapshots]
    if len(set(names)) == len(names):
        return names
    return [snapshot.key for snapshot in snapshots]


@cache
def _asset(names: tuple[str, ...]) -> str:
    return sources(environment(), *names)


async def _page(template: str, *, status_code: int = 200, **values: Any) -> Response:
    made = environment()
    text = await asyncio.to_thread(made.get_template(f"page/{template}.html.j2").render, **values)
    # Texts of a run may hold halves of surrogate pairs, which no page can be written with.
    return HTMLResponse(text.encode("utf-8", "replace"), status_code=status_code)
