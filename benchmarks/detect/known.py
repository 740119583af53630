"""What a scan finds that is told the noise of every reading: how much is there to be found?

    python -m benchmarks.detect.known

On the benchmark's curves without disturbances, learning-rate schedules and counted accuracies, a
Gaussian process (length .5 to 1.5 decades, three sizes) is compared with the same process beside a
step or kink of any place, width and size. Noise, its unevenness and its correlation are the true
ones, which no detector knows. The network, which estimates them, is asked about the same curves;
both claim one smooth curve in a hundred, half of those by steps and half by kinks.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.linalg import solve_triangular

from benchmarks.detect.curves import CHANGES, CLEAR, Curve, draw, draw_grid
from benchmarks.detect.evaluate import REACH
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.run import TURNS
from benchmarks.detect.smooth import logistic
from nucleate.detect.network.network import PLACES, load_network
from nucleate.detect.network.picture import picture
from nucleate.detect.series import clean

LENGTHS, SIZES = (0.5, 0.7, 1.0, 1.5), (0.1, 0.4, 1.5)
"""Of the Gaussian process: decades, and standard deviations in ranges of the trend."""

AMPLITUDES = (0.07, 0.25, 0.9)
"""Standard deviations of a change's size, in the same unit."""

STEP_WIDTHS, BENDS = (0.03, 0.08, 0.15, 0.25, 0.35), (0.03, 0.1)
APART = 0.04
"""Decades between the places that are tried."""

RATE = 0.01


@dataclass(frozen=True)
class Scores:
    """Evidence for steps (first column) and kinks at each place.

    Attributes:
        at: Places, log10(step).
        evidence: Shape ``(places, 2)``.
    """

    at: np.ndarray
    evidence: np.ndarray

    def best(self, near: float | None = None) -> np.ndarray:
        """Return the largest evidence of each kind, anywhere or around a place."""
        here = np.ones(self.at.size, bool) if near is None else np.abs(self.at - near) <= REACH
        return self.evidence[here].max(axis=0) if here.any() else np.full(2, -np.inf)


def scan(curve: Curve) -> Scores:
    """Compare a smooth process with one that has a change, at each place, in nats."""
    there = np.isfinite(curve.values)
    index, x = np.flatnonzero(there), np.log10(curve.steps[there])
    unit = np.ptp(curve.values[there])
    y = (curve.values[there] - curve.values[there][0]) / unit
    deviation = curve.deviation[there] / unit
    lag = np.abs(index[:, None] - index[None])
    noise = np.outer(deviation, deviation) * curve.rho**lag
    lines = np.stack([np.full(x.size, 3.0), (x - x.mean()) / np.ptp(x)])
    places = np.arange(x[2], x[-3], APART)
    shapes = [[logistic(x, place, width) for width in STEP_WIDTHS] for place in places]
    bends = [[_kink(x, place, bend) for bend in BENDS] for place in places]
    per = len(STEP_WIDTHS) + len(BENDS)
    atoms = np.array([s + b for s, b in zip(shapes, bends, strict=True)]).reshape(-1, x.size)
    null, changed = [], []
    for length in LENGTHS:
        for size in SIZES:
            smooth = size**2 * np.exp(-0.5 * ((x[:, None] - x) / length) ** 2)
            root = np.linalg.cholesky(noise + smooth + lines.T @ lines)
            white = solve_triangular(root, np.column_stack([y, atoms.T]), lower=True)
            z, a = white[:, 0], white[:, 1:]
            null.append(-0.5 * z @ z - np.log(np.diag(root)).sum())
            fit, power = a.T @ z, (a * a).sum(axis=0)
            gains = [
                0.5 * (fit * s) ** 2 / (1 + s * s * power) - 0.5 * np.log1p(s * s * power)
                for s in AMPLITUDES
            ]
            changed.append(null[-1] + np.logaddexp.reduce(gains))
    gain = np.logaddexp.reduce(changed) - np.logaddexp.reduce(null) - math.log(len(AMPLITUDES))
    gain_PA = gain.reshape(len(places), per)
    split = len(STEP_WIDTHS)
    both = np.stack([gain_PA[:, :split].max(axis=1), gain_PA[:, split:].max(axis=1)], axis=1)
    return Scores(places, both)


def _kink(x: np.ndarray, place: float, bend: float) -> np.ndarray:
    steep = 2 * np.log(9) / bend
    return np.logaddexp(0.0, steep * (x - place)) / steep


def network(curve: Curve) -> Scores:
    """Return the network's log odds."""
    series = clean(curve.steps, curve.values)
    x = series.x
    at = x[0] + (np.arange(PLACES) + 0.5) / PLACES * (x[-1] - x[0])
    return Scores(at, load_network().logits(picture(series)[None])[0])


def plain(rng: np.random.Generator, what: str, grid: object, tries: int = 60) -> Curve | None:
    """Draw a curve whose noise is known and beside whose change there is nothing."""
    for _ in range(tries):
        try:
            curve = draw(rng, what, grid, least_snr=CLEAR, beside="")
        except DoesNotFitError:
            return None
        if curve.deviation is not None:
            return curve
    return None


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument("--grids", type=int, default=44)
    wish = parser.parse_args()
    sides = {"told the noise": scan, "network": network}
    smooth: dict[str, list[np.ndarray]] = {side: [] for side in sides}
    found: dict[str, dict[str, list[np.ndarray]]] = {side: {} for side in sides}
    turns = [turn for turn in TURNS if turn != "dense"]
    for number in range(wish.grids):
        rng = np.random.default_rng([wish.seed, number])
        grid = draw_grid(rng, turns[number % len(turns)])
        for what, count in (("smooth", 40), *((sort, 5) for sort in CHANGES)):
            for curve in filter(None, (plain(rng, what, grid) for _ in range(count))):
                for side, judge in sides.items():
                    scores = judge(curve)
                    smooth[side] += [] if curve.changes else [scores.best()]
                    near = [scores.best(math.log10(change.at)) for change in curve.changes]
                    found[side].setdefault(what, []).extend(near)
    print("| | smooth curves | " + " | ".join(CHANGES) + " | all |")
    print("|---" * (len(CHANGES) + 3) + "|")
    for side in sides:
        least = np.quantile(np.array(smooth[side]), 1 - RATE / 2, axis=0)
        hits = [[bool((best > least).any()) for best in found[side][sort]] for sort in CHANGES]
        cells = [f"{np.mean(each):.1%} of {len(each)}" for each in (*hits, [*chain(*hits)])]
        print(f"| {side} | {len(smooth[side])} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
