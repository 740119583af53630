"""What must hold before anything may be called critical, and which of it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.detect.physics.collapse import Collapse
from nucleate.detect.physics.scaling import MIN_SIZES, WidthScaling
from nucleate.detect.physics.susceptibility import Susceptibility

MIN_SEEDS = 10
"""Seeds at every size before the word may be used."""


@dataclass(frozen=True, slots=True)
class Criticality:
    """Whether the word "critical" is carried by the evidence.

    Attributes:
        critical: True only when nothing is missing.
        missing: The conditions that are not met, one plain phrase each.
        note: One sentence for people.
    """

    critical: bool
    missing: tuple[str, ...]
    note: str


def criticality(
    seeds: Mapping[float, int],
    *,
    scaling: WidthScaling | None = None,
    collapsed: Collapse | None = None,
    peaks: Mapping[float, Susceptibility] | None = None,
) -> Criticality:
    """Collect the conditions for "critical" and say which are missing.

    All are needed: ≥ 4 sizes with ≥ 10 seeds each; a 10–90 % width that shrinks with size; a
    collapse in ``(u − u_c) N^{1/ν}`` that predicts held-out sizes better than u alone; an interior
    peak of χ at every size, higher for the largest size than for the smallest.

    Args:
        seeds: Model size N → number of seeds.
        scaling, collapsed, peaks: Results of `width_scaling`, `collapse` and, by size,
            `susceptibility` (None: not done).

    >>> criticality({1e6: 3}).critical
    False
    """
    missing = []
    if len(seeds) < MIN_SIZES:
        missing.append(f"{MIN_SIZES} model sizes (there are {len(seeds)})")
    few = [count for count in seeds.values() if count < MIN_SEEDS]
    if few or not seeds:
        fewest = min(few, default=0)
        missing.append(f"{MIN_SEEDS} seeds at every size (the fewest is {fewest})")
    if scaling is None or scaling.refused:
        missing.append("a test of width against size")
    elif scaling.verdict != "sharpening" or len(scaling.sizes) < MIN_SIZES:
        missing.append(f"a width that shrinks with size (found: {scaling.verdict})")
    if collapsed is None or collapsed.refused:
        missing.append("a test of data collapse")
    elif not collapsed.holds or collapsed.exponent <= 0:
        missing.append("a collapse with 1/ν > 0 that beats a collapse in u alone")
    missing.extend(_peaks_missing(seeds, peaks))
    if missing:
        return Criticality(False, tuple(missing), f"not critical: needs {'; '.join(missing)}")
    note = f"consistent with a critical point: {len(seeds)} sizes, all conditions met"
    return Criticality(True, (), note)


def _peaks_missing(
    seeds: Mapping[float, int], peaks: Mapping[float, Susceptibility] | None
) -> list[str]:
    """Return what the susceptibilities lack."""
    if not peaks:
        return ["a test of susceptibility over seeds"]
    lacking = [size for size in seeds if size not in peaks or not peaks[size].interior_peak]
    if lacking:
        return [f"an interior peak of susceptibility at every size (lacking at {len(lacking)})"]
    heights = {
        size: float(found.chi[np.abs(found.u - found.peak).argmin()])
        for size, found in peaks.items()
    }
    if heights[max(heights)] <= heights[min(heights)]:
        return ["a susceptibility peak that grows with size"]
    return []
