"""Attach the observer to a training loop that one already has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from nucleate.core import Reading, Step, UserError
from nucleate.models import flops_per_token
from nucleate.observe.neutral import bare
from nucleate.observe.observer import Observer
from nucleate.observe.schedule import ProbeSettings, log_spaced, make_schedule
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, RunWriter

MIN_TEXTS = 50


class Watch:
    """An observed run; make it with `watch`.

    Attributes:
        path: The run folder.
        position: The Step reached so far.
    """

    def __init__(self, observer: Observer, writer: RunWriter, flops_per_token: float) -> None:
        self._observer, self._writer = observer, writer
        self._flops_per_token = flops_per_token
        self._begin = time.perf_counter()
        self.path = writer.path
        self.position = Step(0, 0)

    def step(
        self, *, loss: float, tokens: int, lr: float = 0.0, grad_norm: float = float("nan")
    ) -> list[Reading]:
        """Tell that one optimiser step is done; probes run here when they are due.

        Args:
            loss: Training loss of the step, in nats per token.
            tokens: Tokens of this step's batch.
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
        self._writer.loss(self.position, float(loss), float(grad_norm))
        return self._observer.after_step(self.position)

    def measure(self) -> list[Reading]:
        """Run the whole suite now, whatever the schedule says."""
        return self._observer.measure(self.position)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.finish("finished" if kind is None else "interrupted", self.position)
        self._writer.close()


def watch(
    model: Any,
    tokenizer: Any,
    *,
    run: str | Path,
    texts: Sequence[str] = (),
    suite: Suite | None = None,
    total_tokens: int | None = None,
    context: int = 256,
    probes: ProbeSettings | None = None,
) -> Watch:
    """Watch a model that somebody else trains; its weights come out bit-identical.

    Args:
        model: A causal `transformers` model, compiled or wrapped by DDP or not.
        tokenizer: Its tokenizer.
        run: The run folder to create.
        texts: Held-out documents to make probes from (at least `MIN_TEXTS`).
        suite: A suite of one's own instead.
        total_tokens: Planned length of the run; with it the cost cap can be kept.
        context: Longest probe sequence, in tokens.
        probes: Density and cost of probing.

    Raises:
        UserError: Neither texts nor a suite, or the run folder is taken.

    Example:
        >>> with watch(model, tok, run="runs/a", texts=held_out) as w:   # doctest: +SKIP
        ...     for batch in loader:
        ...         w.step(loss=train_step(batch), tokens=batch.numel())
    """
    settings = probes or ProbeSettings()
    if suite is None:
        suite = _suite_of_texts(texts, tokenizer, settings, context)
    inner = bare(model)
    forward = sum(flops_per_token(inner.config, context).values())
    points, note = log_spaced(settings.first_tokens, 10**13, settings.per_decade), ""
    if total_tokens:
        training = 3 * forward * total_tokens
        schedule = make_schedule(settings, total_tokens, training, suite.forward_tokens * forward)
        points, note = schedule.points, schedule.note
    manifest = Manifest(
        name=Path(run).name,
        recipe={"watched": type(inner).__name__, "probes": settings.model_dump(mode="json")},
        primary={str(level): stem for level, stem in suite.primary.items()},
    )
    writer = RunWriter.create(run, manifest)
    watched = Watch(
        Observer(model, suite, points, writer, flops_per_token=forward), writer, forward
    )
    if note:
        from nucleate.core import Event

        writer.event(Event(watched.position, "cost cap", note))
    return watched


def _suite_of_texts(
    texts: Sequence[str], tokenizer: Any, settings: ProbeSettings, context: int
) -> Suite:
    import numpy as np

    from nucleate.corpora.blimp import find_blimp
    from nucleate.corpora.text import Documents
    from nucleate.probes.text_suite import text_suite

    if len(texts) < MIN_TEXTS:
        raise UserError(
            "watch needs something to probe with",
            got=len(texts),
            expected=f"at least {MIN_TEXTS} held-out texts, or a suite",
            fix="pass texts=[…] or suite=…",
        )
    # One half stands for the corpus in the n-gram models, the other half is asked about.
    documents = Documents(tuple(texts[::2]), tuple(texts[1::2]), key="")
    encoded = tokenizer(list(documents.train), add_special_tokens=False)["input_ids"]
    sample = [token for ids in encoded for token in (*ids, tokenizer.eos_token_id)]
    return text_suite(
        documents,
        tokenizer,
        training_sample=np.array(sample, dtype=np.int64),
        items=settings.items,
        context=context,
        blimp=find_blimp(),
    )
