"""What an accuracy over n items can show, and what it cannot: bounds at zero, exact match, errors.

Sources: Clopper and Pearson 1934 (exact intervals); Hanley and Lippman-Hand 1983 ("If nothing goes
wrong, is everything all right?", the rule of three); Schaeffer, Miranda and Koyejo 2023 (exact
match of L tokens as p^L).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rule_of_three(n: int) -> float:
    """Return 3 / n: about the largest rate that zero successes in n items leave possible, at 95 %.

    >>> round(rule_of_three(5153), 6)
    0.000582
    """
    _check_items(n)
    return 3.0 / n


def upper_bound_at_zero(n: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided upper bound of a rate after 0 successes in n items.

    The bound p solves (1 − p)^n = 1 − confidence.

    Args:
        n: Number of items, at least 1.
        confidence: Between 0 and 1.

    >>> upper_bound_at_zero(5153) < 6e-4
    True
    """
    _check_items(n)
    _check_probability("confidence", confidence)
    return -math.expm1(math.log1p(-confidence) / n)


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a rate after k successes in n items.

    Source: Clopper and Pearson 1934.

    Raises:
        ValueError: Unless 0 ≤ k ≤ n and n ≥ 1.

    >>> [round(end, 4) for end in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv

    _check_items(n)
    _check_probability("confidence", confidence)
    if not 0 <= k <= n:
        raise ValueError(f"successes must lie between 0 and {n}, got {k}")
    tail = 0.5 * (1.0 - confidence)
    lo = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    hi = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1.0 - tail))
    return lo, hi


def smallest_resolvable(
    n: int, chance: float = 0.0, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest true accuracy that one reading of n items would show to beat chance.

    "Show" means: the exact one-sided binomial test rejects chance at `alpha`, with probability
    `power`. With chance 0 a single success is enough.

    Args:
        n: Number of items, at least 1.
        chance: Accuracy of a model that knows nothing, in [0, 1).

    Returns:
        An accuracy; NaN when even n correct answers out of n would not reject chance.

    >>> round(smallest_resolvable(100, 0.5), 3)
    0.626
    """
    from scipy.special import betainc, betaincinv

    _check_items(n)
    _check_probability("alpha", alpha)
    _check_probability("power", power)
    if not 0.0 <= chance < 1.0:
        raise ValueError(f"chance must lie in [0, 1), got {chance}")
    counts = np.arange(1, n + 1)
    # P(at least k of n | p) is the regularised incomplete beta function I_p(k, n − k + 1).
    enough = np.flatnonzero(betainc(counts, n - counts + 1, chance) <= alpha)
    if not enough.size:
        return math.nan
    k = int(counts[enough[0]])
    return float(betaincinv(k, n - k + 1, power))


def exact_match(p: ArrayLike, L: int) -> Array:
    """Return the accuracy of exact match over L tokens when each is right with probability p.

    p^L: a straight rise of p looks like a late and sudden rise of exact match. It assumes that the
    tokens are right independently of each other, which real models are not.

    Args:
        p: Probability that one token is right, any shape, in [0, 1].
        L: Number of tokens that must all be right, at least 1.

    >>> exact_match([0.5, 0.9], 5).round(3).tolist()
    [0.031, 0.59]
    """
    token = np.asarray(p, dtype=np.float64)
    if L < 1:
        raise ValueError(f"an answer has at least one token, got L = {L}")
    if np.any((token < 0.0) | (token > 1.0)):
        raise ValueError("p must lie in [0, 1]")
    return np.asarray(token**L)


def binomial_stderr(values: ArrayLike, n: ArrayLike) -> Array:
    """Return standard errors of accuracies that stay above zero at 0 and at 1.

    Half a success and half a failure are added: the standard deviation of the Jeffreys posterior
    Beta(k + ½, n − k + ½), where k = n · value.

    Args:
        values: Accuracies in [0, 1], any shape; NaN stays NaN.
        n: Number of items, a number or the same shape.

    >>> binomial_stderr([0.0, 0.5], 99).round(4).tolist()
    [0.007, 0.0498]
    """
    p, count = np.broadcast_arrays(
        np.asarray(values, dtype=np.float64), np.asarray(n, dtype=np.float64)
    )
    if np.any((p < 0.0) | (p > 1.0)):
        raise ValueError("accuracies must lie in [0, 1]")
    if np.any(count < 1):
        raise ValueError("the number of items must be at least 1")
    middle = (count * p + 0.5) / (count + 1.0)
    return np.asarray(np.sqrt(middle * (1.0 - middle) / (count + 2.0)))


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an accuracy over n items can tell.

    Attributes:
        n, chance, answer_tokens: What was asked.
        at_zero: Largest true accuracy that a reading of 0 leaves possible (95 %, one-sided).
        above_chance: Smallest true accuracy shown to beat chance in four of five readings (NaN:
            none).
        between_readings: Smallest difference of two readings on separate items that is more than
            noise, near accuracy ½ (95 %).
        token_probability: Probability of one right token below which exact match reads 0 more often
            than not.
        note: The same in words.
    """

    n: int
    chance: float
    answer_tokens: int
    at_zero: float
    above_chance: float
    between_readings: float
    token_probability: float
    note: str


def resolution(n: int, chance: float = 0.0, answer_tokens: int = 1) -> Resolution:
    """Say what an accuracy curve over n items can and cannot resolve.

    Args:
        n: Number of items of each reading.
        chance: Accuracy of a model that knows nothing.
        answer_tokens: Tokens that must all be right for one item to count.

    >>> resolution(5153).note.split(";")[0]
    '5153 items: 0 right still allows a true accuracy of 0.00058'
    """
    if answer_tokens < 1:
        raise ValueError(f"an answer has at least one token, got {answer_tokens}")
    zero, above = upper_bound_at_zero(n), smallest_resolvable(n, chance)
    between = 1.96 * math.sqrt(2.0) * float(binomial_stderr(0.5, n))
    # Exact match reads 0 of n in half of all readings at (1 − p^L)^n = ½.
    silent = upper_bound_at_zero(n, 0.5) ** (1.0 / answer_tokens)
    parts = [f"{n} items: 0 right still allows a true accuracy of {zero:.2g}"]
    if math.isnan(above):
        parts.append(f"not even {n} right would show more than chance ({chance:.2g})")
    else:
        parts.append(f"a single reading shows more than chance only from about {above:.2g} on")
    parts.append(f"two readings near one half must differ by {between:.2g}")
    if answer_tokens > 1:
        parts.append(
            f"all {answer_tokens} tokens must be right, so the accuracy mostly reads 0 until one "
            f"token is right with probability {silent:.2g}: a smooth rise looks like a late jump"
        )
    return Resolution(n, chance, answer_tokens, zero, above, between, silent, "; ".join(parts))


def _check_items(n: int) -> None:
    if n < 1:
        raise ValueError(f"the number of items must be at least 1, got {n}")


def _check_probability(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} must lie between 0 and 1, got {value}")
