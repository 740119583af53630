"""Measured rates of the online detectors stay within binomial bands of what is promised."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.detect import online_streams as streams
from benchmarks.detect.plateau_streams import TOLERANCE, stream

from nucleate.detect.online import OnlineDetector, PlateauDetector

STEPS = np.arange(1.0, 801.0)


def _alarms(steps, values, **settings):
    detector = OnlineDetector(**settings)
    found = (detector.update(t, y) for t, y in zip(steps, values, strict=True))
    return [alarm for alarm in found if alarm]


def test_readings_between_false_alarms_reach_the_nominal_number_under_the_model() -> None:
    """Exact Gaussian noise without trend, a low nominal run length so that alarms happen."""
    readings, alarms = 0, 0
    for seed in range(12):
        values = np.random.default_rng(100 + seed).normal(size=STEPS.size)
        alarms += len(_alarms(STEPS, values, arl=500.0))
        readings += values.size
    assert readings / max(alarms, 1) >= 500.0


@pytest.mark.parametrize("name", ["two_power_laws", "wsd", "broad_log_logistic", "stretched"])
def test_smooth_trends_rarely_raise_alarms(name: str) -> None:
    """At a true rate of .5 % more than one of 8 happens once in a thousand."""
    trend = {**streams.TUNED, **streams.HELD_OUT}[name]
    alarmed = 0
    for seed in range(8):
        rng = np.random.default_rng(200 + seed)
        alarmed += bool(_alarms(STEPS, trend(STEPS, rng) + streams.noise(STEPS.size, rng)[0]))
    assert alarmed <= 1


def test_shifts_of_four_to_eight_sd_are_found_soon() -> None:
    """At a true rate of 97 % fewer than 17 of 20 happen once in 400."""
    delays = []
    for seed in range(20):
        rng = np.random.default_rng(300 + seed)
        wiggle, sd = streams.noise(STEPS.size, rng)
        jump, at = streams.shift(STEPS.size, sd, rng, 4.0, 8.0)
        values = streams.power_law(STEPS, rng) + wiggle + jump
        found = _alarms(STEPS, values)
        delays += [a.position - 1 - at for a in found if a.direction == np.sign(jump[-1])][:1]
    assert len(delays) >= 17
    assert np.median(delays) <= 30


def test_spikes_that_recover_raise_no_alarm() -> None:
    alarmed = 0
    for seed in range(10):
        rng = np.random.default_rng(400 + seed)
        wiggle, sd = streams.noise(STEPS.size, rng)
        values = streams.power_law(STEPS, rng) + wiggle + streams.spikes(STEPS.size, sd, rng)
        alarmed += bool(_alarms(STEPS, values))
    assert alarmed <= 1


def test_plateaus_are_found_and_progress_is_not_one() -> None:
    lags, false = [], 0
    for seed in range(16):
        for plateau in (False, True):
            rng = np.random.default_rng([500, seed, plateau])
            s = stream(rng, plateau, 1 / 20, 1 / 8)
            detector = PlateauDetector("up" if s.direction > 0 else "down", TOLERANCE)
            said = [t for t, y in zip(s.positions, s.values, strict=True) if detector.update(t, y)]
            false += bool(said) and not plateau
            if s.begins is not None:
                lags.append(np.log10(said[0]) - s.begins if said else np.inf)
    assert false == 0
    assert np.min(lags) > 0
    assert np.mean(np.array(lags) <= 0.3) >= 0.8
