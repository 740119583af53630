from __future__ import annotations

import math

import pytest

from nucleate.core import Assessment, Curve, Evidence, Kind, Level, Step, Transition, Verdict
from nucleate.views.story import tell

SYNTAX, STATE, CAUSE = "agreement.attractor.accuracy", "state.where.accuracy", "cause.all.accuracy"
PRIMARY = {Level.SYNTAX: SYNTAX, Level.SEMANTICS: CAUSE, Level.NARRATIVE: STATE}


def curve(metric, level, values, chance=0.5):
    steps = tuple(Step(k, 1000 * 2**k) for k in range(len(values)))
    return Curve(metric, level, "fraction", chance, steps, tuple(values), (0.02,) * len(values))


def sharp(verdict=Verdict.TRANSITION_CANDIDATE, kind=Kind.STEP, width=0.12, amplitude=0.44):
    found = Transition(
        SYNTAX, kind, verdict, 6.1e5, 5.8e5, 7.0e5, width, amplitude, 5.3e5, Evidence(40, 60, 1e-5)
    )
    return Assessment(SYNTAX, verdict, (found,), 6.1e5, 5.8e5, 7e5, 5.3e5, width, 0.5, 0.94)


CURVES = {
    SYNTAX: curve(SYNTAX, Level.SYNTAX, [0.5] * 6 + [0.95] * 6),
    CAUSE: curve(CAUSE, Level.SEMANTICS, [0.1] * 4 + [0.9] * 8, chance=1 / 14),
    STATE: curve(STATE, Level.NARRATIVE, [0.51, 0.49] * 6),
}
BROAD = Assessment(CAUSE, Verdict.BROAD_RISE, (), 3.5e5, 3.2e5, 3.9e5, 1.1e5, 1.05, 0.08, 0.9)
NEVER = Assessment(STATE, Verdict.SMOOTH, start=0.5, end=0.5)


def story(assessments, status="finished", curves=CURVES):
    return tell(curves, assessments, PRIMARY, tokens=6e6, status=status)


def test_a_sharp_a_broad_and_an_absent_level():
    first, second = story({SYNTAX: sharp(), CAUSE: BROAD, STATE: NEVER})
    assert first == (
        "Agreement across an attractor sat at chance until 530k tokens and then rose by 0.44 "
        "within 0.12 decades around 610k (95 % interval 580–700k; transition candidate)."
    )
    assert second == (
        "Causal consistency rose broadly over 1.05 decades around 350k; tracking where "
        "characters are had not left chance when training ended at 6M tokens."
    )


def test_a_step_is_not_called_a_transition():
    text = " ".join(story({SYNTAX: sharp(Verdict.STEP_LIKE), STATE: NEVER}))
    assert "step-like" in text
    assert "transition" not in text


def test_a_kink_changes_its_slope_and_has_no_width():
    first, _ = story({SYNTAX: sharp(Verdict.KINK, Kind.KINK, width=0.0)})
    assert "changed its slope suddenly at 610k tokens" in first
    assert "decades" not in first


def test_a_fall_is_called_a_fall():
    first, _ = story({SYNTAX: sharp(amplitude=-0.3)})
    assert "fell by 0.30" in first


def test_nothing_sharp_is_said_plainly():
    first, second = story({CAUSE: BROAD, STATE: NEVER})
    assert first.startswith("No sharp change is shown in any metric (2 assessed)")
    assert "rose broadly" in second


def test_an_artefact_is_called_one():
    text = story({SYNTAX: sharp(Verdict.METRIC_ARTEFACT), STATE: NEVER})[1]
    assert "the jump of agreement across an attractor is a metric artefact" in text.lower()


def test_status_chooses_the_words():
    assert "was interrupted at 6M" in story({STATE: NEVER}, "interrupted")[1]
    assert "stood at 6M" in story({STATE: NEVER}, "running")[1]


def test_flat_away_from_chance_is_not_called_chance():
    away = {STATE: curve(STATE, Level.NARRATIVE, [0.7] * 12)}
    flat = Assessment(STATE, Verdict.SMOOTH, start=0.7, end=0.7)
    text = " ".join(story({STATE: flat}, curves=away))
    assert "No change is shown for" in text
    assert "chance" not in text


def test_a_hump_that_the_detector_passes_over_is_not_called_unchanged():
    hump = {STATE: curve(STATE, Level.NARRATIVE, [0.5] * 4 + [0.9] * 4 + [0.5] * 4)}
    text = " ".join(story({STATE: NEVER}, curves=hump))
    assert "moved by more than the error bars without a verdict" in text
    assert "chance" not in text


def test_a_narrow_change_that_is_not_sharp_is_not_called_broad():
    narrow = Assessment(CAUSE, Verdict.BROAD_RISE, (), 3.5e5, 3.2e5, 3.9e5, 2e5, 0.3, 0.08, 0.9)
    text = story({CAUSE: narrow, STATE: NEVER})[1]
    assert text.startswith("Causal consistency rose, not shown to be sharp, over 0.30 decades")


def test_a_change_between_two_readings_has_no_width_of_zero():
    sudden = Assessment(CAUSE, Verdict.BROAD_RISE, (), 3.5e5, 3.5e5, 3.5e5, 3.5e5, 0.0, 0.08, 0.9)
    assert "sharp, from one reading to the next around 350k" in story({CAUSE: sudden})[1]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("finished", "The series ended at 6M tokens."),
        ("interrupted", "The scan was interrupted at 6M tokens."),
        ("running", "The scan has come to 6M tokens."),
    ],
)
def test_a_scan_does_not_say_that_training_ended(status, words):
    found = {SYNTAX: Assessment(SYNTAX, Verdict.UNRESOLVED)}
    text = tell(CURVES, found, {}, tokens=6e6, status=status, scan=True)
    assert text[1] == words


@pytest.mark.parametrize(("number", "words"), [(4, "1 more metric had"), (5, "2 more metrics had")])
def test_what_is_not_named_is_counted(number, words):
    never = {f"m{n}.accuracy": Assessment(f"m{n}.accuracy", Verdict.SMOOTH) for n in range(number)}
    text = tell(dict.fromkeys(never, CURVES[STATE]), never, {}, tokens=6e6, status="finished")
    assert words in " ".join(text)


def test_too_few_readings():
    text = story({SYNTAX: Assessment(SYNTAX, Verdict.UNRESOLVED)})
    assert text == (
        "There are too few readings (12) to tell a sharp change from a smooth one.",
        "Training ended at 6M tokens.",
    )


def test_no_readings():
    assert len(tell({}, {}, {}, tokens=0, status="running")) == 1


def test_no_story_holds_nan():
    for found in (sharp(), sharp(Verdict.KINK, Kind.KINK, 0.0, math.nan), BROAD, NEVER):
        assert "nan" not in " ".join(story({found.metric: found})).lower().replace("finance", "")


def test_a_share_rises_no_further_than_its_readings():
    """From .50, the highest reading being .95; the fitted step overshoots."""
    first, _ = story({SYNTAX: sharp(amplitude=0.63), CAUSE: BROAD, STATE: NEVER})
    assert "and then rose by 0.45 within" in first
