"""Seed spread of n-gram correlations in Pythia (Michaelov et al., Apache-2.0): notes §5.2.

The notes' figures for 160m and 410m cannot be repeated: this part of the data has ten seeds for
14m, 31m and 70m only.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nucleate.detect.physics import binder, criticality, susceptibility

DATA = Path(os.environ.get("NUCLEATE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
TABLE = DATA / "behavioral_phases" / "correlations.parquet"
SIZES = ("14m", "31m", "70m")


@pytest.fixture(scope="module")
def spread():
    """Return a function (size, n) → (steps, correlations of shape (seeds, steps))."""
    pandas = pytest.importorskip("pandas", reason="pandas reads the published table")
    if not TABLE.exists():
        pytest.skip(f"{TABLE} is not there; set NUCLEATE_DATA to the folder with the real data")
    table = pandas.read_parquet(TABLE)
    table = table[table.family == "pythia"]

    def select(size, n):
        rows = table[(table["size"] == size) & (table.predictor == f"Pile_{n}gram")]
        wide = rows.pivot_table(index="step", columns="seed", values="pearson_r")
        return wide.index.to_numpy(float), wide.to_numpy().T

    return select


def test_seed_spread_falls_from_initialisation_to_the_ngram_phase(spread):
    """70m bigram: .0546 at step 0, .0013 at 128 (notes, 160m: .056 and .0008)."""
    steps, m = spread("70m", 2)
    deviation = dict(zip(steps.tolist(), m.std(axis=0, ddof=1), strict=True))
    assert m.shape == (10, 20)
    assert deviation[0.0] == pytest.approx(0.0546, abs=0.0001)
    assert deviation[128.0] == pytest.approx(0.0013, abs=0.0001)
    assert deviation[512.0] == pytest.approx(0.0034, abs=0.0001)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_naive_variance_picks_initialisation_and_no_peak_is_shown(spread, size, n):
    steps, m = spread(size, n)
    after = steps > 0
    found = susceptibility(np.log10(steps[after]), m[:, after], resamples=400)
    assert steps[m.var(axis=0).argmax()] <= 16
    assert found.refused is None
    assert not found.interior_peak


def test_the_bump_at_1000_to_2000_is_suggestive_at_most(spread):
    """Peak over larger flank 1.72 for 70m unigram, as in the notes; their 5 % bound was 1.20.

    Redrawing seeds and taking the larger flank anew in each draw, the bound is .90.
    """
    steps, m = spread("70m", 1)
    after = steps > 0
    found = susceptibility(np.log10(steps[after]), m[:, after], within=(2.99, 3.31))
    assert found.ratio == pytest.approx(1.72, abs=0.005)
    assert 0.8 < found.bound < 1.0
    assert not found.interior_peak


def test_ten_seeds_and_three_sizes_carry_no_binder_cumulant_and_nothing_critical(spread):
    _, m = spread("70m", 2)
    found = binder(m[:, -1])
    assert found.refused is not None
    assert found.dip_p > 0.05
    verdict = criticality({14e6: 10, 31e6: 10, 70e6: 10})
    assert not verdict.critical
    assert "4 model sizes (there are 3)" in verdict.missing
