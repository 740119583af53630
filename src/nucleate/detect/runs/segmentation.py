"""A second opinion on phases: a left-to-right hidden Markov model over many metrics at once.

It cuts whatever it is given, smooth ramps included, so it never names a phase by itself; it shows
where the metrics, taken together, are most unlike before. Sources: Hu et al. 2023, "Latent State
Models of Training Dynamics"; Schwarz 1978 (BIC).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.detect.runs.hmm import Parameters, Sequences, fit, posterior

Array = NDArray[np.float64]

MIN_METRICS, MIN_READINGS = 3, 20
NUM_STARTS, MAX_FOLDS = 8, 5
WARNING = (
    "a hidden Markov model cuts smooth ramps into states too: a second opinion, never a verdict"
)


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where one run goes from one state to the next.

    Attributes:
        at, lo, hi: Posterior median and 95 % interval, out to the readings around it, on the axis
            that was given (tokens); NaN when the run does not get there.
        probability: Posterior probability that the run gets there.
    """

    at: float
    lo: float
    hi: float
    probability: float


@dataclass(frozen=True, slots=True)
class Segmentation:
    """States that several runs share.

    Attributes:
        num_states: The number chosen; 0 when refused.
        boundaries: For each run, ``num_states − 1`` boundaries in order.
        profiles: Mean of every metric in every state, in the metrics' own units, shape
            ``(num_states, metrics)``.
        bic: BIC of every number of states that was tried, from 1 on (lower is better).
        held_out: Log-likelihood per reading of runs left out (one by one, or in five folds), from 1
            state on; empty with fewer than three runs.
        agree: Whether BIC and the held-out runs choose the same number (None: not known).
        note: One sentence, with its warning.
    """

    num_states: int
    boundaries: tuple[tuple[Boundary, ...], ...]
    profiles: tuple[tuple[float, ...], ...]
    bic: tuple[float, ...]
    held_out: tuple[float, ...]
    agree: bool | None
    note: str


