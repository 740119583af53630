"""Work through the checkpoints: in this process, or in several; the answers are the same."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from nucleate.core import CheckpointError, NucleateError, UserError
from nucleate.models.series import Member
from nucleate.models.series.sketch import Sketch
from nucleate.observe.scanning.engine import Ahead, Answer, Engine, Ready, make_ready
from nucleate.observe.scanning.job import Job
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite


@dataclass(frozen=True, slots=True)
class Task:
    """One checkpoint, and the parts of the suite that need not be asked again."""

    member: Member
    skip: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Answers of one checkpoint, in the order of the suite.

    Attributes:
        last: Whether nothing more comes of this checkpoint.
        problem: Why it could not be asked; empty when it could.
        sketch: Of a checkpoint that was looked at only now.
        loading: Seconds that its weights took to come into the module.
    """

    member: Member
    answers: tuple[Answer, ...] = ()
    last: bool = True
    problem: str = ""
    loading: float = 0.0
    sketch: Sketch | None = None


Worker = Callable[[Job, Iterator[Task]], Iterator[Outcome]]
"""Takes tasks as it gets to them and yields outcomes as they come."""


def work_here(job: Job, tasks: Iterator[Task]) -> Iterator[Outcome]:
    """Work in this process; the next checkpoint is read ahead while the present one is asked."""
    engine, ahead = Engine(job.suite, job.device, job.dtype), Ahead()
    try:
        task = next(tasks, None)
        while task is not None:
            try:
                ready = ahead.take(task.member)
            except CheckpointError as error:
                yield Outcome(task.member, problem=str(error))
                task = next(tasks, None)
                continue
            following = next(tasks, None)
            if following is not None:
                ahead.begin(following.member)
            yield from _ask(engine, task, ready)
            task = following
    finally:
        ahead.close()


def _ask(engine: Engine, task: Task, ready: Ready) -> Iterator[Outcome]:
    before, problem = engine.loading, ""
    try:
        for answer in engine.ask(ready.weights, task.skip):
            yield Outcome(task.member, (answer,), last=False)
    except CheckpointError as error:
        problem = str(error)
    loading = engine.loading - before
    yield Outcome(task.member, problem=problem, loading=loading, sketch=ready.sketch)


class ProcessWorkers:
    """Works in several processes of this machine, each with its own module.

    Args:
        number: How many.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, job: Job, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each checkpoint when it is complete."""
        from multiprocessing import get_context

        pool = ProcessPoolExecutor(
            self.number,
            mp_context=get_context("spawn"),
            initializer=start_worker,
            initargs=(pack_job(job),),
        )
        running: set[Future[Outcome]] = set()
        try:
            # A process that cannot begin says so here.
            _submitted(pool, _ready).result()
            for task in tasks:
                running.add(_submitted(pool, complete, task))
                if len(running) > self.number:  # one is always waiting for a free worker
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process died",
                got=str(error),
                expected="enough memory for every worker",
                fix="use fewer --workers; what is done is kept",
            ) from None
        finally:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def _submitted(pool: ProcessPoolExecutor, call: Callable[..., Any], *what: Any) -> Future[Any]:
    """Submit a call; a process that starts for it never hears of Ctrl-C, not even while it starts.

    It inherits that SIGINT is blocked; here one that comes meanwhile is delivered afterwards.
    """
    from multiprocessing import resource_tracker

    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return pool.submit(call, *what)
    resource_tracker.ensure_running()  # it would unblock the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(call, *what)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pack_job(job: Job) -> bytes:
    """Return a job as bytes that another process can unpack, items once each.

    Raises:
        UserError: The items of a probe cannot be sent to another process.
    """
    # Not the probe itself: its cost may be a lambda, and no worker asks for it.
    parts = tuple((p.name, p.level, p.unit, p.measure, items) for p, items in job.suite.parts)
    suite = job.suite
    state = (suite.name, parts, dict(suite.primary), suite.notes)
    try:
        return pickle.dumps((state, job.device, job.bf16, job.threads, job.flops))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UserError(
            "items of a probe cannot be sent to another process", got=str(error), fix="--workers 1"
        ) from None


def unpack_job(content: bytes) -> Job:
    """Return the job that `pack_job` packed."""
    (name, parts, primary, notes), device, bf16, threads, flops = pickle.loads(content)
    probes = tuple(
        (Probe(own, level, unit, _no_cost, measure), items)
        for own, level, unit, measure, items in parts
    )
    return Job(Suite(name, probes, primary, notes), device, bf16, threads, flops)


def _no_cost(items: Any) -> int:
    return 0


_engine: Engine | None = None


def _ready() -> bool:
    return _engine is not None


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def start_worker(content: bytes) -> None:
    """Make this process ready; Ctrl-C is the business of the one that started it."""
    import torch

    global _engine
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = unpack_job(content)
    if job.threads:
        torch.set_num_threads(job.threads)
    _engine = Engine(job.suite, job.device, job.dtype)


def complete(task: Task) -> Outcome:
    """Ask one checkpoint everything, in a process that `start_worker` made ready."""
    if _engine is None:
        raise NucleateError("worker was not made ready")
    return complete_with(_engine, task)


def complete_with(engine: Any, task: Task) -> Outcome:
    """Ask one checkpoint everything and return all answers at once."""
    before = engine.loading
    try:
        ready = make_ready(task.member)
        answers = tuple(engine.ask(ready.weights, task.skip))
    except CheckpointError as error:
        return Outcome(task.member, problem=str(error))
    loading = engine.loading - before
    return Outcome(task.member, answers, loading=loading, sketch=ready.sketch)
