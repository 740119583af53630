"""Findings made by hand: one of every kind that the views of a table of curves must show."""

from __future__ import annotations

import math

import numpy as np

from nucleate.core import (
    Assessment,
    Curve,
    CurveBook,
    Evidence,
    Flag,
    Kind,
    Level,
    Step,
    Transition,
    Verdict,
)
from nucleate.detect import Findings

POSITIONS = tuple(np.round(np.logspace(2, 5, 27)).tolist())


def curve(metric: str, values, se: float = 0.01, axis: str = "step", at=POSITIONS) -> Curve:
    return Curve(
        metric=metric,
        level=Level.COOCCURRENCE,
        unit="",
        chance=math.nan,
        steps=tuple(Step(round(place), 0) for place in at),
        values=tuple(float(value) for value in values),
        se=(se,) * len(at),
        axis=axis,
        positions=tuple(at),
    )


def jump(metric: str, kind: Kind = Kind.STEP, verdict: Verdict = Verdict.STEP_LIKE, **changed):
    values = {
        "at": 3000.0,
        "lo": 2500.0,
        "hi": 3300.0,
        "width": 0.1,
        "amplitude": 0.5,
        "onset": 2700.0,
        "evidence": Evidence(20.0, 30.0, 2e-4, 4e-4),
        "width_interval": (0.05, 0.2),
        "amplitude_interval": (0.4, 0.6),
    }
    return Transition(metric=metric, kind=kind, verdict=verdict, **(values | changed))


def sharp(metric: str, verdict: Verdict = Verdict.STEP_LIKE, **changed) -> Assessment:
    found = jump(metric, verdict=verdict, **changed)
    return Assessment(
        metric,
        verdict,
        (found,),
        found.at,
        found.lo,
        found.hi,
        found.onset,
        found.width,
        0.2,
        0.7,
        "sharp change",
    )


def broad(metric: str, end: float = 0.8, width: float = 1.5) -> Assessment:
    note = "broad rise over 1.5 decades, onset between 300 and 500, half done at 4e+03"
    return Assessment(
        metric, Verdict.BROAD_RISE, (), 4000.0, 3300.0, 5000.0, 400.0, width, 0.2, end, note
    )


def smooth(metric: str) -> Assessment:
    return Assessment(metric, Verdict.SMOOTH, start=0.5, end=0.5, note="no change beyond noise")


def unresolved(metric: str) -> Assessment:
    return Assessment(metric, Verdict.UNRESOLVED, note="only 5 usable readings; 8 are needed")


def step_values(size: float = 0.5) -> np.ndarray:
    return 0.2 + size * (np.array(POSITIONS) > 3000)


def findings(source: str = "curves.csv") -> Findings:
    """Two runs × five metrics, a flag and a spike."""
    flat = np.full(len(POSITIONS), 0.5)
    values = {
        "jump.accuracy": step_values(),
        "loss": np.linspace(0.8, 0.2, len(POSITIONS)),
        "rise": np.linspace(0.2, 0.8, len(POSITIONS)),
        "flat": flat,
    }
    curves = {name: curve(name, own) for name, own in values.items()}
    few = curve("few", [0.1, 0.2, 0.3, 0.4, 0.5], at=POSITIONS[:5])
    runs = {"seed0": {**curves, "few": few}, "seed1": curves}
    spike = jump("flat", Kind.SPIKE, Verdict.SMOOTH, at=1000.0, amplitude=0.3)
    own = {
        "jump.accuracy": sharp("jump.accuracy"),
        "loss": broad("loss", end=-0.4),
        "rise": broad("rise", width=0.9),
        "flat": smooth("flat"),
        "few": unresolved("few"),
    }
    other = own | {
        "jump.accuracy": sharp("jump.accuracy", at=2800.0, lo=2400.0, hi=3000.0),
        "flat": Assessment("flat", Verdict.SMOOTH, start=0.5, end=0.5, disturbances=(spike,)),
    }
    del other["few"]
    flags = (
        Flag(
            "duplicate checkpoints",
            "seed1 repeats seed0: 27 of 27 values of rise are equal.",
            runs=("seed0", "seed1"),
            metrics=("rise",),
        ),
    )
    book = CurveBook(source, "step", runs, ("positions from “step”",))
    return Findings(book, {"seed0": own, "seed1": other}, flags)


def single(found: Assessment, values=None) -> Findings:
    """Return findings of one curve in one unnamed run."""
    own = curve(found.metric, step_values() if values is None else values)
    return Findings(
        CurveBook("a.csv", "step", {"": {found.metric: own}}), {"": {found.metric: found}}
    )
