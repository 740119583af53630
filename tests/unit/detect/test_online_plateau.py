"""The plateau detector: what counts as no progress, where it stands, and what must not fool it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from nucleate.detect.online import Plateau, PlateauDetector

X = np.arange(5.0, 7.5, 1 / 30)


def follow(detector: PlateauDetector, values, x=X, stderr=None) -> list[Plateau | None]:
    return [detector.update(10.0**u, y, stderr) for u, y in zip(x, values, strict=True)]


def rise(begin: float = 5.5, end: float = 6.5, low: float = 0.5, high: float = 1.0):
    return low + (high - low) * np.clip((X - begin) / (end - begin), 0.0, 1.0)


def noisy(values, seed: int = 0, sd: float = 0.003):
    return values + sd * np.random.default_rng(seed).normal(size=values.size)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_chance_then_progress_then_saturated(direction) -> None:
    sign = 1 if direction == "up" else -1
    detector = PlateauDetector(direction, 0.1, chance=sign * 0.5, ceiling=sign * 1.0)
    said = follow(detector, sign * noisy(rise()))
    kinds = ["" if plateau is None else plateau.kind for plateau in said]
    changes = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    assert changes == ["at chance", "", "saturated"]
    last = said[-1]
    assert last is not None
    assert math.log10(last.since) == pytest.approx(6.5, abs=0.08)
    assert 6.65 < math.log10(last.position) < 6.85
    assert last.upper <= 0.1
    assert last.level == pytest.approx(sign * 1.0, abs=0.01)


def test_a_plateau_between_chance_and_ceiling_has_no_special_name() -> None:
    detector = PlateauDetector("up", 0.1, chance=0.2, ceiling=1.0)
    said = follow(detector, noisy(rise(high=0.8)))
    assert said[-1] is not None
    assert said[-1].kind == "plateau"


def test_progress_is_never_a_plateau_even_with_a_wild_reading() -> None:
    for seed in range(10):
        values = noisy(0.3 + 0.2 * (X - 5.0), seed)
        values[20 + 5 * seed] += 0.5
        assert not any(follow(PlateauDetector("up", 0.1), values))


def test_a_wild_reading_does_not_end_a_plateau_for_good() -> None:
    values = noisy(np.full(X.size, 0.5))
    values[40] += 0.1
    assert follow(PlateauDetector("up", 0.1), values)[-1] is not None


def test_never_on_too_few_readings_or_too_short_a_stretch() -> None:
    flat = np.full(6, 0.5)
    assert not any(follow(PlateauDetector("up", 0.1), flat, 5.0 + 0.1 * np.arange(6)))
    dense = 5.0 + np.arange(500) * (0.18 / 500)
    assert not any(follow(PlateauDetector("up", 0.1), np.full(500, 0.5), dense))


def test_standard_errors_widen_the_bound() -> None:
    values = noisy(np.full(X.size, 0.5))[:30]
    assert follow(PlateauDetector("up", 0.1), values, X[:30])[-1] is not None
    assert follow(PlateauDetector("up", 0.1), values, X[:30], stderr=0.05)[-1] is None


def test_tolerance_in_units_of_noise_is_free_of_the_metrics_unit() -> None:
    values = noisy(rise())
    plain = follow(PlateauDetector("up", 30.0, unit="noise"), values)
    scaled = follow(PlateauDetector("up", 30.0, unit="noise"), 1e6 * values)
    assert [p is None for p in plain] == [p is None for p in scaled]
    assert plain[-1] is not None


def test_restored_at_every_reading_it_says_exactly_the_same() -> None:
    plain = PlateauDetector("up", 0.1, chance=0.5, ceiling=1.0)
    moved = PlateauDetector("up", 0.1, chance=0.5, ceiling=1.0)
    for u, y in zip(X, noisy(rise()), strict=True):
        moved = PlateauDetector.from_state(json.loads(json.dumps(moved.state_dict())))
        assert moved.update(10.0**u, y, 0.003) == plain.update(10.0**u, y, 0.003)
    assert plain.plateau is not None
    assert moved.state_dict() == plain.state_dict()


def test_what_cannot_be_used_is_counted_and_changes_nothing() -> None:
    detector, plain = PlateauDetector("up", 0.1), PlateauDetector("up", 0.1)
    for u, y in zip(X, noisy(rise()), strict=True):
        t = 10.0**u
        for bad in ((math.nan, y), (t, math.nan), (t, math.inf), (t, 1e300), (-t, y), (0.0, y)):
            detector.update(*bad)
        assert detector.update(t, y) == plain.update(t, y)
        detector.update(t, y + 1.0)
    assert detector.skipped == 7 * X.size
    detector.reset()
    assert detector.state_dict() == PlateauDetector("up", 0.1).state_dict()


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-300])
def test_constants_are_plateaus_in_either_unit(value: float) -> None:
    for unit in ("metric", "noise"):
        said = follow(PlateauDetector("down", 0.1, unit=unit), np.full(X.size, value))
        assert said[-1] is not None
        assert math.log10(said[-1].since) == pytest.approx(5.0)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="min_gain 0"):
        PlateauDetector("up", 0.0)
    with pytest.raises(ValueError, match="up or down"):
        PlateauDetector("left", 0.1)  # type: ignore[arg-type]
