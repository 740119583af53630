"""One curve: transitions that a smooth trend cannot explain, or what else may be said of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nucleate.core import Assessment, Transition
from nucleate.detect.cache import GridCache
from nucleate.detect.describe import describe
from nucleate.detect.events import find_events
from nucleate.detect.runs.resolution import binomial_stderr
from nucleate.detect.series import clean

ALPHA = 0.01
"""Default size of the test of sharpness; kinks are tested at a share of it."""

MAX_WIDTH = 0.40
"""Changes as wide as this (10–90 %, decades) or wider are broad rises, not transitions."""

NUM_BOOTSTRAP = 500


def transitions(
    steps: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike | None = None,
    **options: Any,
) -> list[Transition]:
    """Return the changes of a curve that a smooth trend with autocorrelated noise cannot explain.

    Steps and kinks are changes of the trend. Spikes and restarts are listed too, because a reader
    must know of them; their `kind` says so and their verdict is ``smooth``: they are no transition.

    Args:
        steps: Positions along training (tokens by default), shape ``(n,)``; ≤ 0 are dropped.
        values: Measured values, shape ``(n,)``; NaN and infinities are dropped.
        stderr: Standard errors, shape ``(n,)`` or one for all.
        **options: ``n`` (items behind each accuracy), ``lr`` (learning rates), ``metric``,
            ``chance``, ``alpha``, ``max_width``, ``seed``, ``n_bootstrap``: see `assess`.

    Returns:
        In order of location; empty for smooth curves and with fewer than 8 usable readings.

    Example:
        >>> import numpy as np
        >>> tokens = np.logspace(4, 7, 40)
        >>> wiggle = 0.01 * np.cos(7.0 * np.arange(40.0) ** 2)
        >>> [f"{t.at:.2g}" for t in transitions(tokens, (tokens > 3e5) + wiggle)]
        ['3.2e+05']
    """
    found = assess(steps, values, stderr, **options)
    return sorted([*found.transitions, *found.disturbances], key=lambda change: change.at)


def assess(
    steps: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike | None = None,
    *,
    n: ArrayLike | None = None,
    lr: ArrayLike | None = None,
    metric: str = "",
    chance: float = math.nan,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
    cache: GridCache | None = None,
) -> Assessment:
    """Say what one curve shows: smooth, broad rise, kink or step-like.

    A curve on its own is never more than step-like: a transition candidate needs an accuracy and
    its continuous companion, see `nucleate.detect.assess_curves`.

    Args:
        steps: Positions along training (tokens by default), shape ``(n,)``; ≤ 0 are dropped.
        values: Measured values, shape ``(n,)``; NaN are dropped.
        stderr: Standard errors over items, shape ``(n,)`` or one for all. Changes below two of
            them are ignored; readings are weighted when they differ much.
        n: Items behind each accuracy, shape ``(n,)`` or one number: gives binomial standard errors
            where `stderr` is not given.
        lr: Learning rate at each reading, shape ``(n,)``: its decay is no transition.
        metric: Name, copied into the result.
        chance: Value of a model that knows nothing (NaN when there is none).
        alpha: Size of the test of sharpness.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Of simulated curves (for the test of overall change) and of posterior draws.
        n_bootstrap: Number of simulated curves.
        cache: Grids shared with other curves (overrides `seed`,
            `n_bootstrap` and `max_width`).
    """
    if stderr is None and n is not None:
        stderr = binomial_stderr(values, np.broadcast_to(np.asarray(n), np.shape(values)))
    series = clean(steps, values, stderr, lr)
    shared = cache or GridCache(max_width, seed, n_bootstrap)
    events = find_events(series, shared, alpha)
    return describe(series, events, shared, metric=metric, chance=chance)
