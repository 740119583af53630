"""One curve: transitions that a smooth trend cannot explain, or what else may be said of it."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from nucleate.core import Assessment, Transition
from nucleate.detect.describe import describe
from nucleate.detect.events import GridCache, find_events
from nucleate.detect.series import clean

ALPHA = 0.005
"""Default size of the test of sharpness; a positive ΔBIC is asked for as well."""

MAX_WIDTH = 0.40
"""Changes wider than this (10–90 %, decades) are broad rises, not transitions."""

NUM_BOOTSTRAP = 500


def transitions(
    steps: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike | None = None,
    *,
    metric: str = "",
    chance: float = math.nan,
    alpha: float = ALPHA,
    max_width: float = MAX_WIDTH,
    seed: int = 0,
    n_bootstrap: int = NUM_BOOTSTRAP,
) -> list[Transition]:
    """Return the changes of a curve that a smooth trend with autocorrelated noise cannot explain.

    Arguments as in `assess`.

    Example:
        >>> import numpy as np
        >>> tokens = np.logspace(4, 7, 40)
        >>> wiggle = 0.01 * np.cos(7.0 * np.arange(40.0) ** 2)
        >>> [f"{t.at:.2g}" for t in transitions(tokens, (tokens > 3e5) + wiggle)]
        ['3.2e+05']
    """
    found = assess(
        steps,
        values,
        stderr,
        metric=metric,
        chance=chance,
        alpha=alpha,
        max_width=max_width,
        seed=seed,
        n_bootstrap=n_bootstrap,
    )
    return list(found.transitions)


def assess(
    steps: ArrayLike,
    values: ArrayLike,
    stderr: ArrayLike | None = None,
    *,
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
        stderr: Standard errors over items, shape ``(n,)``; changes below two of them are ignored.
        metric: Name, copied into the result.
        chance: Value of a model that knows nothing (NaN when there is none).
        alpha: Size of the test of sharpness.
        max_width: Widest change, 10–90 % in decades, that may be called sharp.
        seed: Seed of the simulated null distributions and of the posterior draws.
        n_bootstrap: Number of simulated null curves per setting of the null.
        cache: Grids and null distributions shared with other curves (overrides `seed`,
            `n_bootstrap` and `max_width`).
    """
    series = clean(steps, values, stderr)
    shared = cache or GridCache(max_width, seed, n_bootstrap)
    events = find_events(series, shared, alpha)
    return describe(series, events, shared, metric=metric, chance=chance)
