"""The reference loop: one batch, one step, then observe, record and keep what is needed to go on.

Shape legend: B rows of a batch, T tokens of a row, V vocabulary.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch.nn.functional import cross_entropy

from nucleate.core import Event, LedgerEntry, Level, Reading, RecipeError, RunFolderError, Step
from nucleate.corpora.packing import BatchStream
from nucleate.models import build, save_checkpoint
from nucleate.observe.observer import Observer
from nucleate.observe.schedule import Due, log_spaced, make_schedule
from nucleate.store import Run, RunWriter
from nucleate.train.interrupt import stop_between_steps
from nucleate.train.ledger import Ledger
from nucleate.train.optimizers import make_optimizers, peak_rates
from nucleate.train.recipe import Recipe
from nucleate.train.schedule import lr_share
from nucleate.train.state import load_state, save_state
from nucleate.train.workload import Workload


class Listener(Protocol):
    """Who wants to see a run while it goes on."""

    def on_start(self, total_tokens: int, primary: Mapping[Level, str]) -> None:
        """Called once, with the length of the run and the metric stem of each level."""

    def on_step(self, step: Step, loss: float) -> None:
        """Called after every optimiser step, with the training loss in nats per token."""

    def on_readings(self, step: Step, readings: list[Reading]) -> None:
        """Called after every observation."""


class Loop:
    """One training run.

    Args:
        recipe: What to train, on what, for how long.
        workload: The recipe's corpus and probes.
        writer: The run folder.
        listener: Who watches.
        observed: False trains without any probe (the weights are the same, bit by bit).
    """

    def __init__(
        self,
        recipe: Recipe,
        workload: Workload,
        writer: RunWriter,
        *,
        listener: Listener | None = None,
        observed: bool = True,
    ) -> None:
        self.recipe, self.workload, self.writer = recipe, workload, writer
        self._listener = listener
        self.device = pick_device(recipe.device)
        eos = workload.tokenizer.eos_token_id
        self.model = build(
            recipe.model, len(workload.tokenizer), recipe.seed, bos_token_id=eos, eos_token_id=eos
        ).to(self.device)
        self.model.train()
        self._forward = torch.compile(self.model) if recipe.compile else self.model
        self.optimizers = make_optimizers(self.model, recipe.optimizer)
        self._peaks = peak_rates(self.optimizers)
        self._parameters = list(self.model.parameters())
        self.stream = BatchStream(workload.shards, recipe.rows, recipe.context)
        self.ledger = Ledger(self.model, recipe.context, recipe.optimizer)
        self.step = Step(0, 0)
        self.total = recipe.steps * recipe.rows * recipe.context
        self._seconds = {"training": 0.0, "checkpoints": 0.0}
        self._finite = True
        self.observer = self._make_observer() if observed else None
        first = recipe.probes.first_tokens
        density = recipe.checkpoints_per_decade
        self._keep = Due(log_spaced(first, self.total, density) if density else ())
        resume_points = range(recipe.resume_every, self.total, recipe.resume_every)
        self._save = Due(resume_points)

    def _make_observer(self) -> Observer:
        cost = self.workload.suite.forward_tokens * self.ledger.forward_flops_per_token
        training = self.ledger.training_flops(self.total, self.recipe.steps)
        schedule = make_schedule(self.recipe.probes, self.total, training, cost)
        if schedule.note and self.writer.attempt == 1:
            self.writer.event(Event(self.step, "cost cap", schedule.note))
        return Observer(
            self.model,
            self.workload.suite,
            schedule.points,
            self.writer,
            flops_per_token=self.ledger.forward_flops_per_token,
            listener=self._listener.on_readings if self._listener else None,
        )

    def resume(self) -> None:
        """Go on from the run's resume point.

        Raises:
            CheckpointError: It is missing or damaged.
            RunFolderError: It was made with another corpus, tokenizer or probe schedule.
        """
        self.step, state = load_state(self.writer.path, self.model, self.optimizers)
        points = list(self.observer.points) if self.observer else []
        if state["data"] != self.workload.key or (points and state["points"] != points):
            raise RunFolderError(
                "corpus, tokenizer or probe items are not what this run began with",
                where=self.writer.path,
                fix="put them back, or train again in a new folder",
            )
        self._peaks = [
            (group, peak)
            for (group, _), peak in zip(
                peak_rates(self.optimizers), (peak for _, peak in self._peaks), strict=True
            )
        ]
        self.stream.restore(state["stream"])
        self._keep.done, self._save.done = state["kept"], state["saved"]
        self._seconds = dict(state["seconds"])
        if self.observer and state["observer"]:
            self.observer.restore(state["observer"])

    def run(self) -> None:
        """Train to the end, or to the step at which Ctrl-C is pressed; both leave a resume point.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed. Whatever else ends the run (or a second Ctrl-C)
                leaves the last periodic resume point as it was.
        """
        if self._listener:
            self._listener.on_start(self.total, self.workload.suite.primary)
        with stop_between_steps() as asked:
            while self.step.step < self.recipe.steps and not asked():
                self.advance()
            stopped = asked()
        self.save()
        self._close("interrupted" if self.step.step < self.recipe.steps else "finished")
        if stopped:
            raise KeyboardInterrupt

    def advance(self) -> None:
        """Do one optimiser step and everything that belongs to it."""
        begin = time.perf_counter()
        loss, grad_norm, lr = self._train_step()
        self._seconds["training"] += time.perf_counter() - begin
        self._after_step(loss, grad_norm, lr)

    @property
    def wall(self) -> float:
        """Seconds spent so far on steps, probes and checkpoints, over all attempts."""
        return sum(self._seconds.values()) + (self.observer.seconds if self.observer else 0.0)

    def _train_step(self) -> tuple[float, float, float]:
        share = lr_share(self.recipe.schedule, self.step.tokens, self.total)
        for group, peak in self._peaks:
            group["lr"] = peak * share
        ids_BT = torch.from_numpy(self.stream.next()).to(self.device)
        with self._autocast():
            loss, balance = next_token_loss(self._forward, ids_BT)
        (loss + balance).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.recipe.optimizer.clip)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item(), self._peaks[-1][1] * share

    def _after_step(self, loss: float, grad_norm: float, lr: float) -> None:
        steps, tokens = self.step.step + 1, self.stream.tokens_served
        flops = self.ledger.training_flops(tokens, steps)
        self.step = Step(steps, tokens, flops, self.wall, lr)
        self.writer.loss(self.step, loss, grad_norm)
        if self._finite and not math.isfinite(loss):
            self._finite = False
            self.writer.event(Event(self.step, "warning", f"the loss is {loss}: training diverged"))
        if self._listener:
            self._listener.on_step(self.step, loss)
        if self.observer:
            self.observer.after_step(self.step)
        if self._keep.pop(tokens):
            self._keep_checkpoint()
        if self._save.pop(tokens):
            self.save()

    def _keep_checkpoint(self) -> None:
        begin = time.perf_counter()
        folder = self.writer.checkpoints / f"step{self.step.step}"
        extra = {"tokenizer.json": self.workload.tokenizer.backend_tokenizer.to_str().encode()}
        save_checkpoint(folder, self.model, step=self.step, extra_files=extra, replace=True)
        self._seconds["checkpoints"] += time.perf_counter() - begin

    def save(self) -> None:
        """Replace the resume point by the present state."""
        begin = time.perf_counter()
        state = {
            "stream": self.stream.state(),
            "kept": self._keep.done,
            "saved": self._save.done,
            "seconds": dict(self._seconds),
            "data": self.workload.key,
            "points": list(self.observer.points) if self.observer else [],
            "observer": self.observer.state() if self.observer else None,
        }
        save_state(self.writer.path, self.model, self.optimizers, self.step, state)
        self.writer.sync()
        self._seconds["checkpoints"] += time.perf_counter() - begin

    def _close(self, status: Any) -> None:
        probes = self.observer
        seconds = {**self._seconds, "probes": probes.seconds if probes else 0.0}
        probe_flops = probes.flops if probes else 0.0
        entries = self.ledger.entries(self.step.tokens, self.step.step, probe_flops, seconds)
        if discarded := Run.open(self.writer.path).discarded_flops:
            entries.append(LedgerEntry("discarded work", discarded))
        self.writer.ledger(entries)
        self.writer.finish(status, self.step)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.recipe.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def next_token_loss(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Return the mean next-token loss in nats, and what the router's balance adds to the objective.

    The second is 0 for models without experts; it is trained on but not reported as loss.
    """
    config = model.config
    routed = getattr(config, "num_local_experts", 0) > 0
    extra = {"output_router_logits": True} if routed else {}
    output = model(input_ids=ids_BT, use_cache=False, **extra)
    logits_BTV = output.logits[:, :-1]
    loss = cross_entropy(logits_BTV.flatten(0, 1).float(), ids_BT[:, 1:].flatten())
    return loss, config.router_aux_loss_coef * output.aux_loss if routed else 0.0


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
