"""Each flag on a panel with one planted fault, and none on clean panels."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from nucleate.core import Curve, CurveBook, Level, Step
from nucleate.detect.integrity import integrity_flags
from nucleate.detect.integrity.bundle import critical, distances
from nucleate.detect.integrity.panel import named_direction

STEPS = np.unique(np.round(np.logspace(1, 5.15, 40))).astype(int)


def curve(metric, values, steps=STEPS, se=None, unit=""):
    return Curve(
        metric=metric,
        level=Level.SYNTAX,
        unit=unit,
        chance=float("nan"),
        steps=tuple(Step(int(t), int(t)) for t in steps),
        values=tuple(float(v) for v in values),
        se=(float("nan"),) * len(steps) if se is None else tuple(se),
    )


def noise(rng, size, rho, common, shared):
    own = rng.normal(size=size)
    for t in range(1, size):
        own[t] = rho * own[t - 1] + np.sqrt(1 - rho**2) * own[t]
    return np.sqrt(1 - common) * own + np.sqrt(common) * shared


def clean(rng, *, metrics=20, steps=STEPS, runs=1, rho=0.5, common=0.0):
    """Losses, accuracies that rise, flat accuracies and norms, with correlated AR(1) noise."""
    u = np.log10(steps)
    kinds = [
        (k % 4, rng.uniform(1.5, 4.8), rng.uniform(0.2, 0.6), rng.uniform(0.005, 0.03))
        for k in range(metrics)
    ]
    book = {}
    for r in range(runs):
        shared = noise(rng, steps.size, rho, 0.0, 0.0)
        table = {}
        for k, (kind, centre, scale, sd) in enumerate(kinds):
            e = sd * noise(rng, steps.size, rho, common, shared)
            rise = 1 / (1 + np.exp(-(u - centre) / scale))
            name, values = (
                (f"t{k}.loss", 2 + 6 * (1 + steps / 50) ** -0.3 + 3 * e),
                (f"t{k}.acc", 0.25 + 0.4 * rise + e),
                (f"t{k}.acc", 0.25 + e),
                (f"t{k}.norm", 10 + 3 * u + 5 * e),
            )[kind]
            table[name] = curve(name, values, steps)
        book[f"r{r}"] = table
    return CurveBook("made", "step", book)


def edited(book, run, change, metrics=None):
    """Apply a change of values to some metrics of one run."""
    runs = {name: dict(curves) for name, curves in book.runs.items()}
    for metric in metrics or list(runs[run]):
        old = runs[run][metric]
        values = change(np.array(old.values))
        runs[run][metric] = replace(old, values=tuple(float(v) for v in values))
    return CurveBook(book.source, book.axis, runs)


def kinds(flags):
    return [flag.kind for flag in flags]


@pytest.mark.parametrize(
    "shape",
    [{}, {"rho": 0.9}, {"common": 0.9}, {"metrics": 6}, {"runs": 5, "metrics": 8}],
)
def test_clean_panels_raise_no_flag(shape):
    """Nominal at most 1–2 %; 0 of 3,280 panels of a wider trial had one."""
    rng = np.random.default_rng(7)
    flagged = [flags for _ in range(40) if (flags := integrity_flags(clean(rng, **shape)))]
    assert len(flagged) <= 1, flagged


def test_a_checkpoint_saved_twice_is_found(rng):
    def copy(values):
        values[21] = values[20]
        return values

    flags = integrity_flags(edited(clean(rng), "r0", copy))
    assert kinds(flags) == ["duplicate checkpoints"]
    assert flags[0].at == (float(STEPS[20]), float(STEPS[21]))
    assert "identical in all of 20 metrics" in flags[0].text


def test_coarse_accuracies_that_coincide_are_no_duplicate(rng):
    steps = np.arange(1, 41)
    table = {f"{k}.acc": curve(f"{k}.acc", rng.integers(3, 8, 40) / 10, steps) for k in range(4)}
    assert "duplicate checkpoints" not in kinds(integrity_flags(CurveBook("", "step", {"": table})))


@pytest.mark.parametrize("gap", [1, 2, 6])
@pytest.mark.parametrize("common", [0.0, 0.9])
def test_exchanged_checkpoints_are_found(gap, common):
    rng = np.random.default_rng(11)
    found = 0
    for k in range(12):
        i, j = 8 + k, 8 + k + gap

        def swap(values, i=i, j=j):
            values[[i, j]] = values[[j, i]]
            return values

        flags = integrity_flags(edited(clean(rng, common=common), "r0", swap))
        assert all(flag.at == (float(STEPS[i]), float(STEPS[j])) for flag in flags), flags
        assert all(flag.p < 0.001 for flag in flags)
        found += kinds(flags) == ["swapped checkpoints"]
    assert found >= 8


def test_one_odd_checkpoint_is_not_an_exchange(rng):
    def spike(values):
        values[20] += 0.3 * np.ptp(values)
        return values

    assert "swapped checkpoints" not in kinds(integrity_flags(edited(clean(rng), "r0", spike)))


def test_validation_loss_below_training_loss_is_suspicious(rng):
    steps = np.arange(1, 61) * 100
    base = 2 + 3 * (steps / 100.0) ** -0.4
    train = base + 0.02 * rng.normal(size=60)
    valid = base + 0.1 + 0.02 * rng.normal(size=60)
    sound = {"train/loss": curve("train/loss", train, steps)}
    sound["val/loss"] = curve("val/loss", valid, steps)
    assert integrity_flags(CurveBook("", "step", {"": sound})) == ()
    leak = sound | {"val/loss": curve("val/loss", valid - 0.3 * (steps > 3000), steps)}
    flags = integrity_flags(CurveBook("", "step", {"": leak}))
    assert kinds(flags) == ["leakage"]
    assert flags[0].metrics == ("val/loss", "train/loss")
    assert flags[0].at == (3100.0,)


def test_one_benchmark_up_while_others_fall_is_suspicious(rng):
    steps = np.arange(1, 41) * 1000
    late = steps > 20_000
    names = [f"b{k}.acc" for k in range(10)]
    table = {n: curve(n, 0.4 + 0.01 * rng.normal(size=40), steps) for n in names}
    book = CurveBook("", "step", {"": table})
    jump = edited(book, "", lambda v: v + 0.2 * late, names[:1])
    assert integrity_flags(jump) == ()
    flags = integrity_flags(edited(jump, "", lambda v: v - 0.15 * late, names[1:3]))
    assert kinds(flags) == ["leakage"]
    assert flags[0].at == (21_000.0,)
    assert set(flags[0].metrics) == set(names[:3])


def test_answers_of_one_class_are_found():
    values = np.where(np.arange(40) % 13 < 7, 0.365, 0.635)
    values[5], values[30] = 0.41, 0.55
    book = CurveBook("", "step", {"a": {"wsc.acc": curve("wsc.acc", values)}})
    flags = integrity_flags(book)
    assert kinds(flags) == ["class collapse"]
    assert "0.365 or 0.635 in 38 of 40 readings" in flags[0].text
    still = curve("wsc.acc", np.full(40, 0.365), se=np.full(40, 0.047))
    flags = integrity_flags(CurveBook("", "step", {"a": {"wsc.acc": still}}))
    assert kinds(flags) == ["class collapse"]
    assert "exactly 0.365 in all 40 readings" in flags[0].text


def test_impossible_constant_and_coarse_values(rng):
    smooth = 0.5 + 0.01 * rng.normal(size=STEPS.size)
    above, below = smooth.copy(), np.abs(smooth) + 1
    above[3], below[4] = 1.2, 0.4
    broken = np.full(STEPS.size, 0.02)
    broken[2] = 0.7
    table = {
        "a.acc": curve("a.acc", above),
        "b.ppl": curve("b.ppl", below),
        "batch": curve("batch", np.full(STEPS.size, 512.0)),
        "switch": curve("switch", np.arange(STEPS.size) % 2),
        "c.acc": curve("c.acc", smooth, se=broken),
    }
    flags = {flag.kind: flag for flag in integrity_flags(CurveBook("", "step", {"": table}))}
    assert set(flags) == {
        "impossible values",
        "constant metric",
        "coarse metric",
        "implausible errors",
    }
    assert flags["impossible values"].metrics == ("a.acc", "b.ppl")
    assert "up to 1.2" in flags["impossible values"].text
    assert "0.7, more than any share can have" in flags["implausible errors"].text


def test_runs_that_share_values_are_not_independent(rng):
    book = clean(rng, runs=3, metrics=8)
    half = {
        name: tuple(
            a if k < 20 else b for k, (a, b) in enumerate(zip(c.values, d.values, strict=True))
        )
        for (name, c), d in zip(book.runs["r0"].items(), book.runs["r1"].values(), strict=True)
    }
    runs = dict(book.runs)
    runs["r1"] = {n: replace(c, values=half[n]) for n, c in book.runs["r1"].items()}
    flags = integrity_flags(CurveBook("", "step", runs))
    assert kinds(flags) == ["shared values"]
    assert flags[0].runs == ("r0", "r1")
    assert max(flags[0].at) <= STEPS[19]


@pytest.mark.parametrize(("runs", "spreads"), [(5, 60), (8, 20), (12, 15)])
def test_a_run_that_leaves_the_bundle_is_named(rng, runs, spreads):
    book = clean(rng, metrics=1, runs=runs)
    values = np.array([curves["t0.loss"].values for curves in book.runs.values()])
    far = spreads * values.std(axis=0).mean() * (np.arange(STEPS.size) >= 20)
    flags = integrity_flags(edited(book, "r1", lambda v: v + far))
    assert kinds(flags) == ["outlier run"]
    assert flags[0].runs == ("r1",)
    assert flags[0].at[0] == pytest.approx(STEPS[20], rel=0.6)
    assert flags[0].at[1] == STEPS[-1]
    assert flags[0].p <= 0.01


def test_three_runs_have_no_outlier(rng):
    book = clean(rng, metrics=2, runs=3)
    assert integrity_flags(edited(book, "r1", lambda v: v + 100)) == ()


def test_plain_critical_distance_is_students_t():
    """t with 3 degrees of freedom: 5.841 at two-sided 1 %."""
    assert critical(4, 0.01)[1] == pytest.approx(5.841, abs=0.001)


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("lambada_openai.ppl", -1),
        ("val/loss", -1),
        ("pile_bits_per_byte", -1),
        ("alignment.bigram.kl", -1),
        ("wsc.acc_norm", 1),
        ("agreement.attractor.margin", 1),
        ("weight_norm", 0),
        ("sparkle", 0),
    ],
)
def test_direction_is_read_from_the_name(name, sign):
    assert named_direction(name) == sign


def test_wide_and_long_tables_stay_fast(rng):
    """500 metrics × 60 positions × 5 runs take 1.7 s on a free core; room for a shared one."""
    wide = clean(rng, metrics=500, runs=5, steps=np.unique(np.logspace(1, 5, 60).astype(int)))
    long = np.arange(1, 40_001)
    loss = {
        f"s{k}": {"loss": curve("loss", 3 + rng.normal(size=long.size), long)} for k in range(5)
    }
    begin = time.process_time()
    assert integrity_flags(wide) == ()
    assert integrity_flags(CurveBook("", "step", loss)) == ()
    assert time.process_time() - begin < 8.0


def test_empty_and_short_sources_are_no_problem():
    assert integrity_flags(CurveBook("", "step", {})) == ()
    assert integrity_flags(CurveBook("", "step", {"a": {}})) == ()
    two = curve("a.acc", [0.1, np.nan], STEPS[:2])
    assert integrity_flags(CurveBook("", "step", {"a": {"a.acc": two}})) == ()


@pytest.mark.parametrize("power", [-1000, 600])
def test_how_far_a_run_is_from_the_others_has_no_unit(power):
    values = np.random.default_rng(0).standard_normal((5, 12))
    plain, far = distances(values, 0.5), distances(np.ldexp(values, power), np.ldexp(0.5, power))
    assert (far.robust == plain.robust).all()
    assert (far.plain == plain.plain).all()
    # 0.5 is the least spread that counts: nothing may be farther than its difference over that.
    assert np.abs(far.plain).max() <= np.ptp(values) / 0.5
