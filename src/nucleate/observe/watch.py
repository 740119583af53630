"""Attach the observer to a training loop that one already has."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from nucleate.core import CheckpointError, Event, LedgerEntry, Reading, Step, UserError
from nucleate.models import flops_per_token
from nucleate.observe.earlier import Earlier, earlier
from nucleate.observe.environment import environment
from nucleate.observe.held_out import looks_at_texts, need_texts, suite_of_texts
from nucleate.observe.observer import Observer
from nucleate.observe.processes import bare, is_first, refuse_unless_whole
from nucleate.observe.schedule import HEADS_SHARE, ProbeSettings, lay_out, log_spaced
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, RunWriter, TolerantWriter


class Watch:
    """An observed run; make it with `watch`.

    Attributes:
        path: The run folder.
        position: The Step reached so far.
        active: Whether this process looks and records; of several processes one does.
    """

    def __init__(
        self,
        path: Path,
        flops_per_token: float,
        start: Step,
        *,
        observers: Sequence[Observer] = (),
        writer: TolerantWriter | None = None,
        before: Earlier | None = None,
    ) -> None:
        self._observers, self._writer = tuple(observers), writer
        self._before, self._start = before or Earlier(), start
        self._flops_per_token = flops_per_token
        self._begin = time.perf_counter() - start.wall
        self.path = path
        self.position = start
        self.active = bool(observers)

    def step(
        self,
        *,
        tokens: int,
        loss: float | None = None,
        lr: float = 0.0,
        grad_norm: float = float("nan"),
    ) -> list[Reading]:
        """Tell that one optimiser step is done; probes run here when they are due.

        Args:
            loss: Training loss of the step, in nats per token; nothing is recorded where it is left
                out (see `loss`).
            tokens: Tokens of this step's batch, over all processes and accumulated batches.
            lr: Learning rate of the step.
            grad_norm: Norm of the gradient, if it is known.

        Returns:
            The readings taken now, often none.
        """
        done = self.position.tokens + int(tokens)
        self.position = Step(
            step=self.position.step + 1,
            tokens=done,
            flops=3 * self._flops_per_token * done,
            wall=time.perf_counter() - self._begin,
            lr=float(lr),
        )
        if not self._observers:
            return []
        if loss is not None:
            self.loss(loss, grad_norm)
        readings = [one.after_step(self.position) for one in self._observers]
        if any(readings):  # a run that is killed has its costs up to here
            self.account()
        return [reading for found in readings for reading in found]

    def loss(self, loss: float, grad_norm: float = float("nan")) -> None:
        """Record a training loss (nats per token) at the Step reached, known only after `step`."""
        if self._observers:
            self._observers[0].record("loss", self.position, float(loss), float(grad_norm))

    def measure(self) -> list[Reading]:
        """Ask everything now, of heads too where they are looked at, due or not."""
        return [reading for one in self._observers for reading in one.measure(self.position)]

    def close(self, *, finished: bool = True) -> None:
        """Write what the run has cost, and close the run folder."""
        if self._writer is None:
            return
        probes, end = self._observers[0], self.position
        if finished and not probes.readings and end.step:
            warnings.warn(
                "nucleate: no reading was taken; the run was too short for the cost cap "
                "(pass total_tokens, or probes=ProbeSettings(cost_cap=…))",
                stacklevel=2,
            )
        self.account()
        probes.record("finish", "finished" if finished else "interrupted", end)
        self._writer.close()

    def account(self) -> None:
        """Record what the run has cost up to here, all attempts together."""
        if self._observers:
            self._observers[0].record("ledger", self._costs())

    def _costs(self) -> list[LedgerEntry]:
        flops = sum(one.flops for one in self._observers)
        seconds = sum(one.seconds for one in self._observers)
        return self._before.entries(self._start, self.position, flops, seconds)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(finished=kind is None)


def watch(
    model: Any,
    tokenizer: Any,
    *,
    run: str | Path,
    texts: Sequence[str] = (),
    suite: Suite | None = None,
    total_tokens: int | None = None,
    context: int = 256,
    train_context: int | None = None,
    probes: ProbeSettings | None = None,
    start: Step | None = None,
    restart: str = "",
) -> Watch:
    """Watch a model that somebody else trains; its weights come out bit-identical.

    Where several processes train one model, every process may call it alike: rank 0 looks and
    records, and in the others the Watch only counts. No message goes between processes, so calling
    it on rank 0 alone is as good. While rank 0 looks, the others wait in their next all-reduce: a
    look must be shorter than the timeout of the process group.

    Args:
        model: A causal `transformers` model, compiled or wrapped by DDP or not, not sharded.
        tokenizer: Its tokenizer.
        run: The run folder to create.
        texts: Held-out documents to make probes from (at least `MIN_TEXTS`).
        suite: A suite of one's own instead; looks at heads need texts all the same.
        total_tokens: Planned length of the run. With it, readings are laid out to keep to the cost
            cap; without it, a reading that would exceed the cap is skipped when it comes up.
        context: Longest probe sequence, in tokens.
        train_context: Length of the training sequences, for FLOPs; `context` when left out.
        probes: Density and cost of probing, and of looks at every head (``heads_per_decade``).
        start: Where training goes on from, when it was resumed; `run` then goes on too. Without
            `total_tokens` the cap counts from there.
        restart: Why training began again at `start`, which may be 0 then: what `run` holds beyond
            it is superseded, and this line recorded. Without it a `run` at 0 must be new.

    Raises:
        UserError: Neither texts nor a suite, no `transformers` model, or sharded weights (on every
            rank); the run folder is taken, or heads cannot be looked at (`looks_at_texts`; on
            rank 0).

    Example:
        >>> with watch(model, tok, run="runs/a", texts=held_out) as w:   # doctest: +SKIP
        ...     for batch in loader:
        ...         w.step(loss=train_step(batch), tokens=batch.numel())
    """
    inner = _causal(model)
    refuse_unless_whole(model)
    if suite is None:
        need_texts(texts, tokenizer)
    settings, begin = probes or ProbeSettings(), start or Step(0, 0)
    context = min(context, getattr(inner.config, "max_position_embeddings", None) or context)
    train_flops = forward_flops(inner, train_context or context)
    if not is_first(model):
        return Watch(Path(run), train_flops, begin)
    if suite is None:
        suite = suite_of_texts(texts, tokenizer, settings, context)
    looks = looks_at_texts(texts, tokenizer, settings, context, inner)
    probe_flops = forward_flops(inner, context)
    begin = replace(begin, flops=3 * train_flops * begin.tokens)
    goes_on = bool(begin.step or restart) and (Path(run) / "run.json").exists()
    before, begin = (
        earlier(Path(run), begin, again=bool(restart)) if goes_on else (Earlier(), begin)
    )
    plans = _plans(settings, total_tokens, train_flops, probe_flops, suite, looks, begin)
    manifest = Manifest(
        name=Path(run).name,
        recipe={"watched": type(inner).__name__, "probes": settings.model_dump(mode="json")},
        environment=environment(next(inner.parameters()).device),
        primary={str(level): stem for level, stem in suite.primary.items()},
    )
    opened = RunWriter.resume(run, begin) if goes_on else RunWriter.create(run, manifest)
    writer = TolerantWriter(opened)
    observers = [
        Observer(
            model,
            plan.suite,
            tuple(point for point in plan.points if point > begin.tokens),
            writer,
            flops_per_token=probe_flops,
            budget=plan.budget,
        )
        for plan in plans
    ]
    for text in (restart,) if goes_on else (*(plan.note for plan in plans), *suite.notes):
        if text:
            writer.event(Event(begin, "note", text))
    made = Watch(writer.path, train_flops, begin, observers=observers, writer=writer, before=before)
    if goes_on:  # what was done beyond is known now, and only now
        made.account()
    return made


@dataclass(frozen=True)
class _Plan:
    """When a suite is asked, and what that may cost."""

    suite: Suite
    points: tuple[int, ...]
    note: str = ""
    budget: Callable[[Step, float], float] | None = None


def _plans(
    settings: ProbeSettings,
    total_tokens: int | None,
    train_flops: float,
    probe_flops: float,
    suite: Suite,
    looks: Suite | None,
    begin: Step,
) -> list[_Plan]:
    """Return the plan of the suite, and that of looks at heads where there are any.

    Where the length is not known, what may be spent is a share of what was trained since `begin`,
    as what was spent is counted from there too.
    """
    if total_tokens:
        readings, at_heads, _ = lay_out(
            settings,
            total_tokens,
            3 * train_flops * total_tokens,
            suite.forward_tokens * probe_flops,
            looks.forward_tokens * probe_flops if looks else 0.0,
        )
        plans = [_Plan(suite, readings.points, readings.note)]
        return plans + (
            [_Plan(looks, at_heads.points, at_heads.note)] if looks and at_heads else []
        )
    share = HEADS_SHARE if looks else 0.0

    def open_ended(what: Suite, per_decade: float, part: float) -> _Plan:
        points = log_spaced(settings.first_tokens, 10**13, per_decade)

        def earned(step: Step, _: float) -> float:
            return settings.cost_cap * (step.flops - begin.flops) * part

        return _Plan(what, points, "", earned)

    plans = [open_ended(suite, settings.per_decade, 1 - share)]
    return plans + ([open_ended(looks, settings.heads_per_decade, share)] if looks else [])


def _causal(model: Any) -> Any:
    """Return the bare model.

    Raises:
        UserError: It is no model of `transformers`.
    """
    inner = bare(model)
    if not (hasattr(inner, "config") and hasattr(inner, "parameters")):
        raise UserError(
            "watch needs a causal model of transformers",
            got=type(inner).__name__,
            fix="AutoModelForCausalLM.from_pretrained(…) loads one",
        )
    return inner


def forward_flops(model: Any, context: int) -> float:
    """FLOPs of one token forward: by part where the architecture is known, else 2 per parameter."""
    try:
        return float(sum(flops_per_token(model.config, context).values()))
    except CheckpointError:
        return 2.0 * float(sum(parameter.numel() for parameter in model.parameters()))
