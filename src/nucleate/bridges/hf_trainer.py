"""Two lines for the Hugging Face Trainer: import the callback, pass it.

Example:
    >>> from nucleate.bridges.hf_trainer import NucleateCallback        # doctest: +SKIP
    >>> Trainer(..., callbacks=[NucleateCallback("runs/a", texts=held_out)])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from nucleate.core import Step, UserError
from nucleate.observe.processes import refuse_unless_whole
from nucleate.observe.schedule import ProbeSettings
from nucleate.observe.watch import Watch, watch
from nucleate.probes.suites import Suite
from nucleate.store import Run


class NucleateCallback(TrainerCallback):  # type: ignore[misc]
    """Observe a Trainer's run; weights, optimiser and random states stay as without it.

    With several processes the main one looks and records; mistakes that all processes can see end
    in the same line in each. A Trainer that resumes from its checkpoint goes on in the run folder,
    and so does one that begins again with a smaller batch (``auto_find_batch_size``): what it had
    recorded is superseded, an event says so, and the ledger holds what it cost.
    The training loss is recorded where the Trainer logs it (``logging_steps``), and nowhere else:
    it is the Trainer's mean over the steps since its last log.

    Args:
        run: The run folder to create.
        tokenizer: The tokenizer; the Trainer's ``processing_class`` when left out.
        texts: Held-out documents to make probes from.
        suite: A suite of one's own instead.
        tokens_per_step: Tokens of one optimiser step, over all processes and accumulated batches,
            when the Trainer does not count them (``include_num_input_tokens_seen=True`` makes it
            count, over all processes too). With ``auto_find_batch_size``: of the batch asked for.
        context: Longest probe sequence, in tokens.
        train_context: Length of the training sequences, for FLOPs; `context` when left out.
        probes: Density and cost of probing.
    """

    def __init__(
        self,
        run: str | Path,
        *,
        tokenizer: Any = None,
        texts: Sequence[str] = (),
        suite: Suite | None = None,
        tokens_per_step: int | None = None,
        context: int = 256,
        train_context: int | None = None,
        probes: ProbeSettings | None = None,
    ) -> None:
        self._run, self._tokenizer = run, tokenizer
        self._options: dict[str, Any] = {
            "texts": texts,
            "suite": suite,
            "context": context,
            "train_context": train_context,
            "probes": probes,
        }
        self._tokens_per_step = tokens_per_step
        self._watch: Watch | None = None
        self._of_step: int | None = None
        self._batch, self._lr = 0, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Create the run folder and lay out the readings."""
        refuse_unless_whole(kwargs["model"])
        counts = getattr(args, "include_num_input_tokens_seen", False) not in (False, None, "no")
        if self._tokens_per_step is None and not counts:
            raise UserError(
                "the Trainer does not count tokens",
                where="NucleateCallback",
                fix="set include_num_input_tokens_seen=True or pass tokens_per_step",
            )
        if not state.is_world_process_zero:
            return
        restart, batch = "", _batch_of(state, kwargs.get("train_dataloader"))
        if self._watch is not None:  # of a training that ended by an error
            self._watch.close(finished=False)
            if _finds_batch(args) and batch < self._batch:
                restart = _again(self._batch, batch, self._watch.position.step, state.global_step)
        self._batch, self._of_step = batch, self._tokens_per_step
        if self._of_step and _finds_batch(args) and batch:  # told for the batch asked for
            self._of_step = round(self._of_step * batch / args.train_batch_size)
        tokenizer = self._tokenizer or kwargs.get("processing_class") or kwargs.get("tokenizer")
        done = (self._of_step or 0) * state.global_step or int(state.num_input_tokens_seen)
        if self._of_step and _finds_batch(args):  # the steps before may have been larger
            done = _recorded(Path(self._run), state.global_step) or done
        left = state.max_steps - state.global_step
        total = done + self._of_step * left if self._of_step else None
        self._watch = watch(
            kwargs["model"],
            tokenizer,
            run=self._run,
            total_tokens=total,
            start=Step(state.global_step, done),
            restart=restart,
            **self._options,
        )

    def on_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Remember the learning rate of the step: at its end the scheduler has gone on."""
        groups = getattr(optimizer, "param_groups", None)
        if self._watch is not None and groups:
            self._lr = float(groups[0]["lr"])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell the observer that a step is done."""
        if self._watch is None:
            return
        done = self._watch.position.tokens
        step = self._of_step or int(state.num_input_tokens_seen) - done
        self._watch.step(tokens=step, lr=self._lr)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Record the loss that the Trainer logs, at the step that it has just ended."""
        if self._watch is not None and logs and "loss" in logs:
            self._watch.loss(float(logs["loss"]), float(logs.get("grad_norm", "nan")))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the run folder."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None


def _batch_of(state: Any, loader: Any) -> int:
    """Return the rows of one batch of one process; 0 where nothing tells.

    They are those of the loader: after a resume the Trainer's state holds its checkpoint's, also
    when training begins again with fewer.
    """
    sampler = getattr(loader, "batch_sampler", None)
    rows = getattr(sampler, "batch_size", None)
    if isinstance(rows, int) and not getattr(sampler, "split_batches", False):
        return rows
    return int(getattr(state, "train_batch_size", None) or 0)


def _recorded(run: Path, step: int) -> int:
    """Return the tokens that a run folder says a step was at; 0 where it knows nothing of it."""
    if not step or not (run / "run.json").exists():
        return 0
    opened = Run.open(run)
    known = [*opened.losses()[0], *(at for at, _ in opened.readings())]
    before = max((at for at in known if 0 < at.step <= step), key=lambda at: at.step, default=None)
    return round(before.tokens * step / before.step) if before else 0


def _finds_batch(args: Any) -> bool:
    return bool(getattr(args, "auto_find_batch_size", False))


def _again(large: int, small: int, reached: int, begin: int) -> str:
    """Say that a Trainer begins again because its batch was too large; it resets no weights."""
    line = (
        f"out of memory with batches of {large}: training began again at step {begin} with {small}"
    )
    if reached > begin:
        line += f"; weights went on from step {reached}, what was recorded up to it is superseded"
    return line
