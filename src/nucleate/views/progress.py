"""Turn what a training loop tells into what the live view shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nucleate.core import Curve, Decision, Level, Reading, Step
from nucleate.core.units import tokens
from nucleate.detect import level_score, running_phase
from nucleate.views.decisions import pulled
from nucleate.views.live import Progress
from nucleate.views.pace import Pace

if TYPE_CHECKING:
    from nucleate.store import Run

KEPT_LOSSES = 400


class ProgressTracker:
    """Listens to a run and hands Progress on.

    Args:
        show: Takes each Progress, e.g. `LiveView.update`.
    """

    def __init__(self, show: Callable[[Progress], None]) -> None:
        self._show = show
        self._total = 0
        self._primary: Mapping[Level, str] = {}
        self._readings: dict[str, list[tuple[Step, Reading]]] = {}
        self._metric: dict[Level, str] = {}
        self._scores: dict[Level, float] = {}
        self._phase = self._message = ""
        self._pace = Pace()
        self._losses: list[tuple[float, float]] = []
        self._stride = 1

    def on_start(self, total_tokens: int, primary: Mapping[Level, str]) -> None:
        """Learn the length of the run, and which metric stem stands for each level."""
        self._total, self._primary = total_tokens, primary

    def start_from(self, run: Run) -> None:
        """Take in what an earlier attempt has measured."""
        self._primary = {Level(level): stem for level, stem in run.manifest.primary.items()}
        by_step: dict[Step, list[Reading]] = {}
        for step, reading in run.readings():
            by_step.setdefault(step, []).append(reading)
        for step in sorted(by_step, key=lambda step: step.tokens):
            self.on_readings(step, by_step[step])
        for decision in run.decisions():
            self.on_decision(decision, pulled(decision.pulls))

    def on_step(self, step: Step, loss: float) -> None:
        """Note a step's loss and show where the run stands."""
        self._pace.note(step)
        if step.step % self._stride == 0:
            self._losses.append((step.tokens, loss))
        if len(self._losses) > 2 * KEPT_LOSSES:
            self._losses, self._stride = self._losses[::2], self._stride * 2
        self._show(
            Progress(
                step=step,
                total_tokens=self._total,
                loss=loss,
                tokens_per_second=self._pace.speed,
                eta_seconds=self._pace.left(self._total),
                phase=self._phase,
                scores=dict(self._scores),
                losses=self._losses,
                message=self._message,
            )
        )

    def on_readings(self, step: Step, readings: list[Reading]) -> None:
        """Update the levels' scores and the provisional phase."""
        stems = {stem: level for level, stem in self._primary.items()}
        for reading in readings:
            stem = reading.metric.rpartition(".")[0]
            if stem not in stems or reading.metric.endswith((".margin", ".kl")):
                continue
            self._metric[stems[stem]] = reading.metric
            self._readings.setdefault(reading.metric, []).append((step, reading))
        curves = {name: Curve.from_readings(pairs) for name, pairs in self._readings.items()}
        for level, metric in self._metric.items():
            self._scores[level] = float(level_score(curves[metric])[-1])
        self._phase = running_phase(curves, self._metric).name

    def on_decision(self, decision: Decision, done: str) -> None:
        """Show what was decided, until something else is."""
        self._message = f"at {tokens(decision.step.tokens)} tokens, {decision.rule}: {done}"
