"""Detectors that people use today, each as its documentation says.

Every peer is a function of steps and values that returns ``(at, lo, hi)`` for each change. Peers
that cut between two readings return those two as the interval. Curves of more than `MOST` readings
are averaged into `MOST` bins of log step first, for all of them: the kernel methods are quadratic.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

Found = list[tuple[float, float, float]]
MOST = 160


def usable(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop missing readings; average dense curves into bins of log step."""
    keep = np.isfinite(values) & (steps > 0)
    x, y = np.log10(steps[keep]), values[keep]
    if x.size > MOST:
        group = np.searchsorted(np.linspace(x[0], x[-1], MOST + 1)[1:-1], x, side="right")
        count = np.bincount(group, minlength=MOST)
        x, y = (np.bincount(group, v, MOST)[count > 0] / count[count > 0] for v in (x, y))
    return x, y


def standardised(y: np.ndarray) -> np.ndarray:
    """Mean 0, variance 1."""
    return (y - y.mean()) / (y.std() or 1.0)


def noise_of(y: np.ndarray) -> float:
    """Standard deviation of the noise, from the median size of differences (1 if there is none)."""
    return float(np.median(np.abs(np.diff(y))) / (0.6745 * np.sqrt(2.0))) or 1.0


def _cuts(x: np.ndarray, breaks: list[int]) -> Found:
    """Breaks as ruptures gives them (first index of a segment, the length at the end)."""
    inner = [b for b in breaks if 0 < b < x.size]
    return [(10 ** (0.5 * (x[b - 1] + x[b])), 10 ** x[b - 1], 10 ** x[b]) for b in inner]


def pelt_l2(steps: np.ndarray, values: np.ndarray) -> Found:
    """PELT, mean shifts, values of unit variance, penalty 2 ln n."""
    import ruptures

    x, y = usable(steps, values)
    model = ruptures.Pelt(model="l2", min_size=2, jump=1).fit(standardised(y))
    return _cuts(x, model.predict(pen=2.0 * np.log(x.size)))


def pelt_residuals(steps: np.ndarray, values: np.ndarray) -> Found:
    """PELT on what a quartic in log step leaves over, in units of the noise, penalty 2 ln n."""
    import ruptures

    x, y = usable(steps, values)
    quartic = np.vander((x - x.mean()) / np.ptp(x), 5)
    rest = y - quartic @ np.linalg.lstsq(quartic, y, rcond=None)[0]
    model = ruptures.Pelt(model="l2", min_size=2, jump=1).fit(rest / noise_of(rest))
    return _cuts(x, model.predict(pen=2.0 * np.log(x.size)))


def pelt_rbf(steps: np.ndarray, values: np.ndarray) -> Found:
    """The example of the ruptures README: PELT, rbf, penalty 10."""
    import ruptures

    x, y = usable(steps, values)
    return _cuts(x, ruptures.Pelt(model="rbf").fit(standardised(y)).predict(pen=10))


def binseg(steps: np.ndarray, values: np.ndarray) -> Found:
    """Binary segmentation, mean shifts, penalty ln n times the variance of the noise."""
    import ruptures

    x, y = usable(steps, values)
    penalty = np.log(x.size) * noise_of(y) ** 2
    return _cuts(x, ruptures.Binseg(model="l2", min_size=2, jump=1).fit(y).predict(pen=penalty))


def kernel_cpd(steps: np.ndarray, values: np.ndarray) -> Found:
    """KernelCPD, rbf with the median heuristic, penalty 2 ln n."""
    import ruptures

    x, y = usable(steps, values)
    model = ruptures.KernelCPD(kernel="rbf", min_size=2).fit(standardised(y)[:, None])
    return _cuts(x, model.predict(pen=2.0 * np.log(x.size)))


def bocpd(steps: np.ndarray, values: np.ndarray) -> Found:
    """Adams and MacKay 2007, Gaussian with unknown mean and variance, constant hazard 1/100."""
    x, y = usable(steps, values)
    return _cuts(x, bocpd_breaks(standardised(y)))


