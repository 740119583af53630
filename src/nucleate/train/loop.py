"""The reference loop: one step, then observe, decide, record and keep what is needed to go on."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

import torch

from nucleate.core import (
    DISCARDED,
    CheckpointError,
    Decision,
    Event,
    LedgerEntry,
    Level,
    Reading,
    RecipeError,
    RunFolderError,
    Step,
)
from nucleate.models import save_checkpoint
from nucleate.observe.observer import Observer
from nucleate.observe.schedule import Due, ProbeSchedule, lay_out, log_spaced
from nucleate.store import Run, RunWriter, TolerantWriter
from nucleate.train.control import Controller
from nucleate.train.control.rules import LOSS
from nucleate.train.interrupt import stop_between_steps
from nucleate.train.levers import Setting
from nucleate.train.recipe import Recipe
from nucleate.train.state import load_position, load_state, save_state
from nucleate.train.training import Training
from nucleate.train.workload import Workload


class Listener(Protocol):
    """Who wants to see a run while it goes on."""

    def on_start(self, total_tokens: int, primary: Mapping[Level, str]) -> None:
        """Called once, with the length of the run and the metric stem of each level."""

    def on_step(self, step: Step, loss: float) -> None:
        """Called after every optimiser step, with the training loss in nats per token."""

    def on_readings(self, step: Step, readings: list[Reading]) -> None:
        """Called after every observation."""

    def on_decision(self, decision: Decision, done: str) -> None:
        """Called after the levers of a decision have been pulled, with what that did."""


class Loop:
    """One training run.

    Args:
        recipe: What to train, on what, for how long.
        workload: The recipe's corpus and probes.
        writer: The run folder.
        listener: Who watches.
        observed: False trains without any probe (the weights are the same, bit by bit).

    Attributes:
        unsaved: Why the present state could not be saved; empty where it was.
    """

    def __init__(
        self,
        recipe: Recipe,
        workload: Workload,
        writer: RunWriter | TolerantWriter,
        *,
        listener: Listener | None = None,
        observed: bool = True,
    ) -> None:
        self.recipe, self.workload = recipe, workload
        self.writer = TolerantWriter.around(writer)
        self.unsaved = ""
        self._listener = listener
        self.training = Training(recipe, workload, pick_device(recipe.device))
        self.step = Step(0, 0)
        self._seconds = {"training": 0.0, "checkpoints": 0.0}
        self._finite = True
        self._pulls: list[tuple[str, Setting]] = []
        self.controller = Controller(recipe.policy) if recipe.policy else None
        if self.controller and not observed and self.controller.metrics - {LOSS}:
            raise RecipeError(
                "waits for readings of probes, and none are taken",
                where="policy",
                got=", ".join(sorted(self.controller.metrics - {LOSS})),
                fix="train with the observer on",
            )
        self.observer: Observer | None = None
        self.heads: Observer | None = None
        if observed:
            self.observer, self.heads = self._make_observers()
        first = recipe.probes.first_tokens
        density = recipe.checkpoints_per_decade
        self._keep = Due(log_spaced(first, self.training.clock.total, density) if density else ())
        resume_points = range(recipe.resume_every, self.training.clock.total, recipe.resume_every)
        self._save = Due(resume_points)

    def _make_observers(self) -> tuple[Observer, Observer | None]:
        """Return who looks at behaviour, and who looks at heads, more rarely (`lay_out`)."""
        training, suite, heads = self.training, self.workload.suite, self.workload.heads
        forward = training.probe_flops
        readings, looks, share = lay_out(
            self.recipe.probes,
            training.clock.total,
            training.ledger.planned(training.clock.total, self.recipe.steps),
            suite.forward_tokens * forward,
            heads.forward_tokens * forward if heads else 0.0,
        )
        self._note(looks)
        self._note(readings)
        at_heads = None
        if heads and looks:
            at_heads = Observer(
                training.model,
                heads,
                looks.points,
                self.writer,
                flops_per_token=forward,
                budget=lambda step, passed: self._probe_budget(step, passed) * share,
            )
        at_behaviour = Observer(
            training.model,
            suite,
            readings.points,
            self.writer,
            flops_per_token=forward,
            budget=lambda step, passed: self._probe_budget(step, passed) * (1 - share),
            listener=self._listener.on_readings if self._listener else None,
        )
        return at_behaviour, at_heads

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who looks at the model: at behaviour, and at heads."""
        return tuple(one for one in (self.observer, self.heads) if one)

    def _note(self, schedule: ProbeSchedule | None) -> None:
        if schedule and schedule.note and self.writer.attempt == 1:
            self.writer.event(Event(self.step, "cost cap", schedule.note))

    def _probe_budget(self, step: Step, share: float) -> float:
        """FLOPs that probes may have taken by now, were training to end at its present costs.

        Levers change those costs, and the end, after the points were laid out.
        """
        training = self.training
        left = training.clock.total - step.tokens
        steps = -(-left // (training.stream.rows * training.stream.context))
        whole = training.ledger.total + training.ledger.planned(left, steps)
        return self.recipe.probes.cost_cap * whole * share

    def resume(self) -> None:
        """Go on from the run's resume point.

        Raises:
            CheckpointError: It is missing or damaged.
            RunFolderError: It was made with another corpus, tokenizer or probe schedule.
        """
        training = self.training
        state = load_position(self.writer.path)
        points = [point for one in self.observers for point in one.points]
        if state["data"] != self.workload.key or (points and state["points"] != points):
            raise RunFolderError(
                "corpus, tokenizer or probe items are not what this run began with",
                where=self.writer.path,
                fix="put them back, or train again in a new folder",
            )
        for lever, to in state["pulls"]:
            self._pull(lever, to)
        self.step = load_state(self.writer.path, training.model, training.optimizers)
        training.reloaded()
        training.restore(state["training"])
        self._keep.done, self._save.done = state["kept"], state["saved"]
        self._seconds = dict(state["seconds"])
        if self.observer and state["observer"]:
            self.observer.restore(state["observer"])
        if self.heads and state.get("heads"):
            self.heads.restore(state["heads"])
        if self.controller:
            self.controller.restore(state["controller"])

    def run(self) -> None:
        """Train to the end, or to the step at which Ctrl-C is pressed; both leave a resume point.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed. Whatever else ends the run (or a second Ctrl-C)
                leaves the last periodic resume point as it was.
        """
        if self._listener:
            self._listener.on_start(self.training.clock.total, self.workload.suite.primary)
        with stop_between_steps() as asked:
            while not self.ended and not asked():
                self.advance()
            stopped = asked()
        self.save()
        self._close("finished" if self.ended and not self.unsaved else "interrupted")
        if stopped:
            raise KeyboardInterrupt

    def advance(self) -> None:
        """Do one optimiser step and everything that belongs to it."""
        if self.step.step == 0 and self.controller:
            self._act(self.controller.step(self.step, math.nan))
        begin = time.perf_counter()
        loss, grad_norm, lr = self.training.step()
        self._seconds["training"] += time.perf_counter() - begin
        self._after_step(loss, grad_norm, lr)

    def pull(self, lever: str, to: Setting) -> str:
        """Pull a lever of the recipe; return in a few words what has been done.

        Raises:
            RecipeError: It cannot be pulled there, here and now.
        """
        self.recipe.levers[lever].refuse(self.training, to)
        return self._pull(lever, to)

    def _pull(self, lever: str, to: Setting) -> str:
        done = self.recipe.levers[lever].pull(self.training, to)
        self._pulls.append((lever, to))
        for observer in self.observers:
            observer.look_at(self.training.model, self.training.probe_flops)
        return done

    def _act(self, decisions: list[Decision]) -> None:
        """Record what was decided, and do it."""
        for decision in decisions:
            self.writer.decision(decision)
            done = "; ".join([self.pull(lever, to) for lever, to in decision.pulls.items()])
            self.writer.event(Event(self.step, "decision", f"{decision.rule}: {done}"))
            if self._listener:
                self._listener.on_decision(decision, done)

    @property
    def ended(self) -> bool:
        """Whether the last token of the run has been trained on."""
        return self.step.step > 0 and self.training.tokens >= self.training.clock.total

    @property
    def wall(self) -> float:
        """Seconds spent so far on steps, probes and checkpoints, over all attempts."""
        return sum(self._seconds.values()) + sum(one.seconds for one in self.observers)

    def _after_step(self, loss: float, grad_norm: float, lr: float) -> None:
        tokens = self.training.tokens
        self.step = Step(self.step.step + 1, tokens, self.training.ledger.total, self.wall, lr)
        self.writer.loss(self.step, loss, grad_norm)
        if self._finite and not math.isfinite(loss):
            self._finite = False
            self.writer.event(Event(self.step, "warning", f"the loss is {loss}: training diverged"))
        if self._listener:
            self._listener.on_step(self.step, loss)
        readings = self.observer.after_step(self.step, last=self.ended) if self.observer else []
        if self.heads:
            self.heads.after_step(self.step, last=self.ended)
        if self.controller:
            decided = self.controller.step(self.step, loss)
            whole = self.observer is None or self.observer.whole
            self._act([*decided, *self.controller.observe(self.step, readings, whole=whole)])
        if self._keep.pop(tokens):
            self._keep_checkpoint()
        if self._save.pop(tokens):
            self.save()

    def _keep_checkpoint(self) -> None:
        begin = time.perf_counter()
        folder = self.writer.checkpoints / f"step{self.step.step}"
        extra = {"tokenizer.json": self.workload.tokenizer.backend_tokenizer.to_str().encode()}
        try:
            save_checkpoint(
                folder, self.training.model, step=self.step, extra_files=extra, replace=True
            )
        except CheckpointError as error:  # a full disk: the run goes on without this one
            self.writer.failed(error)
        self._seconds["checkpoints"] += time.perf_counter() - begin

    def save(self) -> None:
        """Replace the resume point by the present state; keep the old one where that fails."""
        begin = time.perf_counter()
        state = {
            "training": self.training.state(),
            "pulls": [list(pull) for pull in self._pulls],
            "kept": self._keep.done,
            "saved": self._save.done,
            "seconds": dict(self._seconds),
            "data": self.workload.key,
            "points": [point for one in self.observers for point in one.points],
            "observer": self.observer.state() if self.observer else None,
            "heads": self.heads.state() if self.heads else None,
            "controller": self.controller.state() if self.controller else None,
        }
        training = self.training
        try:
            save_state(self.writer.path, training.model, training.optimizers, self.step, state)
            self.unsaved = ""
        except CheckpointError as error:
            self.unsaved = str(error)
            self.writer.failed(error)
        self.writer.sync()
        self._seconds["checkpoints"] += time.perf_counter() - begin

    def _close(self, status: Any) -> None:
        seconds = {**self._seconds, "probes": sum(one.seconds for one in self.observers)}
        probe_flops = sum(one.flops for one in self.observers)
        entries = self.training.ledger.entries(probe_flops, seconds)
        if discarded := Run.open(self.writer.path).discarded_flops:
            entries.append(LedgerEntry(DISCARDED, discarded))
        self.writer.ledger(entries)
        self.writer.finish(status, self.step)


def pick_device(wish: str) -> torch.device:
    """Turn ``auto`` into CUDA, MPS or CPU, whichever comes first and is there.

    Raises:
        RecipeError: A device is asked for that this machine does not have.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available()}
    there["mps"] = torch.backends.mps.is_available()
    if wish != "auto":
        if not there[wish]:
            raise RecipeError(
                "no such device here", where="device", got=wish, fix="use auto or cpu"
            )
        return torch.device(wish)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
