"""How often the detector is wrong, on generated curves whose truth is known.

Run with ``.venv/bin/python -m benchmarks.detector`` (minutes on one core). The curves are those of
`tests/science/test_detect_calibration.py`, with other seeds.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
from tests.science.test_detect_calibration import (
    COVERAGE_REACH,
    POINTS,
    SMOOTH_KINDS,
    grid,
    logistic,
    noise,
    smooth,
)

from nucleate.detect import ALPHA, assess

SMOOTH, JUMPS = 560, 400
WIDTHS = ((0.03, 0.12), (0.12, 0.21), (0.21, 0.30))


def main() -> None:
    """Print three lines: false alarms, detections by width, coverage."""
    print(false_alarms(np.random.default_rng(51_001)))
    for line in detections(np.random.default_rng(51_002)):
        print(line)


def false_alarms(rng: np.random.Generator) -> str:
    """Assess smooth and flat curves; count claimed transitions by kind of curve."""
    kinds = (*SMOOTH_KINDS, "flat")
    alarms: Counter[str] = Counter()
    for index in range(SMOOTH):
        x, cache = grid(POINTS[index % 4], bool(index % 3))
        kind = kinds[index % len(kinds)]
        values = smooth(x, kind, rng) + noise(x, rng)[1]
        alarms[kind] += bool(assess(10**x, values, cache=cache).transitions)
    total = alarms.total()
    return (
        f"smooth curves with a claimed transition: {total} of {SMOOTH} ({total / SMOOTH:.2%}; "
        f"alpha {ALPHA}); {dict(+alarms) or 'none of any kind'}"
    )


def detections(rng: np.random.Generator) -> list[str]:
    """Assess clear jumps (signal-to-noise ≥ 8 beyond a quartic); count finds, cover and width."""
    widths, hits, lengths, errors, extra = [], [], [], [], 0
    while len(widths) < JUMPS:
        x, cache = grid(POINTS[len(widths) % 4], bool(len(widths) % 3))
        width, centre = rng.uniform(0.03, 0.3), rng.uniform(x[0] + 0.5, x[-1] - 0.5)
        jump = rng.uniform(0.1, 0.6) * rng.choice([-1, 1]) * logistic(x, centre, width)
        deviation, wiggle = noise(x, rng)
        quartic = np.vander(x - x.mean(), 5)
        beyond = jump - quartic @ np.linalg.lstsq(quartic, jump, rcond=None)[0]
        if np.linalg.norm(beyond) < 8.0 * deviation:
            continue
        kind = ("power law", "two power laws", "broad logistic", "flat")[rng.integers(4)]
        found = assess(10**x, smooth(x, kind, rng) + jump + wiggle, cache=cache).transitions
        near = [c for c in found if abs(np.log10(c.at) - centre) < COVERAGE_REACH]
        extra += len(found) - len(near)
        widths.append(width)
        hits.append(bool(near) and bool(near[0].lo <= 10**centre <= near[0].hi) if near else None)
        if near:
            lengths.append(np.log10(near[0].hi / near[0].lo))
            errors.append(abs(np.log10(near[0].at) - centre))
    found_at = np.array([hit is not None for hit in hits])
    covered = [hit for hit in hits if hit is not None]
    width_of = np.array(widths)
    by_width = ", ".join(
        f"{low:.2f}-{high:.2f}: {found_at[(low <= width_of) & (width_of < high)].mean():.3f}"
        for low, high in WIDTHS
    )
    precision = found_at.sum() / (found_at.sum() + extra)
    return [
        f"clear jumps found: {found_at.mean():.3f} of {JUMPS}; by 10-90 % width: {by_width}",
        f"claims elsewhere on these curves: {extra}; precision {precision:.3f}",
        f"95 % intervals cover {np.mean(covered):.3f}, median length {np.median(lengths):.3f} "
        f"decades, median error of location {np.median(errors):.4f} decades",
    ]


if __name__ == "__main__":
    sys.exit(main())
