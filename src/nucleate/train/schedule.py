"""Learning rate as a function of tokens."""

from __future__ import annotations

import math

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
