"""One engine for all checkpoints of a series: weights into the same module, then every probe."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import torch

from nucleate.core import CheckpointError, Reading
from nucleate.core.heads import HeadTable
from nucleate.models.series import Member, SeriesModel, Weights, open_weights
from nucleate.models.series.hub import fetch
from nucleate.models.series.judge import impossible
from nucleate.models.series.sketch import Sketch, take_sketch
from nucleate.observe.observer import checked
from nucleate.probes.suites import Suite
from nucleate.probes.view import ModelView

PIECE = 2**22
"""Bytes read ahead at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one part of the suite gave for one checkpoint.

    Attributes:
        part: Its number in the suite.
        readings: What it measured; empty when it failed.
        seconds: How long it took.
        error: Why it failed; empty when it did not.
        heads: What is known of every head, from the part that assigns roles.
        remarks: Why numbers are missing.
    """

    part: int
    readings: tuple[Reading, ...]
    seconds: float
    error: str = ""
    heads: HeadTable | None = None
    remarks: tuple[str, ...] = ()


class Engine:
    """Asks a suite of one checkpoint after another.

    Args:
        suite: Tokenised once, for the whole series.
        device: Where to compute.
        dtype: Of the weights.
    """

    def __init__(
        self, suite: Suite, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self._suite, self._device, self._dtype = suite, device, dtype
        self._module: SeriesModel | None = None
        self.loading = 0.0

    def ask(self, weights: Weights, skip: Collection[int] = ()) -> Iterator[Answer]:
        """Load a checkpoint and yield the answer of each part of the suite as it comes.

        Args:
            weights: The checkpoint.
            skip: Parts that are not to be asked.

        Raises:
            CheckpointError: It does not fit the series.
        """
        begin = time.perf_counter()
        if self._module is None:
            self._module = SeriesModel(weights, self._device, self._dtype)
        view = ModelView(self._module.load(weights))
        self.loading += time.perf_counter() - begin
        for number, (probe, items) in enumerate(self._suite.parts):
            if number in skip:
                continue
            begin, readings, error = time.perf_counter(), list[Reading](), ""
            said = len(view.remarks)
            try:
                with torch.no_grad():
                    readings = checked(probe.measure(view, items))
            except Exception as problem:  # a probe that fails must not end the scan
                error = f"{probe.name}: {type(problem).__name__}: {problem}"
            seconds, table = time.perf_counter() - begin, view.heads
            whole = table if table.asked and probe.name == "roles" else None
            remarks = view.remarks[said:]
            yield Answer(number, tuple(readings), seconds, error, whole, remarks)


@dataclass(frozen=True, slots=True)
class Ready:
    """A checkpoint that may be loaded, and its sketch where that was taken just now."""

    weights: Weights
    sketch: Sketch | None = None


def make_ready(member: Member) -> Ready:
    """Open a checkpoint; one of the hub is fetched first, and looked at before it is trusted.

    Raises:
        CheckpointError: It cannot be used.
    """
    if not member.remote:
        return Ready(open_weights(member))
    here = fetch(member)
    weights = open_weights(here)
    sketch = take_sketch(here, weights)
    if problem := impossible(sketch):
        raise CheckpointError(problem, where=f"{member.repo}@{member.revision}")
    return Ready(weights, sketch)


class Ahead:
    """Gets checkpoints ready in a background thread: fetched, looked at, and in the page cache.

    Reading a file ahead fills the cache of the operating system, not the memory of this process,
    so that copying the weights into the module later never waits for the disk.
    """

    def __init__(self) -> None:
        self._stop = Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._futures: dict[str, Future[Ready]] = {}

    def begin(self, member: Member) -> None:
        """Begin to get a checkpoint ready."""
        if member.name not in self._futures:
            self._futures[member.name] = self._pool.submit(self._get, member)

    def take(self, member: Member) -> Ready:
        """Return a checkpoint when it is ready.

        Raises:
            CheckpointError: It cannot be used.
        """
        self.begin(member)
        return self._futures.pop(member.name).result()

    def close(self) -> None:
        """Stop reading ahead."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _get(self, member: Member) -> Ready:
        ready = make_ready(member)
        buffer = bytearray(PIECE)
        for path in ready.weights.files:
            with path.open("rb", buffering=0) as file:
                while not self._stop.is_set() and file.readinto(buffer):
                    pass
        return ready
