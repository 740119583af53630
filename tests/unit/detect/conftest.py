"""Small synthetic curves with known truth, and one grid shared by the tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.core import Curve, Level, Step

X = np.linspace(4.0, 7.3, 50)
"""log10(tokens) of the readings: 15 a decade."""


def logistic(x, centre, width):
    """Rise from 0 to 1 whose 10–90 % width is `width` decades (closed form: 2 ln 9 scales)."""
    return 1.0 / (1.0 + np.exp(-np.clip(2 * np.log(9) * (x - centre) / width, -60, 60)))


def power_law(x):
    """A loss that falls smoothly from about 8 to about 2."""
    return 2.0 + 6.0 * (1.0 + 10.0 ** (x - 4.3)) ** -0.4


def make_curve(metric, values, *, level=Level.SYNTAX, unit="fraction", chance=0.5, se=0.01, x=X):
    tokens = 10.0**x
    return Curve(
        metric=metric,
        level=level,
        unit=unit,
        chance=chance,
        steps=tuple(Step(step=int(t // 1000), tokens=int(t)) for t in tokens),
        values=tuple(float(v) for v in values),
        se=(se,) * len(tokens),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(20240229)


@pytest.fixture
def toy():
    """Return the helpers above, so that test files need no import path of their own."""

    class Toy:
        x = X
        tokens = 10.0**X
        logistic = staticmethod(logistic)
        power_law = staticmethod(power_law)
        curve = staticmethod(make_curve)

    return Toy
