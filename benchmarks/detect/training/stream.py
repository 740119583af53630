"""Curves that keep coming: processes draw them while the network learns from those at hand."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import numpy as np
import torch

from benchmarks.detect.training.draws import CHUNK, Mix, make
from nucleate.detect.network.picture import BINS, CHANNELS


class Stream:
    """The curves drawn so far, on the device that learns from them.

    Args:
        capacity: Curves that fit; the oldest make room for new ones.
        device: Where they are kept.
    """

    def __init__(self, capacity: int, device: torch.device, pending: Queue) -> None:
        self.num = self.total = 0
        self.capacity = capacity
        self.device = device
        self._pending = pending
        self._pictures = torch.empty(
            (capacity, len(CHANNELS), BINS), dtype=torch.float16, device=device
        )
        self._targets = torch.empty((capacity, 2, BINS), dtype=torch.uint8, device=device)

    def take(self, timeout: float | None = None) -> None:
        """Add what has been drawn since; wait for the first when a timeout is given."""
        while True:
            try:
                pictures, targets = self._pending.get(timeout is not None, timeout)
            except queue.Empty:
                return
            timeout = None
            where = (torch.arange(len(pictures)) + self.total) % self.capacity
            where = where.to(self.device)
            self._pictures[where] = torch.from_numpy(pictures).to(self.device)
            self._targets[where] = torch.from_numpy(targets).to(self.device)
            self.total += len(pictures)
            self.num = min(self.total, self.capacity)

    def batch(self, num: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures ``(num, C, BINS)`` and targets ``(num, 2, BINS)`` of some curves."""
        some = torch.randint(self.num, (num,), generator=generator, device=self.device)
        return self._pictures[some].float(), self._targets[some].float()


@contextmanager
def streaming(
    seed: int, workers: int, capacity: int, device: torch.device, mix: Mix
) -> Iterator[Stream]:
    """Draw curves in `workers` processes until the block is left."""
    context = get_context("spawn")
    pending, over = context.Queue(4 * workers), context.Event()
    processes = [
        context.Process(target=_draw, args=(seed, number, mix, pending, over), daemon=True)
        for number in range(workers)
    ]
    for process in processes:
        process.start()
    try:
        yield Stream(capacity, device, pending)
    finally:
        over.set()
        for process in processes:
            process.terminate()


def _draw(seed: int, worker: int, mix: Mix, pending: Queue, over: Event) -> None:
    torch.set_num_threads(1)
    number = 0
    while not over.is_set():
        drawn = make((seed, worker, number), CHUNK, mix=mix)
        pending.put((drawn.picture, drawn.target.astype(np.uint8)))
        number += 1
