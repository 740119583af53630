"""The runs that are open on the page: read as they grow, large ones in a process of their own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.core import Curve, Step
from nucleate.store import Run
from nucleate.store.files import is_locked
from nucleate.store.history import History
from nucleate.store.manifest import FILE
from nucleate.store.writer import LOCK
from nucleate.views.analysis import CACHE, fingerprint, own_curves, read_cache
from nucleate.views.page import worker
from nucleate.views.page.columns import log_size, preview
from nucleate.views.page.judging import Assessments, Judging, family_of
from nucleate.views.page.shelf import Place, Shelf
from nucleate.views.page.snapshot import BUCKETS, Snapshot, snapshot_of

if TYPE_CHECKING:
    from nucleate.views.heads import HeadStory

LARGE = 48 << 20
"""Bytes of log from which on a run is read in another process, and a preview comes first."""

SLICE = 1.5
"""Seconds that the other process reads before it tells what it has."""

OPEN = 64
"""Small runs that are kept in memory."""


@dataclass
class Opened:
    """One run that is being looked at; `mark` tells it from another of its name."""

    run: Run
    mark: tuple[int, int]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    snapshot: Snapshot | None = None
    sketch: History | None = None
    following: asyncio.Task[None] | None = None


class Desk:
    """Answers what the runs beneath a root are like now.

    Args:
        root: A folder with run folders, or one run folder.
        large: Bytes of log from which on a run counts as large.
    """

    def __init__(self, root: Path, *, large: int = LARGE) -> None:
        self.shelf = Shelf(root)
        self.judging = Judging(self._kept, self._judge)
        self._large = large
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._pools: dict[str, ProcessPoolExecutor] = {}

    def warm(self) -> None:
        """Start the other processes before anybody waits for them."""
        for name in ("reading", "judging"):
            self._pool(name).submit(os.getpid)

    async def snapshot(self, key: str) -> Snapshot | None:
        """Return a run as it is now, or None when there is none of that name.

        Raises:
            RunFolderError: It is there and cannot be read.
        """
        place = await asyncio.to_thread(self.shelf.find, key)
        if place is None:
            self._opened.pop(key, None)
            return None
        opened = await self._open(place)
        async with opened.lock:
            stamp = await asyncio.to_thread(_stamp, place.path)
            known = opened.snapshot
            if known is not None and known.stamp == stamp and known.share >= 1.0:
                return known
            size = int(stamp.partition("-")[0])
            if size < self._large:
                opened.snapshot = await asyncio.to_thread(snapshot_of, key, opened.run, stamp)
            elif opened.following is None:
                if known is None or not known.large:
                    await self._preview(place, opened, stamp)
                opened.following = asyncio.create_task(self._follow(place, opened))
            return opened.snapshot

    def run(self, key: str) -> Run:
        """Return the run folder of a snapshot that was just taken."""
        return self._opened[key].run

    async def curves(self, snapshot: Snapshot, metrics: Sequence[str]) -> dict[str, Curve]:
        """Return curves of a run, thinned; of a large one they are fetched."""
        there = {name: snapshot.curves[name] for name in metrics if name in snapshot.curves}
        missing = [name for name in metrics if name not in there]
        if not missing or not snapshot.large:
            return there
        opened = self._opened.get(snapshot.key)
        if opened is not None and opened.sketch is not None:  # only samples were read so far
            sampled = await asyncio.to_thread(worker.curves_of, opened.sketch, missing, BUCKETS)
            return there | sampled
        fetched: dict[str, Curve] = await self._call(
            "reading", worker.fetch, str(snapshot.path), missing, BUCKETS
        )
        if not fetched and opened is not None:  # that process has let go of this log
            opened.snapshot = None
        return there | fetched

    def close(self) -> None:
        """End the other processes."""
        self.judging.close()
        for opened in self._opened.values():
            if opened.following is not None:
                opened.following.cancel()
        for pool in self._pools.values():
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
        self._pools.clear()

    async def _open(self, place: Place) -> Opened:
        mark = await asyncio.to_thread(_mark, place.path)
        opened = self._opened.get(place.key)
        if opened is None or opened.mark != mark:
            self.judging.forget(place.key)
            opened = Opened(await asyncio.to_thread(Run.open, place.path), mark)
            self._opened[place.key] = opened
            while len(self._opened) > OPEN:
                self._opened.popitem(last=False)
        self._opened.move_to_end(place.key)
        return opened

    async def _preview(self, place: Place, opened: Opened, stamp: str) -> None:
        def read() -> tuple[History, worker.Look]:
            history = preview(place.path)
            return history, worker.look_at(history, 0.0, BUCKETS, opened.run.manifest.primary)

        opened.sketch, found = await asyncio.to_thread(read)
        opened.snapshot = _snapshot(place, opened.run, found, stamp + "-preview")

    async def _follow(self, place: Place, opened: Opened) -> None:
        """Read a large log in slices until its present end, and tell after each."""
        try:
            while True:
                stamp = await asyncio.to_thread(_stamp, place.path)
                found: worker.Look = await self._call(
                    "reading",
                    worker.look,
                    str(place.path),
                    SLICE,
                    BUCKETS,
                    dict(opened.run.manifest.primary),
                )
                if found.share >= 1.0 or opened.sketch is None:
                    opened.sketch = None
                    opened.snapshot = _snapshot(place, opened.run, found, stamp)
                elif opened.snapshot is not None:  # samples of everything say more than a beginning
                    opened.snapshot = replace(
                        opened.snapshot, share=found.share, stamp=f"{stamp}-{found.share:.2f}"
                    )
                if found.share >= 1.0:
                    return
        finally:
            opened.following = None

    async def _kept(self, snapshot: Snapshot) -> Assessments | None:
        if snapshot.large:
            return None

        def read() -> Assessments | None:
            opened = self._opened.get(snapshot.key)
            run = opened.run if opened else Run.open(snapshot.path)
            curves = own_curves(run.curves(), run.has_heads)
            return read_cache(snapshot.path / CACHE, fingerprint(curves)) if curves else None

        return await asyncio.to_thread(read)

    async def _judge(
        self, snapshot: Snapshot, primary: bool
    ) -> tuple[Assessments, HeadStory | None]:
        if not primary:
            whole: tuple[Assessments, HeadStory | None] = await self._call(
                "judging", worker.judge_run, str(snapshot.path)
            )
            return whole
        curves = family_of(snapshot)
        if snapshot.large:
            curves = await self._call("reading", worker.fetch, str(snapshot.path), list(curves), 0)
        found: Assessments = await self._call("reading", worker.judge_curves, curves)
        return found, None

    async def _call(self, pool: str, function: Callable[..., Any], *arguments: object) -> Any:
        loop = asyncio.get_running_loop()
        used = self._pool(pool)
        try:
            return await loop.run_in_executor(used, function, *arguments)
        except BrokenExecutor:  # killed, by an out-of-memory killer perhaps: once more
            if self._pools.get(pool) is used:
                del self._pools[pool]
            return await loop.run_in_executor(self._pool(pool), function, *arguments)

    def _pool(self, name: str) -> ProcessPoolExecutor:
        if name not in self._pools:
            self._pools[name] = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=worker.be_polite
            )
        return self._pools[name]


def _mark(path: Path) -> tuple[int, int]:
    """Return what tells a run folder from another that takes its place."""
    try:
        found = (path / FILE).stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _stamp(path: Path) -> str:
    return f"{log_size(path)}-{is_locked(path / LOCK)}"


def _snapshot(place: Place, run: Run, found: worker.Look, stamp: str) -> Snapshot:
    status = "running" if is_locked(place.path / LOCK) else "interrupted"
    if found.ended is not None:
        status = "finished" if found.ended == "finished" else "interrupted"
    reached = [found.last] if found.last else []
    reached += [curve.steps[-1] for curve in found.primary.values()]
    return Snapshot(
        key=place.key,
        path=place.path,
        stamp=stamp,
        manifest=run.manifest,
        status=status,
        last=max(reached, key=lambda step: step.tokens, default=Step(0, 0)),
        share=found.share,
        large=True,
        num_readings=found.num_readings,
        levels=found.levels,
        curves=found.primary,
        steps=found.steps,
        losses=found.losses,
        ledger=found.ledger,
        events=found.events,
        decisions=found.decisions,
        attempts=found.attempts,
        ended=found.ended,
        damaged=found.damaged,
        has_heads=found.has_heads,
    )