def bocpd_breaks(y: np.ndarray, hazard: float = 0.01) -> list[int]:
    """Most probable segmentation under the model of BOCPD (our own implementation).

    Prior of each segment: normal-inverse-gamma with mean 0 and kappa = alpha = beta = 1, as in the
    R package `ocp`.
    """
    from scipy.special import gammaln

    n = y.size
    sums, squares = np.r_[0.0, np.cumsum(y)], np.r_[0.0, np.cumsum(y * y)]
    best, last = np.zeros(n + 1), np.zeros(n + 1, dtype=int)
    for end in range(1, n + 1):
        start = np.arange(end)
        count = end - start
        total = sums[end] - sums[start]
        scatter = squares[end] - squares[start] - total**2 / (1.0 + count)
        alpha, beta = 1.0 + 0.5 * count, 1.0 + 0.5 * scatter
        evidence = gammaln(alpha) - alpha * np.log(beta) - 0.5 * np.log1p(count)
        evidence -= 0.5 * count * np.log(2 * np.pi)
        prior = (count - 1) * np.log1p(-hazard) + np.where(start > 0, np.log(hazard), 0.0)
        score = best[start] + evidence + prior
        last[end] = int(np.argmax(score))
        best[end] = score[last[end]]
    breaks, end = [], n
    while end > 0:
        breaks.append(end)
        end = int(last[end])
    return breaks[::-1]


def claspy(steps: np.ndarray, values: np.ndarray) -> Found:
    """ClaSP with its defaults."""
    from claspy.segmentation import BinaryClaSPSegmentation

    x, y = usable(steps, values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            breaks = BinaryClaSPSegmentation().fit_predict(y)
        except (OverflowError, ValueError, IndexError, ZeroDivisionError):
            return []  # It cannot treat curves this short.
    return _cuts(x, [int(b) for b in breaks])


def sigmoid_bic(steps: np.ndarray, values: np.ndarray) -> Found:
    """Line plus a logistic of width ≤ .4 decades, if BIC prefers it to a line and to a cubic."""
    x, y = usable(steps, values)
    n, z = x.size, x - x.mean()
    smooth = min(
        n * np.log(_residual(np.vander(z, order), y)) + (order + 1) * np.log(n) for order in (2, 4)
    )
    centres, losses = np.linspace(x[1], x[-2], 160), np.full(160, np.inf)
    for width in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4):
        for i, centre in enumerate(centres):
            turn = 1 / (1 + np.exp(-np.clip(2 * np.log(9) * (x - centre) / width, -60, 60)))
            design = np.c_[np.ones(n), z, turn]
            losses[i] = min(losses[i], n * np.log(_residual(design, y)))
    best = int(np.argmin(losses))
    if losses[best] + 6 * np.log(n) >= smooth:
        return []
    inside = centres[losses <= losses[best] + 3.84]
    return [(10 ** centres[best], 10 ** inside[0], 10 ** inside[-1])]


def _residual(design: np.ndarray, y: np.ndarray) -> float:
    """Mean square that least squares leave."""
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(rest @ rest / y.size) + 1e-300


PEERS: dict[str, Callable[[np.ndarray, np.ndarray], Found]] = {
    "PELT l2": pelt_l2,
    "PELT on quartic residuals": pelt_residuals,
    "PELT rbf, pen 10": pelt_rbf,
    "BinSeg l2": binseg,
    "KernelCPD rbf": kernel_cpd,
    "BOCPD": bocpd,
    "claspy": claspy,
    "sigmoid against cubic, BIC": sigmoid_bic,
}

NEEDS = {"bocpd": "scipy", "sigmoid_bic": "scipy", "claspy": "claspy"}
SLOW = {"sigmoid against cubic, BIC": 4, "claspy": 4}
"""Peers that see only every n-th curve."""


def available() -> list[str]:
    """Names of the peers whose package is installed (claspy needs numpy < 2.3: not by default)."""
    return [name for name, peer in PEERS.items() if find_spec(NEEDS.get(peer.__name__, "ruptures"))]
