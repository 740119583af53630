from __future__ import annotations

from nucleate.core import Curve, Level, Step, Verdict
from nucleate.views.page.evidence import watched
from nucleate.views.page.judging import Certainty


def curve(values, name="a.accuracy") -> Curve:
    steps = tuple(Step(n, round(1e4 * 10 ** (n / 22))) for n in range(1, len(values) + 1))
    return Curve(name, Level.SYNTAX, "fraction", 0.5, steps, tuple(values), (0.02,) * len(values))


def noise(n: int) -> float:
    return 0.01 * ((n * 7) % 5 - 2)


def test_a_lasting_step_is_found_in_the_stream_and_a_flat_one_is_not():
    """The level moves from .5 to .9 at reading 31, at 1e4 · 10^(31/22) = 257k tokens."""
    stepped = curve([0.5 + noise(n) + (0.4 if n > 30 else 0.0) for n in range(1, 47)])
    flat = curve([0.5 + noise(n) for n in range(1, 47)], "b.accuracy")
    primary = {Level.SYNTAX: "a.accuracy", Level.KNOWLEDGE: "b.accuracy"}
    course = [Certainty(300_000, Verdict.STEP_LIKE, 257_000.0, 232_000.0, 257_000.0, 0.004)]
    found, none = watched(
        primary, {"a.accuracy": stepped, "b.accuracy": flat}, {"a.accuracy": course}
    )
    assert (found.state, found.says) == ("found", "stepped up at 257k tokens")
    assert "decades after the step began" in found.found
    assert found.course == ("at 300k tokens: step-like at 257k (232–257k), q 0.004",)
    assert (none.state, none.found, none.course) == ("quiet", "", ())
    assert 'aria-label="Evidence for a step of Syntax' in found.drawing


def test_a_step_that_is_still_young_is_suspected_first():
    """Two readings after the step nothing has lasted yet, but the suspicion stands."""
    young = curve([0.5 + noise(n) + (0.4 if n > 40 else 0.0) for n in range(1, 43)])
    (found,) = watched({Level.SYNTAX: "a.accuracy"}, {"a.accuracy": young}, {})
    assert found.state == "suspected"
    assert found.says.startswith("may be stepping now")


def test_dense_streams_are_averaged():
    values = [0.5 + noise(n) for n in range(1, 3001)]
    steps = tuple(Step(n, n * 1000) for n in range(1, 3001))
    dense = Curve("a.accuracy", Level.SYNTAX, "fraction", 0.5, steps, tuple(values), (0.02,) * 3000)
    (found,) = watched({Level.SYNTAX: "a.accuracy"}, {"a.accuracy": dense}, {})
    assert found.state == "quiet"
    assert found.drawing.count("L") < 2_000
