"""Train the runs of a study on a Ray cluster: every task in a worker process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nucleate.bridges.ray_pool import _ray, _start
from nucleate.studies.savings.pool import THREADS, Outcome, Task, done


class RayRuns:
    """Does tasks on a Ray cluster; without one, in Ray's processes on this machine.

    Run folders and data must lie under the same path on every machine. A worker process does one
    task and ends, as the processes of `Processes` do. Ctrl-C cancels what is under way: those runs
    go on from their last periodic resume points.

    Args:
        number: How many tasks at a time.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it comes.

        Raises:
            UserError: Ray is not installed.
        """
        if not tasks:
            return
        ray = _ray()
        mine = not ray.is_initialized()
        if mine:
            _start(ray, self.number)
        try:
            yield from self._work(ray, tasks)
        finally:
            if mine:
                ray.shutdown()

    def _work(self, ray: Any, tasks: Sequence[Task]) -> Iterator[Outcome]:
        threads = {"env_vars": dict.fromkeys(THREADS, "1")}
        remote = ray.remote(num_cpus=1, max_calls=1, max_retries=0, runtime_env=threads)(done)
        waiting = list(reversed(tasks))
        running: dict[Any, str] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.number:
                    task = waiting.pop()
                    running[remote.remote(task)] = task.key
                (reference, *_), _ = ray.wait(list(running), num_returns=1)
                yield self._received(ray, reference, running.pop(reference))
        finally:
            for reference in running:
                ray.cancel(reference, force=True)

    @staticmethod
    def _received(ray: Any, reference: Any, key: str) -> Outcome:
        try:
            outcome: Outcome = ray.get(reference)
        except ray.exceptions.RayError as error:
            return Outcome(key, error=f"a Ray worker died: {type(error).__name__}")
        return outcome