def segment(
    positions: Sequence[ArrayLike],
    values: Sequence[ArrayLike],
    *,
    max_states: int = 5,
    choose: str = "bic",
    seed: int = 0,
) -> Segmentation:
    """Cut runs into states that they share, in order.

    Readings are taken as independent given their state. They are not: correlated noise, smooth
    trends and seeds that move in step all make BIC, and even runs left out, favour more states.

    Args:
        positions: Tokens or steps of each run's readings, each shape ``(n,)``, increasing, > 0.
        values: Metrics of each run, each shape ``(n, M)``, the same M; NaN where not measured.
        max_states: Largest number of states tried.
        choose: ``bic``, or ``held-out`` (likelihood of runs left out; three runs or more).
        seed: Seed of the random starts.

    Raises:
        ValueError: When shapes do not fit, positions do not increase, or `choose` is unknown.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> v = 0.1 * rng.standard_normal((40, 3)) + (np.arange(40) >= 25)[:, None]
    >>> segment([10 ** np.linspace(4, 7, 40)], [v]).num_states
    2
    """
    if choose not in ("bic", "held-out"):
        raise ValueError(f"choose must be 'bic' or 'held-out', got {choose!r}")
    axis, raw = _checked(positions, values)
    pooled = np.concatenate(raw)
    if refusal := _refusal(axis, pooled, choose):
        return Segmentation(0, (), (), (), (), None, refusal)
    centre, spread = np.nanmean(pooled, axis=0), np.nanstd(pooled, axis=0)
    # A metric that never moves says nothing about states, whatever its scale.
    scale = np.where(spread > 1e-12 * np.maximum(np.abs(centre), 1e-300), spread, 1.0)
    data = [(v - centre) / scale for v in raw]
    seq = Sequences.of(axis, data)
    rng = np.random.default_rng(seed)
    most = max(1, min(max_states, int(seq.lengths.min()) // 2))
    guesses = [_starts(k, rng) for k in range(1, most + 1)]
    fits = [fit(seq, k, guesses[k - 1]) for k in range(1, most + 1)]
    observed = int(np.isfinite(pooled).sum())
    bic = tuple(
        -2.0 * loglik + _num_parameters(k, pooled.shape[1]) * math.log(observed)
        for k, (_, loglik) in enumerate(fits, start=1)
    )
    held_out = tuple(_held_out(axis, data, guess) for guess in guesses) if len(axis) > 2 else ()
    by_bic = int(np.argmin(bic)) + 1
    by_runs = int(np.argmax(held_out)) + 1 if held_out else None
    chosen = by_runs if choose == "held-out" and by_runs is not None else by_bic
    par = fits[chosen - 1][0]
    profiles = tuple(tuple(map(float, row * scale + centre)) for row in par.means[0])
    agree = None if by_runs is None else by_runs == by_bic
    return Segmentation(
        chosen, _boundaries(axis, seq, par), profiles, bic, held_out, agree,
        _in_words(chosen, most, len(axis), agree),
    )  # fmt: skip


def _checked(
    positions: Sequence[ArrayLike], values: Sequence[ArrayLike]
) -> tuple[list[Array], list[Array]]:
    if len(positions) != len(values) or not positions:
        raise ValueError(f"need positions and values of every run, got {len(positions)} runs")
    places = [np.asarray(p, dtype=np.float64) for p in positions]
    tables = [np.asarray(v, dtype=np.float64) for v in values]
    for place, table in zip(places, tables, strict=True):
        if place.ndim != 1 or table.ndim != 2 or table.shape[0] != place.size or not place.size:
            raise ValueError(f"a run needs (n,) and (n, M), got {place.shape} and {table.shape}")
        if np.any(place <= 0) or np.any(np.diff(place) <= 0):
            raise ValueError("positions must be positive and increase")
    if len({table.shape[1] for table in tables}) != 1:
        raise ValueError("every run needs the same metrics")
    return [np.log10(p) for p in places], [np.where(np.isfinite(v), v, np.nan) for v in tables]


def _refusal(axis: list[Array], pooled: Array, choose: str) -> str:
    seen = np.isfinite(pooled)
    if int(np.sum(seen.any(axis=0))) < MIN_METRICS or not seen.any(axis=0).all():
        return f"refused: states need at least {MIN_METRICS} metrics, each read at least once"
    if int(np.sum(seen.any(axis=1))) < MIN_READINGS or min(x.size for x in axis) < 4:
        return f"refused: fewer than {MIN_READINGS} readings, or a run with fewer than 4"
    if choose == "held-out" and len(axis) < 3:
        return "refused: leaving runs out needs at least three of them"
    return ""


def _starts(num_states: int, rng: np.random.Generator) -> Array:
    """Return first guesses of the boundaries: evenly spread, then at random; ``(S, K − 1)``."""
    even = np.arange(1, num_states) / num_states
    drawn = np.sort(rng.uniform(0.05, 0.95, (NUM_STARTS - 1, num_states - 1)), axis=1)
    return np.concatenate([even[None, :], drawn]) if num_states > 1 else np.empty((1, 0))


def _num_parameters(num_states: int, num_metrics: int) -> int:
    return 2 * num_states * num_metrics + num_states - 1


def _held_out(axis: list[Array], data: list[Array], guess: Array) -> float:
    """Return the log-likelihood per reading of every run under a model of runs left in."""
    total, folds = 0.0, min(len(axis), MAX_FOLDS)
    for fold in range(folds):
        out = [i for i in range(len(axis)) if i % folds == fold]
        kept = [i for i in range(len(axis)) if i % folds != fold]
        rest = Sequences.of([axis[i] for i in kept], [data[i] for i in kept])
        par, _ = fit(rest, guess.shape[1] + 1, guess[:3])
        own = Sequences.of([axis[i] for i in out], [data[i] for i in out])
        total += float(posterior(own, par).loglik.sum())
    return total / sum(x.size for x in axis)


def _boundaries(
    axis: list[Array], seq: Sequences, par: Parameters
) -> tuple[tuple[Boundary, ...], ...]:
    post = posterior(seq, par)
    return tuple(
        tuple(_boundary(x, post.advances[0, r, : x.size, k]) for k in range(par.rates.shape[1]))
        for r, x in enumerate(axis)
    )


def _boundary(x: Array, advance: Array) -> Boundary:
    """Return where one change lies, from P(change in the gap before reading t), shape ``(n,)``."""
    probability = min(float(advance.sum()), 1.0)
    if probability < 0.5:
        return Boundary(math.nan, math.nan, math.nan, probability)
    share = np.cumsum(advance) / advance.sum()
    low, middle, high = (
        min(int(np.searchsorted(share, q)), x.size - 1) for q in (0.025, 0.5, 0.975)
    )
    at, lo, hi = (float(10.0**u) for u in (0.5 * (x[middle - 1] + x[middle]), x[low - 1], x[high]))
    return Boundary(at, lo, hi, probability)


def _in_words(num_states: int, most: int, num_runs: int, agree: bool | None) -> str:
    runs = "one run" if num_runs == 1 else f"{num_runs} runs"
    if num_states == 1:
        return f"one state describes {runs} best: no phases in these metrics"
    note = f"{num_states} states in {runs}"
    if num_states == most:
        note += " (the largest number tried)"
    if agree is False:
        note += "; runs left out prefer another number"
    return f"{note}; {WARNING}"
