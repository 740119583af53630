"""How often conditions of rules hold by mistake, and how late where they should.

    python -m benchmarks.control [--curves 500] [--seed 0]

Accuracies of 128 items with four choices (chance .25), read 30 times over 1.3 decades of tokens: a
true level, on it a wobble of the model from checkpoint to checkpoint (AR(1), correlation .5) and
binomial noise. Each curve goes through a controller of one rule, reading by reading.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nucleate.core import Level, Reading, Step
from nucleate.train.control import Controller, Rule

Numbers = NDArray[np.float64]

ITEMS, CHANCE, TOP = 128, 0.25, 0.9
FIRST, DECADES, READINGS = 50_000, 1.3, 30
X = np.linspace(0.0, DECADES, READINGS)


@dataclass(frozen=True)
class Case:
    """Curves of one kind.

    Attributes:
        level: From a generator, true accuracies and the place where the condition comes true, in
            decades (NaN where it never does).
        wobble: Sd of the model's own coming and going.
    """

    name: str
    level: Callable[[np.random.Generator], tuple[Numbers, float]]
    wobble: float = 0.03


def line(start: float, slope: float) -> Callable[[np.random.Generator], tuple[Numbers, float]]:
    """Levels that change by a slope per decade."""
    return lambda rng: (start + slope * X, math.nan)


def change(width: float) -> Callable[[np.random.Generator], tuple[Numbers, float]]:
    """Levels that go from chance to .9 around a random place, 10–90 % in `width` decades."""

    def make(rng: np.random.Generator) -> tuple[Numbers, float]:
        middle = rng.uniform(0.35, 0.7) * DECADES
        steepness = 2 * math.log(9.0) / max(width, 1e-6)
        share = 1.0 / (1.0 + np.exp(-np.clip(steepness * (X - middle), -500, 500)))
        return CHANCE + (TOP - CHANCE) * share, middle

    return make


def stop(slope: float, top: float) -> Callable[[np.random.Generator], tuple[Numbers, float]]:
    """Levels that rise by a slope per decade to a top and stay there."""
    return lambda rng: (np.minimum(CHANCE + slope * X, top), (top - CHANCE) / slope)


def exponential(rng: np.random.Generator) -> tuple[Numbers, float]:
    """Levels that rise from chance to .9 in proportion to tokens: smooth, steep at the end."""
    return CHANCE + (TOP - CHANCE) * 10.0 ** (X - DECADES), math.nan


def read(case: Case, rng: np.random.Generator) -> tuple[Numbers, float]:
    """Return the readings of a new curve, and where its condition comes true."""
    levels, place = case.level(rng)
    wobble, values = rng.normal(), np.empty(READINGS)
    for number, level in enumerate(levels):
        wobble = 0.5 * wobble + math.sqrt(0.75) * rng.normal()
        values[number] = rng.binomial(ITEMS, min(max(level + case.wobble * wobble, 0.0), 1.0))
    return values / ITEMS, place


def fires(when: Mapping[str, object], values: Numbers) -> float:
    """Return where a rule with that condition fires, in decades; NaN where it does not."""
    rule = Rule.model_validate({"name": "rule", "when": when, "pull": {"lever": 1}})
    controller = Controller([rule])
    for number, (x, value) in enumerate(zip(X, values, strict=True)):
        se = math.sqrt(value * (1.0 - value) / ITEMS)
        reading = Reading("m", float(value), se, ITEMS, CHANCE, "fraction", Level.NARRATIVE)
        if controller.observe(Step(number + 1, round(FIRST * 10**x)), [reading]):
            return float(x)
    return math.nan


def measure(when: Mapping[str, object], cases: tuple[Case, ...], curves: int, seed: int) -> None:
    """Print for each case how often a condition held, and how far from where it came true."""
    print(f"\n`{when}`\n\n| curves | fired | too early | after, decades: median (5–95 %) |")
    print("|---|---|---|---|")
    for case in cases:
        rng = np.random.default_rng([seed, *case.name.encode()])
        made = [read(case, rng) for _ in range(curves)]
        found = np.array([fires(when, values) for values, _ in made])
        late = found - np.array([place for _, place in made])
        fired = np.isfinite(found)
        cells = ["–", "–"]
        if np.isfinite(late).any():
            quantiles = np.nanquantile(late, [0.5, 0.05, 0.95])
            cells = [f"{np.mean(late < 0):.1%}", "{:.2f} ({:.2f} to {:.2f})".format(*quantiles)]
        print(f"| {case.name} | {np.mean(fired):.1%} | {' | '.join(cells)} |")


FLAT = (
    Case("at chance, items alone", line(CHANCE, 0.0), wobble=0.0),
    Case("at chance", line(CHANCE, 0.0)),
    Case("at .6", line(0.6, 0.0)),
)
SMOOTH = (
    Case("rising .1 a decade", line(CHANCE, 0.1)),
    Case("rising .5 a decade", line(CHANCE, 0.5)),
    Case("rising with tokens to .9", exponential),
)
CHANGES = tuple(Case(f"chance to .9 in {w:g} decades", change(w)) for w in (0.0, 0.2, 0.4, 0.8))
STOPS = (
    Case("1 a decade, then .75", stop(1.0, 0.75)),
    Case("2 a decade, then .75", stop(2.0, 0.75)),
)


LOSSES: tuple[tuple[str, Callable[[int], float], int], ...] = (
    ("3 nats throughout", lambda k: 3.0, 0),
    ("power law", lambda k: 2 + 4 * k**-0.3, 0),
    ("power law, .3 nats less from step 251", lambda k: 2 + 4 * k**-0.3 - 0.3 * (k > 250), 250),
    ("power law, .1 nats less from step 251", lambda k: 2 + 4 * k**-0.3 - 0.1 * (k > 250), 250),
)
"""Training losses by step, and after which step they fall (0: never)."""


def loss_fires(level: Callable[[int], float], correlation: float, seed: int) -> int | None:
    """Return at which of 500 steps `transition` of the training loss fires; noise has sd .05."""
    when = {"transition": {"metric": "train.loss"}}
    controller = Controller([Rule.model_validate({"name": "r", "when": when, "pull": {"l": 1}})])
    rng, noise = np.random.default_rng(seed), 0.0
    for k in range(1, 501):
        noise = correlation * noise + math.sqrt(1 - correlation**2) * rng.normal()
        if controller.step(Step(k, 512 * k), level(k) + 0.05 * noise):
            return k
    return None


def measure_losses(curves: int) -> None:
    """Print how often a step of the training loss is called, and how many steps after it."""
    print("\n`transition` of train.loss\n\n| loss | correlation | fired | after, steps |")
    print("|---|---|---|---|")
    for name, level, place in LOSSES:
        for correlation in (0.0, 0.5):
            found = [loss_fires(level, correlation, seed) for seed in range(curves)]
            late = np.array([k - place for k in found if k is not None])
            cell = "–"
            if place and late.size:
                cell = "{:.0f} ({:.0f} to {:.0f})".format(*np.quantile(late, [0.5, 0.05, 0.95]))
            print(f"| {name} | {correlation} | {late.size} of {curves} | {cell} |")


def main() -> None:
    """Measure the conditions that judge readings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--curves", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    plateau = {"metric": "m", "decades": 0.2}
    saturation = (
        Case("at .90 of 1", line(0.90, 0.0)),
        Case("at .95 of 1", line(0.95, 0.0)),
        Case("at .98 of 1", line(0.98, 0.0), wobble=0.01),
        *CHANGES[2:3],
    )
    for when, cases in (
        ({"transition": {"metric": "m"}}, (*FLAT, *SMOOTH, *CHANGES)),
        ({"above": {"metric": "m", "value": 0.5}}, (*FLAT[:2], *CHANGES)),
        ({"above": {"metric": "m", "value": 0.5, "se": 2}}, (*FLAT[:2], *CHANGES)),
        ({"plateau": {**plateau, "tolerance": 0.1}}, (*FLAT, *SMOOTH, *STOPS)),
        ({"plateau": {**plateau, "tolerance": 0.5}}, (*FLAT, *SMOOTH, *STOPS)),
        ({"saturated": {"metric": "m"}}, saturation),
        (
            {"all": [{"saturated": {"metric": "m"}}, {"plateau": {**plateau, "tolerance": 0.5}}]},
            saturation,
        ),
    ):
        measure(when, cases, wish.curves, wish.seed)
    measure_losses(wish.curves // 5)


if __name__ == "__main__":
    main()
