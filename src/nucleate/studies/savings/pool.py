"""Tasks in fresh processes of one thread each: no result depends on how many run at once."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from nucleate.core import UserError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PATIENCE = 60.0
"""Seconds that interrupted runs get to write their resume points."""


@dataclass(frozen=True)
class Task:
    """A call that needs nothing but its arguments.

    Attributes:
        key: Names the task.
        call: A function of a module.
        arguments: Passed by keyword; must be picklable.
    """

    key: str
    call: Callable[..., Any]
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        value: What the call returned; None when it failed.
        error: Why it failed, in one line; empty when it did not.
        trace: Where, for the record.
        mistake: Whether the error is a mistake in the user's input.
    """

    key: str
    value: Any = None
    error: str = ""
    trace: str = ""
    mistake: bool = False


Workers = Callable[[Sequence[Task]], Iterator[Outcome]]
"""Takes tasks and yields their outcomes as they come, in any order."""


def here(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Do tasks in this process, one after the other."""
    for task in tasks:
        yield done(task)


class Processes:
    """Runs tasks on this machine, each in a process of its own.

    Ctrl-C reaches every task once, as the interrupt that a training run answers by writing its
    resume point; a second one ends them at once.

    Args:
        number: How many at a time.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; tasks under way have ended.
        """
        waiting = list(reversed(tasks))
        running: dict[Any, tuple[str, Any]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.number:
                    task = waiting.pop()
                    process, end = _started(task)
                    running[end] = (task.key, process)
                ends: list[Any] = wait(list(running))
                for end in ends:
                    key, process = running.pop(end)
                    outcome = _received(key, end)
                    process.join()
                    end.close()
                    yield outcome
        except KeyboardInterrupt:
            _end([process for _, process in running.values()], signal.SIGINT)
            raise
        finally:
            _end([process for _, process in running.values()], signal.SIGTERM)


def _started(task: Task) -> tuple[Any, Any]:
    """Start a process that hears of Ctrl-C only through us, not even while it starts."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(task, theirs), daemon=False)
    with _one_thread(), _blocked():
        process.start()
    theirs.close()
    return process, ours


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that start meanwhile see settings for one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _blocked() -> Iterator[None]:
    """Let processes that start meanwhile inherit that SIGINT is blocked."""
    from multiprocessing import resource_tracker

    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it would unblock the signal when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(key: str, end: Connection) -> Outcome:
    try:
        outcome: Outcome = end.recv()
    except (EOFError, OSError):
        return Outcome(key, error="the process died without a word (memory?)")
    return outcome


def _end(processes: Sequence[Any], how: int) -> None:
    """Ask processes to end, wait for them, and end those that do not."""
    alive = [process for process in processes if process.is_alive()]
    for process in alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, how)
    try:
        for process in alive:
            process.join(_PATIENCE)
    finally:
        for process in alive:
            if process.is_alive():
                process.kill()
                process.join()


def _work(task: Task, end: Connection) -> None:
    """Do a task in a process of its own and send what came of it."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # Ctrl-C in the terminal is for the study's process alone, which passes it on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if hasattr(signal, "pthread_sigmask"):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        end.send(done(task))
    except KeyboardInterrupt:
        os._exit(130)
    finally:
        end.close()


def done(task: Task) -> Outcome:
    """Do a task here and now; what it raises becomes part of the outcome."""
    try:
        return Outcome(task.key, task.call(**task.arguments))
    except UserError as error:
        return Outcome(task.key, error=str(error), mistake=True)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return Outcome(task.key, error=text, trace=traceback.format_exc())


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
