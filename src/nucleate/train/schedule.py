"""Learning rate as a function of tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nucleate.train.recipe import ScheduleSettings

WARMUP = 100_000
"""Tokens of warm-up when a recipe names none; a tenth of the run where that is shorter."""


def lr_share(settings: ScheduleSettings, tokens: int, total: int) -> float:
    """Return the share of the peak learning rate for a step that begins after `tokens`.

    Args:
        settings: Kind and lengths.
        tokens: Tokens trained on before the step.
        total: Tokens of the whole run.
    """
    warmup = settings.warmup_tokens
    if warmup is None:
        warmup = min(WARMUP, total // 10)
    rise = min(1.0, (tokens + 1) / warmup) if warmup else 1.0
    if settings.kind == "constant":
        return rise
    begin = total * (1 - settings.decay_share) if settings.kind == "wsd" else float(warmup)
    if tokens <= begin or total <= begin:
        return rise
    done = min(1.0, (tokens - begin) / (total - begin))
    fall = 1 - done if settings.kind == "wsd" else 0.5 * (1 + math.cos(math.pi * done))
    return rise * (settings.final + (1 - settings.final) * fall)


class Clock:
    """How long training goes on, and the learning rate until then.

    Attributes:
        total: Tokens at which the run ends.
        decay_at: Tokens at which a decay was started by hand; None as long as the schedule decides.
        decay_from: Share of the peak from which that decay falls.
    """

    def __init__(self, settings: ScheduleSettings, total: int) -> None:
        self._settings, self.total = settings, total
        self.decay_at: int | None = None
        self.decay_from = 1.0

    def share(self, tokens: int) -> float:
        """Return the share of the peak learning rate for a step that begins after `tokens`."""
        if self.decay_at is None:
            return lr_share(self._settings, tokens, self.total)
        done = min(1.0, max(0.0, (tokens - self.decay_at) / (self.total - self.decay_at)))
        return self.decay_from - (self.decay_from - self._settings.final) * done

    def start_decay(self, at: int, length: int) -> None:
        """Fall from the present share to the final one over `length` tokens; the run ends there."""
        if length < 1:
            raise ValueError(f"a decay over {length} tokens is none")
        self.decay_from = self.share(at)
        self.decay_at, self.total = at, at + length

    def state(self) -> dict[str, Any]:
        """Return what may have changed since the start, ready for JSON."""
        return {"total": self.total, "decay_at": self.decay_at, "decay_from": self.decay_from}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state returned by `state`."""
        self.total, self.decay_at = state["total"], state["decay_at"]
        self.decay_from = state["decay_from"]
