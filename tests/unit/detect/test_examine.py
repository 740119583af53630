"""Flags and verdicts of one source belong together."""

from __future__ import annotations

import numpy as np

from nucleate.core import Curve, CurveBook, Level, Step, Verdict
from nucleate.detect import examine


def curve(metric, values, steps):
    return Curve(
        metric,
        Level.SEMANTICS,
        "",
        float("nan"),
        tuple(Step(step=int(s), tokens=int(s)) for s in steps),
        tuple(float(v) for v in values),
        (0.03,) * len(values),
        axis="step",
    )


def test_an_accuracy_that_flips_between_two_answers_is_an_artefact(rng):
    steps = np.unique(np.logspace(1, 5, 40).astype(int))
    flips = np.where(steps < 900, 66 / 104, 38 / 104)
    rises = 0.25 + 0.4 * (steps > 3000) + 0.01 * rng.standard_normal(steps.size)
    loss = 3.0 * steps**-0.2 + 0.01 * rng.standard_normal(steps.size)
    named = {
        name: curve(name, values, steps)
        for name, values in (("wsc.acc", flips), ("task.acc", rises), ("val.loss", loss))
    }
    done = []
    found = examine(CurveBook("x.csv", "step", {"": named}), progress=done.append)
    assert done == [1, 2, 3]
    assert "class collapse" in {flag.kind for flag in found.flags}
    verdicts = {name: each.verdict for name, each in found.assessments[""].items()}
    assert verdicts["wsc.acc"] is Verdict.METRIC_ARTEFACT
    assert verdicts["task.acc"] is Verdict.STEP_LIKE
    assert verdicts["val.loss"] is Verdict.BROAD_RISE
    assert all(change.verdict is Verdict.METRIC_ARTEFACT
               for change in found.assessments[""]["wsc.acc"].transitions)  # fmt: skip
