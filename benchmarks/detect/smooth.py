"""Smooth learning curves: nothing in them is narrower than about .7 decades of training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def logistic(x: np.ndarray, centre: float, width: float) -> np.ndarray:
    """0 → 1 with the given 10–90 % width."""
    return 1.0 / (1.0 + np.exp(-np.clip(2 * np.log(9) * (x - centre) / width, -60, 60)))


def _fall(rng: Rng, u: np.ndarray, low: float, high: float) -> np.ndarray:
    """A shifted power law that leaves its plateau between `low` and `high` (decades)."""
    return (1.0 + 10.0 ** (u - rng.uniform(low, high))) ** -(10.0 ** rng.uniform(-1.0, 0.3))


def power_law(rng: Rng, u: np.ndarray) -> np.ndarray:
    return _fall(rng, u, -1.0, 0.8 * u[-1])


def two_power_laws(rng: Rng, u: np.ndarray) -> np.ndarray:
    share = rng.uniform(0.2, 0.8)
    early, late = _fall(rng, u, -0.5, 0.5 * u[-1]), _fall(rng, u, 0.3 * u[-1], 0.95 * u[-1])
    return share * early + (1 - share) * late


def three_power_laws(rng: Rng, u: np.ndarray) -> np.ndarray:
    shares = rng.dirichlet((2.0, 2.0, 2.0))
    return sum(share * _fall(rng, u, -0.5, 0.95 * u[-1]) for share in shares)


def stretched_exponential(rng: Rng, u: np.ndarray) -> np.ndarray:
    rate = 10.0 ** (u - rng.uniform(0.3, u[-1] + 0.3))
    return np.exp(-(rate ** rng.uniform(0.25, 0.95)))


def exponential(rng: Rng, u: np.ndarray) -> np.ndarray:
    return np.exp(-(10.0 ** (u - rng.uniform(0.4, u[-1] + 0.2))))


def broad_logistic(rng: Rng, u: np.ndarray) -> np.ndarray:
    return logistic(u, rng.uniform(0.3, u[-1] - 0.2), rng.uniform(0.9, 2.0))


def log_linear(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Linear in log step, levelling off within .9 decades or more."""
    bend, centre = rng.uniform(2.0, 4.8), rng.uniform(0.3 * u[-1], 1.2 * u[-1])
    return np.logaddexp(0.0, bend * (centre - u)) / bend


def hill(rng: Rng, u: np.ndarray) -> np.ndarray:
    """t^h / (t^h + k^h), as accuracies rise."""
    return logistic(u, rng.uniform(0.3 * u[-1], 1.1 * u[-1]), 2 * np.log10(9) / rng.uniform(0.7, 2))


def gaussian_process(rng: Rng, u: np.ndarray) -> np.ndarray:
    """A draw with squared-exponential covariance, alone or on top of a power law."""
    knots = np.linspace(u[0], u[-1], 80)
    length = rng.uniform(0.6, 1.8)
    cov = np.exp(-0.5 * ((knots[:, None] - knots) / length) ** 2) + 1e-9 * np.eye(80)
    draw = np.interp(u, knots, np.linalg.cholesky(cov) @ rng.standard_normal(80))
    return draw * rng.uniform(0.05, 1.0) + rng.choice((0.0, 1.0)) * power_law(rng, u)


def double_descent(rng: Rng, u: np.ndarray) -> np.ndarray:
    centre, width = rng.uniform(0.3 * u[-1], 0.9 * u[-1]), rng.uniform(0.45, 0.9)
    bump = np.exp(-0.5 * ((u - centre) / width) ** 2)
    return power_law(rng, u) + rng.uniform(0.1, 0.6) * bump


def decline(rng: Rng, u: np.ndarray) -> np.ndarray:
    """Rise to a broad peak, then fall part or all of the way back."""
    first = rng.uniform(0.2, 0.5) * u[-1]
    second = first + rng.uniform(0.8, 1.6)
    rise, fall = rng.uniform(0.9, 1.8), rng.uniform(0.9, 1.8)
    return logistic(u, first, rise) - rng.uniform(0.2, 1.0) * logistic(u, second, fall)


def flat(rng: Rng, u: np.ndarray) -> np.ndarray:
    return np.zeros_like(u)


FAMILIES: dict[str, Callable[[Rng, np.ndarray], np.ndarray]] = {
    "power law": power_law,
    "two power laws": two_power_laws,
    "three power laws": three_power_laws,
    "stretched exponential": stretched_exponential,
    "exponential": exponential,
    "broad logistic": broad_logistic,
    "log-linear": log_linear,
    "hill": hill,
    "gaussian process": gaussian_process,
    "double descent": double_descent,
    "decline": decline,
    "flat": flat,
}


def draw_smooth(rng: Rng, u: np.ndarray, family: str | None = None) -> tuple[str, np.ndarray]:
    """Draw a smooth curve of range 1 (flat: 0), of either sign.

    Args:
        rng: Source of randomness.
        u: Decades since the first reading, shape ``(n,)``.
        family: Key of `FAMILIES`; any of them by default.

    Returns:
        Its family, and values of shape ``(n,)``.
    """
    family = family or str(rng.choice(list(FAMILIES)))
    values = FAMILIES[family](rng, u)
    extent = float(np.ptp(values))
    sign = rng.choice((-1.0, 1.0))
    return family, sign * (values - values[0]) / extent if extent > 1e-9 else 0.0 * values
