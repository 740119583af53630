"""Which measure speaks for an ability, and what counts as having left the start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nucleate.core import Assessment, Curve, Level, Step, Verdict
from nucleate.detect import assess, standing
from nucleate.detect.describe import left_start_for_good
from nucleate.detect.series import clean

TOKENS = np.logspace(5, 6.6, 41)


def _pair(own: Verdict, other: Verdict) -> dict[str, Assessment]:
    return {"a.accuracy": Assessment("a.accuracy", own), "a.margin": Assessment("a.margin", other)}


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (Verdict.SMOOTH, Verdict.STEP_LIKE, "a.margin"),
        (Verdict.BROAD_RISE, Verdict.STEP_LIKE, "a.margin"),
        (Verdict.TRANSITION_CANDIDATE, Verdict.TRANSITION_CANDIDATE, "a.accuracy"),
        (Verdict.METRIC_ARTEFACT, Verdict.STEP_LIKE, "a.accuracy"),
        (Verdict.BROAD_RISE, Verdict.BROAD_RISE, "a.accuracy"),
    ],
)
def test_only_a_sharp_margin_speaks_for_an_undecided_accuracy(
    own: Verdict, other: Verdict, expected: str
) -> None:
    found = standing("a.accuracy", _pair(own, other), {})
    assert found is not None
    assert found.metric == expected


def test_nothing_stands_for_what_was_not_measured() -> None:
    assert standing("b.accuracy", {}, {}) is None
    own = Assessment("b.kl", Verdict.SMOOTH)
    assert standing("b.kl", {"b.kl": own}, {}) is own


def test_a_late_rise_of_ten_standard_errors_is_never_called_chance() -> None:
    """Eight of 41 accuracies at .85 ± .035 after 33 at .5: correlated noise could look like it."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = 0.5 + rng.normal(0, 0.045, 41)
        values[33:] = 0.85 + rng.normal(0, 0.045, 8)
        found = assess(TOKENS, values, np.full(41, 0.035), metric="a.accuracy", chance=0.5)
        assert found.verdict is not Verdict.SMOOTH
        assert "never left chance" not in found.note


def test_an_answer_bias_that_flips_is_no_rise() -> None:
    """Values that jump between .37 and .63 (WSC in Pythia) never explain 70 % by one split."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = rng.choice([0.365, 0.635], 41)
        assert not left_start_for_good(clean(TOKENS, values, np.full(41, 0.03)))


def test_flat_noise_never_left_its_start() -> None:
    rng = np.random.default_rng(2)
    flat = [clean(TOKENS, rng.normal(0.5, 0.035, 41), np.full(41, 0.035)) for _ in range(200)]
    assert not any(left_start_for_good(series) for series in flat)


def test_a_margin_that_stays_below_chance_speaks_for_nothing() -> None:
    steps = tuple(Step(i, int(t)) for i, t in enumerate(TOKENS))
    low, high = (
        Curve("a.margin", Level.SEMANTICS, "nats", -2.56, steps, tuple(values), (0.03,) * 41)
        for values in (
            np.where(TOKENS < 1e6, -2.70, -2.58),
            np.where(TOKENS < 1e6, -2.58, -1.0),
        )
    )
    pair = _pair(Verdict.SMOOTH, Verdict.STEP_LIKE)
    pair["a.margin"] = replace(pair["a.margin"], at=1e6)
    spoken = [standing("a.accuracy", pair, {"a.margin": curve}) for curve in (low, high)]
    assert [found.metric for found in spoken if found] == ["a.accuracy", "a.margin"]
