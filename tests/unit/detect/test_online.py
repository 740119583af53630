"""The online step detector: what it says of simple streams, and that nothing upsets it."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from nucleate.detect.online import ARL, Alarm, OnlineDetector

STEPS = np.arange(1.0, 701.0)


def watch(positions, values, stderr=None, arl=ARL) -> list[Alarm]:
    detector = OnlineDetector(arl)
    found = (detector.update(t, y, stderr) for t, y in zip(positions, values, strict=True))
    return [alarm for alarm in found if alarm]


def trend(t):
    return 2.0 + 5.0 * (1.0 + t / 20.0) ** -0.5


def stream(seed: int, jump: float = 5.0, at: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return trend(STEPS) + 0.02 * rng.normal(size=STEPS.size) + 0.02 * jump * (at <= STEPS)


@pytest.mark.parametrize("jump", [5.0, -5.0, 40.0])
def test_a_lasting_step_is_found_once_with_its_onset_direction_and_size(jump: float) -> None:
    (alarm,) = watch(STEPS, stream(1, jump))
    assert abs(alarm.onset - 400) <= 4
    assert alarm.direction == np.sign(jump)
    assert 0.7 < alarm.size / abs(jump) < 1.3
    assert 400 < alarm.position < 440
    assert alarm.evidence >= ARL
    assert alarm.kind == "shift"


def test_it_goes_on_after_an_alarm() -> None:
    values = stream(2) - 0.12 * (STEPS >= 560)
    assert [alarm.direction for alarm in watch(STEPS, values)] == [1, -1]


@pytest.mark.parametrize("length", [1, 3, 10])
def test_spikes_that_recover_raise_no_alarm(length: int) -> None:
    values = stream(3, jump=0.0)
    values[300 : 300 + length] += 0.5
    values[500 : 500 + length] -= 0.3
    assert not watch(STEPS, values)


def test_a_changed_slope_is_no_step() -> None:
    values = stream(4, jump=0.0) - 0.0006 * np.maximum(STEPS - 400, 0)
    assert not watch(STEPS, values)


def test_suspicion_rises_before_the_alarm_and_not_without_a_step() -> None:
    detector, seen = OnlineDetector(), []
    assert detector.evidence == detector.suspicion == 0.0
    for t, y in zip(STEPS, stream(5), strict=True):
        if detector.update(t, y):
            break
        seen.append(detector.suspicion)
    assert max(seen[100:398]) < 1000.0
    assert max(seen[398:408]) > 1000.0
    assert len(seen) > 408


def test_log_spaced_readings_with_standard_errors() -> None:
    rng = np.random.default_rng(0)
    t = np.logspace(5, 8, 37)
    values = 0.5 + 0.01 * rng.normal(size=t.size) + 0.2 * (np.arange(t.size) >= 20)
    (alarm,) = watch(t, values, 0.01, arl=1e3)
    assert alarm.onset == t[20]
    broad = 0.5 + 0.4 / (1.0 + np.exp(-4.39 * (np.log10(t) - 6.5) / 0.6))
    assert not watch(t, broad + 0.01 * rng.normal(size=t.size), 0.01, arl=1e3)


def test_the_same_alarms_in_any_unit() -> None:
    values = stream(6)
    plain = watch(STEPS, values)
    for other in (values * 1e6 + 1e9, values * 1e-250, values * 1e250):
        moved = watch(STEPS, other)
        assert [(a.position, a.onset, a.direction) for a in moved] == [
            (a.position, a.onset, a.direction) for a in plain
        ]


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5e200, 5e-324])
def test_a_constant_raises_no_alarm_and_has_no_evidence(value: float) -> None:
    detector = OnlineDetector()
    assert not any(detector.update(t, value) for t in STEPS[:300])
    assert detector.evidence == 0.0


def test_a_step_between_two_constants_is_found() -> None:
    (alarm,) = watch(STEPS, np.where(STEPS < 400, 0.5, 0.6))
    assert alarm.onset == 400
    assert math.isfinite(alarm.size)
    assert not watch(STEPS, np.where(STEPS == 400, 0.6, 0.5))


def test_what_cannot_be_used_is_counted_and_changes_nothing() -> None:
    detector, plain = OnlineDetector(), OnlineDetector()
    values = stream(7)
    for t, y in zip(STEPS, values, strict=True):
        bad = (math.nan, y), (math.inf, y), (t, math.nan), (t, -math.inf), (-t, y), (0.0, y)
        assert all(detector.update(*pair) is None for pair in bad)
        assert detector.update(t, y, math.nan) == plain.update(t, y)
        assert detector.update(t, y + 9.0) is None
        assert detector.evidence == plain.evidence
    assert detector.skipped == 7 * STEPS.size


def test_missing_readings_do_not_hide_a_step() -> None:
    values = stream(8)
    values[np.random.default_rng(1).random(values.size) < 0.3] = math.nan
    (alarm,) = watch(STEPS, values)
    assert abs(alarm.onset - 400) <= 6


def test_restored_at_every_reading_it_says_exactly_the_same() -> None:
    values = stream(9, jump=4.0, at=150)[:260]
    plain, moved = OnlineDetector(arl=1e4), OnlineDetector(arl=1e4)
    alarms = 0
    for t, y in zip(STEPS, values, strict=False):
        moved = OnlineDetector.from_state(json.loads(json.dumps(moved.state_dict())))
        expected = plain.update(t, y, 0.02 if t % 7 else None)
        assert moved.update(t, y, 0.02 if t % 7 else None) == expected
        assert moved.evidence == plain.evidence
        alarms += expected is not None
    assert alarms == 1
    assert moved.state_dict() == plain.state_dict()


def test_memory_is_constant_and_reset_forgets_everything() -> None:
    detector = OnlineDetector()
    sizes = set()
    for t in np.arange(1.0, 3000.0):
        detector.update(t, math.sin(t))
        sizes.add(len(detector.state_dict()["window"]["values"]))
    assert max(sizes) == 256
    detector.reset()
    assert detector.state_dict() == OnlineDetector().state_dict()


def test_rebaseline_forgets_a_known_change() -> None:
    detector, alarms = OnlineDetector(), 0
    for t, y in zip(STEPS, stream(10), strict=True):
        if t == 400:
            detector.rebaseline()
        alarms += detector.update(t, y) is not None
    assert alarms == 0


def test_a_reading_takes_well_under_a_millisecond() -> None:
    detector, values = OnlineDetector(), stream(11, jump=0.0)
    begin = time.process_time()
    for t, y in zip(STEPS, values, strict=True):
        detector.update(t, y)
    assert (time.process_time() - begin) / STEPS.size < 1e-3


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="arl must be above 1, got 1"):
        OnlineDetector(arl=1.0)
    with pytest.raises(ValueError, match="hold must be at least 3, got 2"):
        OnlineDetector(hold=2)
