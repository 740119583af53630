"""The JSON: exact keys, null instead of NaN, numbers unrounded."""

from __future__ import annotations

import json

import numpy as np

from nucleate.detect import examine
from nucleate.views.detect.data import Settings, as_json
from tests.unit.views.detect_findings import findings, sharp, single, step_values

SETTINGS = Settings(0.005, 0.4, 3, "nucleate detect curves.csv --json", "1.2.3")

TRANSITION_KEYS = [
    "kind",
    "verdict",
    "at",
    "lo",
    "hi",
    "width",
    "width_interval",
    "amplitude",
    "amplitude_interval",
    "onset",
    "onset_interval",
    "likelihood_ratio",
    "delta_bic",
    "p",
    "q",
    "gap",
]


def refuse(constant: str) -> None:
    raise AssertionError(constant)


def test_keys_are_exact():
    found = json.loads(as_json(findings(), SETTINGS), parse_constant=refuse)
    assert list(found) == [
        "schema",
        "nucleate",
        "source",
        "axis",
        "notes",
        "settings",
        "flags",
        "counts",
        "curves",
        "together",
    ]
    assert found["schema"] == "nucleate.detect/1"
    assert found["nucleate"] == "1.2.3"
    assert found["settings"] == {"alpha": 0.005, "max_width": 0.4, "seed": 3}
    assert found["counts"] == {"step-like": 2, "broad rise": 4, "smooth": 2, "unresolved": 1}
    assert found["flags"] == [
        {
            "kind": "duplicate checkpoints",
            "text": "seed1 repeats seed0: 27 of 27 values of rise are equal.",
            "runs": ["seed0", "seed1"],
            "metrics": ["rise"],
            "at": [],
            "p": None,
        }
    ]


def test_curves_hold_everything_that_is_said():
    found = json.loads(as_json(findings(), SETTINGS), parse_constant=refuse)
    assert len(found["curves"]) == 9
    first = found["curves"][0]
    assert list(first) == [
        "run",
        "metric",
        "unit",
        "chance",
        "scale",
        "readings",
        "first",
        "last",
        "verdict",
        "at",
        "lo",
        "hi",
        "onset",
        "onset_interval",
        "width",
        "start",
        "end",
        "note",
        "transitions",
        "disturbances",
    ]
    assert (first["run"], first["metric"], first["verdict"]) == (
        "seed0",
        "jump.accuracy",
        "step-like",
    )
    assert (first["readings"], first["first"], first["last"]) == (27, 100.0, 100000.0)
    assert first["chance"] is None
    assert list(first["transitions"][0]) == TRANSITION_KEYS
    assert first["transitions"][0]["width_interval"] == [0.05, 0.2]
    assert first["transitions"][0]["onset_interval"] == [None, None]
    rise = next(each for each in found["curves"] if each["metric"] == "rise")
    assert rise["onset_interval"] == [300.0, 500.0]
    spikes = [each["disturbances"] for each in found["curves"] if each["disturbances"]]
    assert [list(spike) for spike in spikes[0]] == [TRANSITION_KEYS]


def test_numbers_are_not_rounded():
    place = 2999.123456789012
    found = json.loads(as_json(single(sharp("m", at=np.float64(place))), SETTINGS))
    assert found["curves"][0]["transitions"][0]["at"] == place


def test_what_the_detector_returns_can_be_written():
    noise = np.random.default_rng(0).normal(0, 0.01, len(step_values()))
    book = single(sharp("m"), step_values() + noise).book
    text = as_json(examine(book, n_bootstrap=60), SETTINGS)
    curve = json.loads(text, parse_constant=refuse)["curves"][0]
    assert curve["verdict"] == "step-like"
    assert 2000 < curve["transitions"][0]["at"] < 4000
