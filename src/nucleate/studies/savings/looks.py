"""Looks at a study before its end, and what each may claim so that the error rate is kept.

Group-sequential boundaries with the spending function of Lan and DeMets (1983) that follows
O'Brien and Fleming: almost nothing is spent early.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Look:
    """One look.

    Attributes:
        number: Seeds at hand.
        boundary: Smallest ``|z|`` that decides.
        p: The same as a two-sided nominal p.
        spent: Two-sided error spent up to and with this look.
    """

    number: int
    boundary: float
    p: float
    spent: float


def spending(share: float, alpha: float = ALPHA) -> float:
    """Return the error that may be spent when a share of the seeds is in, two-sided.

    Each side spends ``2 − 2Φ(z_{1−α/4} / √share)``, α/2 in the end.
    """
    from scipy.stats import norm

    return 2 * float(2 * norm.sf(norm.isf(alpha / 4) / math.sqrt(share)))


def looks(numbers: Sequence[int], alpha: float = ALPHA) -> list[Look]:
    """Return the boundaries for one or two looks.

    Args:
        numbers: Seeds at each look, rising; the last one is the planned end.
        alpha: Two-sided error of the whole study.

    >>> [round(look.boundary, 3) for look in looks([5, 10])]
    [2.963, 1.969]

    Raises:
        ValueError: There are more than two looks, or they do not rise.
    """
    from scipy.stats import norm

    if not 1 <= len(numbers) <= 2 or any(b <= a for a, b in itertools.pairwise(numbers)):
        raise ValueError(f"looks must be one or two rising numbers, got {list(numbers)}")
    if len(numbers) == 1:
        return [_look(numbers[0], float(norm.isf(alpha / 2)), alpha)]
    share = numbers[0] / numbers[1]
    early = spending(share, alpha)
    first = float(norm.isf(early / 2))
    second = _second(first, share, (alpha - early) / 2)
    return [_look(numbers[0], first, early), _look(numbers[1], second, alpha)]


def _look(number: int, boundary: float, spent: float) -> Look:
    from scipy.stats import norm

    return Look(number, boundary, 2 * float(norm.sf(boundary)), spent)


def _second(first: float, share: float, rest: float) -> float:
    """Solve ``P(Z₁ < first, Z₂ ≥ second) = rest`` where the two z correlate by ``√share``."""
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.stats import norm

    rho = math.sqrt(share)
    spread = math.sqrt(1 - share)

    def crossing(second: float) -> float:
        def density(z: float) -> float:
            return float(norm.pdf(z) * norm.sf((second - rho * z) / spread))

        return float(quad(density, -8.5, first, epsabs=1e-12)[0])

    return float(brentq(lambda second: crossing(second) - rest, 0.5, 6.0, xtol=1e-10))
