"""Steps, kinks, spikes and learning-rate decays of the third generator, at unit size."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import expit, ndtr, stdtr

from benchmarks.detect.elsewhere_trends import log_uniform

Rng = np.random.Generator

STEP_WIDTHS = (0.02, 0.35)
"""10–90 % widths of steps, in decades."""

KINK_WIDTHS = (0.005, 0.14)
"""Decades that 10–90 % of a kink's change of slope takes."""

SPIKE_WIDTHS = (0.02, 0.35)
"""Decades from the start of a spike until it is gone."""

FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "logistic": expit,
    "normal": ndtr,
    "long tails": lambda v: stdtr(3.0, v),
    "sudden start": lambda v: -np.expm1(-np.maximum(v, 0.0)),
    "sudden end": lambda v: np.exp(np.minimum(v, 0.0)),
    "ramp": lambda v: np.clip(v, 0.0, 1.0),
    "cosine": lambda v: 0.5 - 0.5 * np.cos(np.pi * np.clip(v, 0.0, 1.0)),
    "slow end": lambda v: np.exp(-np.exp(-v)),
    "slow start": lambda v: -np.expm1(-np.exp(v)),
    "two stairs": lambda v: 0.6 * expit(6.0 * v) + 0.4 * expit(6.0 * (v - 1.0)),
}
"""Shapes from 0 to 1 of a change, each over an axis of its own."""


@cache
def _quantiles(form: str) -> tuple[float, float, float]:
    """Where on its own axis a form has done 10, 50 and 90 %."""
    v = np.linspace(-12.0, 12.0, 48_001)
    done = FORMS[form](v)
    first, half, last = v[np.searchsorted(done, (0.1, 0.5, 0.9))]
    return float(first), float(half), float(last)


def change(x: np.ndarray, form: str, at: float, width: float) -> np.ndarray:
    """Return a change from 0 to 1, half done at `at`, whose 10–90 % takes `width`, shape ``(n,)``.

    ``escape`` is a logistic in the step itself, as a saddle is left; the others are `FORMS`.
    """
    if form == "escape":
        pace = np.log(9.0) / np.tanh(0.5 * np.log(10.0) * width)
        return expit(pace * (10.0 ** np.minimum(x - at, 3.0) - 1.0))
    first, half, last = _quantiles(form)
    return FORMS[form](half + (x - at) * (last - first) / width)


def draw_step(rng: Rng, x: np.ndarray, at: float, width: float) -> tuple[str, np.ndarray]:
    """Draw the form of a step and return it with its values, shape ``(n,)``."""
    form = str(rng.choice([*FORMS, "escape"]))
    return form, change(x, form, at, width)


def kink(
    x: np.ndarray, at: float, width: float, fade: float = np.inf, *, before: bool = False
) -> np.ndarray:
    """Return a curve whose slope changes by 1 per decade about `at`, shape ``(n,)``.

    Args:
        x: log10(step), shape ``(n,)``.
        at: Where half of the slope has changed.
        width: Decades that 10–90 % of the change takes.
        fade: Decades after which the new slope has fallen by a factor e.
        before: Mirrored: the slope builds up slowly and ends at the kink.
    """
    z = at - x if before else x - at
    fine = np.arange(-1.0, max(float(z.max()), 0.0) + width, width / 50.0)
    slope = change(fine, "normal", 0.0, width) * np.exp(-np.maximum(fine, 0.0) / fade)
    rise = np.r_[0.0, np.cumsum(0.5 * (slope[1:] + slope[:-1]) * np.diff(fine))]
    return np.interp(z, fine, rise)


def draw_kink(rng: Rng, x: np.ndarray, at: float, width: float) -> tuple[str, np.ndarray]:
    """Draw a kink that goes on, settles, or is the end of something, with its values."""
    form = str(rng.choice(("goes on", "settles", "ends")))
    fade = np.inf if form == "goes on" else log_uniform(rng, 0.6, 3.0)
    return form, kink(x, at, width, fade, before=form == "ends")


SPIKES = ("decay", "box", "bump", "triangle", "swing")


def spike(x: np.ndarray, form: str, start: float, width: float) -> np.ndarray:
    """Return a spike of height 1, 0 before `start` and gone `width` later, shape ``(n,)``."""
    part = (x - start) / width
    on = (part >= 0.0) & (part <= 1.0)
    if form == "decay":
        return np.where(on, (np.exp(-4.0 * part.clip(0, 1)) - np.exp(-4.0)) / -np.expm1(-4.0), 0.0)
    if form == "box":
        return on.astype(float)
    if form == "bump":
        return np.where(on, np.sin(np.pi * part.clip(0, 1)) ** 2, 0.0)
    if form == "triangle":
        return np.where(on, 1.0 - np.abs(2.0 * part - 1.0), 0.0)
    return np.where(on, np.sin(2.0 * np.pi * part.clip(0, 1)), 0.0)  # up, then below, then back


SCHEDULES = ("cosine", "linear", "wsd linear", "wsd root", "wsd cosine")


def learning_rate(
    steps: np.ndarray, form: str, warm: float, decay: float, end: float
) -> np.ndarray:
    """Return the learning rate relative to its peak, shape ``(n,)``; the last step ends the run.

    Args:
        steps: Positions, increasing, shape ``(n,)``.
        form: One of `SCHEDULES`; those that begin with ``wsd`` hold the peak until the decay.
        warm: Share of the steps that warm up linearly.
        decay: Share of the steps that a ``wsd`` decay takes.
        end: Learning rate at the end, in peaks.
    """
    done = steps / steps[-1]
    start = 1.0 - decay if form.startswith("wsd") else warm
    part = np.clip((done - start) / (1.0 - start), 0.0, 1.0)
    if form.endswith("cosine"):
        fall = 0.5 - 0.5 * np.cos(np.pi * part)
    else:
        fall = np.sqrt(part) if form.endswith("root") else part
    rate = 1.0 - (1.0 - end) * fall
    return np.minimum(rate, done / warm) if warm > 0.0 else rate


def draw_schedule(rng: Rng, steps: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """Draw a schedule: its name, its learning rate and what its decay adds (0 to 1), ``(n,)``.

    A decay adds with the learning rate it has taken away, at once or summed over the steps since.
    """
    form = str(rng.choice(SCHEDULES))
    warm, decay = float(rng.choice((0.0, 0.002, 0.01, 0.03))), rng.uniform(0.1, 0.3)
    rate = learning_rate(steps, form, warm, decay, float(rng.choice((0.0, 0.05, 0.1))))
    fine = np.linspace(0.0, 1.0, 4001) * steps[-1]
    taken = 1.0 - learning_rate(fine, form, 0.0, decay, 0.0)
    gain = taken ** rng.uniform(0.7, 1.6)
    if rng.random() < 0.5:
        gain = np.cumsum(gain)
    return form, rate, np.interp(steps, fine, gain / gain[-1])
