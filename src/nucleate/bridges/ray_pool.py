"""Scan on a Ray cluster: the same tasks, each worker an actor with a module of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nucleate.core import UserError
from nucleate.observe.scanning.engine import Engine
from nucleate.observe.scanning.job import Job
from nucleate.observe.scanning.work import Outcome, Task, complete_with, pack_job, unpack_job


class RayWorkers:
    """Works in actors of a Ray cluster; without one, in actors on this machine.

    Checkpoints and data are opened where the actors run, so they must lie under the same path on
    every machine (a shared file system, or the cache of the hub). Readings come back to the one
    process that writes the run folder.

    Args:
        number: How many actors.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, job: Job, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each checkpoint when it is complete.

        Raises:
            UserError: Ray is not installed, or an actor died.
        """
        ray = _ray()
        mine = not ray.is_initialized()
        if mine:
            _start(ray, self.number)
        try:
            yield from self._work(ray, job, tasks)
        finally:
            if mine:
                ray.shutdown()

    def _work(self, ray: Any, job: Job, tasks: Iterator[Task]) -> Iterator[Outcome]:
        content = ray.put(pack_job(job))
        gpu = 1 if job.device.startswith("cuda") else 0
        remote = ray.remote(num_cpus=max(1, job.threads), num_gpus=gpu)(Actor)
        idle = [remote.remote(content) for _ in range(self.number)]
        running: dict[Any, Any] = {}
        try:
            for task in tasks:
                if not idle:
                    yield self._next(ray, running, idle)
                actor = idle.pop()
                running[actor.complete.remote(_anywhere(task))] = actor
            while running:
                yield self._next(ray, running, idle)
        finally:
            for actor in (*idle, *running.values()):
                ray.kill(actor)

    @staticmethod
    def _next(ray: Any, running: dict[Any, Any], idle: list[Any]) -> Outcome:
        (done, *_), _ = ray.wait(list(running), num_returns=1)
        idle.append(running.pop(done))
        try:
            outcome: Outcome = ray.get(done)
        except ray.exceptions.RayActorError as error:
            raise UserError(
                "a Ray actor died", got=str(error), fix="call again; what is done is kept"
            ) from None
        return outcome


class Actor:
    """One worker: its engine, and the checkpoints it is given one after another."""

    def __init__(self, content: bytes) -> None:
        import torch

        job = unpack_job(content)
        torch.set_num_threads(job.threads or 1)
        self._engine = Engine(job.suite, job.device, job.dtype)

    def complete(self, task: Task) -> Outcome:
        """Ask one checkpoint everything."""
        return complete_with(self._engine, task)


def _anywhere(task: Task) -> Task:
    """Return the task with a path that does not depend on the folder a process works in."""
    return replace(task, member=replace(task.member, path=task.member.path.absolute()))


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError(
            "needs the package ray", where="--ray", fix="pip install 'nucleate[ray]'"
        ) from None
    return ray


def _start(ray: Any, number: int) -> None:
    """Join the cluster that the environment names, or begin one on this machine."""
    import os

    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        ray.init(
            num_cpus=max(number, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False
        )
