"""Attach the observer to a training loop that one already has."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from nucleate.core import CheckpointError, Event, LedgerEntry, Mark, Reading, Step, UserError
from nucleate.models import flops_per_token
from nucleate.observe.environment import environment
from nucleate.observe.observer import Observer
from nucleate.observe.processes import bare, is_first, refuse_unless_whole
from nucleate.observe.schedule import ProbeSettings, log_spaced, make_schedule
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, RunWriter, TolerantWriter

MIN_TEXTS = 50


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
        observer: Observer | None = None,
        writer: TolerantWriter | None = None,
    ) -> None:
        self._observer, self._writer = observer, writer
        self._flops_per_token = flops_per_token
        self._begin = time.perf_counter() - start.wall
        self.path = path
        self.position = start
        self.active = observer is not None

    def step(
        self, *, loss: float, tokens: int, lr: float = 0.0, grad_norm: float = float("nan")
    ) -> list[Reading]:
        """Tell that one optimiser step is done; probes run here when they are due.

        Args:
            loss: Training loss of the step, in nats per token.
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
        if self._observer is None:
            return []
        self._observer.record("loss", self.position, float(loss), float(grad_norm))
        return self._observer.after_step(self.position)

    def measure(self) -> list[Reading]:
        """Run the whole suite now, whatever schedule and cap say."""
        return self._observer.measure(self.position) if self._observer else []

    def close(self, *, finished: bool = True) -> None:
        """Write what the run has cost, and close the run folder."""
        probes, end = self._observer, self.position
        if probes is None or self._writer is None:
            return
        if finished and not probes.readings and end.step:
            warnings.warn(
                "nucleate: no reading was taken; the run was too short for the cost cap "
                "(pass total_tokens, or probes=ProbeSettings(cost_cap=…))",
                stacklevel=2,
            )
        entries = [
            LedgerEntry("training, matrix products", end.flops),
            LedgerEntry("probes", probes.flops, probes.seconds),
            LedgerEntry("training", 0.0, end.wall - probes.seconds, Mark.MEASURED),
        ]
        probes.record("ledger", entries)
        probes.record("finish", "finished" if finished else "interrupted", end)
        self._writer.close()

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
        suite: A suite of one's own instead.
        total_tokens: Planned length of the run. With it, readings are laid out to keep to the cost
            cap; without it, a reading that would exceed the cap is skipped when it comes up.
        context: Longest probe sequence, in tokens.
        train_context: Length of the training sequences, for FLOPs; `context` when left out.
        probes: Density and cost of probing.
        start: Where training goes on from, when it was resumed; `run` then goes on too.

    Raises:
        UserError: Neither texts nor a suite, sharded weights (on every rank), or the run folder is
            taken (on rank 0).

    Example:
        >>> with watch(model, tok, run="runs/a", texts=held_out) as w:   # doctest: +SKIP
        ...     for batch in loader:
        ...         w.step(loss=train_step(batch), tokens=batch.numel())
    """
    refuse_unless_whole(model)
    if suite is None:
        _refuse_without_texts(texts, tokenizer)
    settings, begin = probes or ProbeSettings(), start or Step(0, 0)
    inner = bare(model)
    context = min(context, getattr(inner.config, "max_position_embeddings", None) or context)
    train_flops = forward_flops(inner, train_context or context)
    if not is_first(model):
        return Watch(Path(run), train_flops, begin)
    if settings.heads_per_decade:
        text = "nucleate: heads_per_decade has no effect here; only a recipe looks at heads"
        warnings.warn(text, stacklevel=2)
    if suite is None:
        suite = _suite_of_texts(texts, tokenizer, settings, context)
    probe_flops = forward_flops(inner, context)
    points, note = log_spaced(settings.first_tokens, 10**13, settings.per_decade), ""
    if total_tokens:
        schedule = make_schedule(
            settings,
            total_tokens,
            3 * train_flops * total_tokens,
            suite.forward_tokens * probe_flops,
        )
        points, note = schedule.points, schedule.note
    manifest = Manifest(
        name=Path(run).name,
        recipe={"watched": type(inner).__name__, "probes": settings.model_dump(mode="json")},
        environment=environment(next(inner.parameters()).device),
        primary={str(level): stem for level, stem in suite.primary.items()},
    )
    goes_on = begin.step > 0 and (Path(run) / "run.json").exists()
    opened = RunWriter.resume(run, begin) if goes_on else RunWriter.create(run, manifest)
    writer = TolerantWriter(opened)
    observer = Observer(
        model,
        suite,
        tuple(point for point in points if point > begin.tokens),
        writer,
        flops_per_token=probe_flops,
        budget=None if total_tokens else lambda step, _: settings.cost_cap * step.flops,
    )
    for text in (note, *suite.notes):
        if text and not goes_on:
            writer.event(Event(begin, "note", text))
    return Watch(writer.path, train_flops, begin, observer=observer, writer=writer)


def forward_flops(model: Any, context: int) -> float:
    """FLOPs of one token forward: by part where the architecture is known, else 2 per parameter."""
    try:
        return float(sum(flops_per_token(model.config, context).values()))
    except CheckpointError:
        return 2.0 * float(sum(parameter.numel() for parameter in model.parameters()))


def _refuse_without_texts(texts: Sequence[str], tokenizer: Any) -> None:
    if tokenizer is None:
        raise UserError("watch needs the model's tokenizer", fix="pass it (tokenizer=…)")
    if len(texts) < MIN_TEXTS:
        raise UserError(
            "watch needs something to probe with",
            got=len(texts),
            expected=f"at least {MIN_TEXTS} held-out texts, or a suite",
            fix="pass texts=[…] or suite=…",
        )


def _suite_of_texts(
    texts: Sequence[str], tokenizer: Any, settings: ProbeSettings, context: int
) -> Suite:
    import numpy as np

    from nucleate.corpora.blimp import find_blimp
    from nucleate.corpora.text import Documents
    from nucleate.corpora.tokenizer import begin_token
    from nucleate.probes.text_suite import text_suite

    # One half stands for the corpus in the n-gram models, the other half is asked about.
    documents = Documents(tuple(texts[::2]), tuple(texts[1::2]), key="")
    encoded = tokenizer(list(documents.train), add_special_tokens=False)["input_ids"]
    end = begin_token(tokenizer)
    sample = [token for ids in encoded for token in (*ids, end)]
    return text_suite(
        documents,
        tokenizer,
        training_sample=np.array(sample, dtype=np.int64),
        items=settings.items,
        context=context,
        blimp=find_blimp(),
    )
