"""The lag-one correlation of a stream's noise, learned slowly from what the fits leave over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PRIOR, PRIOR_WEIGHT = 0.2, 24.0
"""Where the estimate starts, and how many readings that is worth."""

MEMORY = 600.0
"""Readings that the estimate remembers."""

STEPS = 20
"""Estimates are rounded to a multiple of one over this."""


@dataclass(slots=True)
class Correlation:
    """A forgetting average of window-wise lag-one autocorrelations.

    Attributes:
        mean: The average so far.
        weight: Readings behind it.
    """

    mean: float = PRIOR
    weight: float = PRIOR_WEIGHT

    def learn(self, residual_N: Floats, fitted: int, fresh: int) -> None:
        """Take in one window.

        Args:
            residual_N: What a fit by ordinary least squares left over.
            fitted: Number of coefficients of that fit; it biases the correlation down.
            fresh: Readings of the window that no earlier window held.
        """
        energy = float(residual_N @ residual_N)
        if energy <= 0.0 or residual_N.size <= fitted + 4:
            return
        lag = float(residual_N[1:] @ residual_N[:-1]) / energy
        lag += (fitted * (1.0 + max(lag, 0.0)) + 1.0) / residual_N.size
        self.weight = min(self.weight + fresh, MEMORY)
        self.mean += (min(max(lag, -0.5), 0.95) - self.mean) * fresh / self.weight

    def used(self) -> float:
        """Return the correlation to whiten with: one standard error up, within 0 and .9, rounded.

        Noise that is taken to be too independent raises false alarms; the opposite costs power.
        """
        error = math.sqrt(max(1.0 - self.mean**2, 0.0) / self.weight)
        return min(max(round((self.mean + error) * STEPS), 0), 18) / STEPS
