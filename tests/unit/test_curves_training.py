"""What the detector's network is trained on is what it is declared to be."""

from __future__ import annotations

import queue
import time
from argparse import Namespace

import numpy as np
import pytest
import torch
from benchmarks.detect.grids import Grid, draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.training import broad, broad_changes, broad_trends
from benchmarks.detect.training.__main__ import SOON, Learner, schedule, train, widened
from benchmarks.detect.training.augment import HAS_ERROR, HAS_RATE, VALUE, augmented
from benchmarks.detect.training.draws import SHORT, SORTS, Mix, make
from benchmarks.detect.training.model import Model
from benchmarks.detect.training.stream import Stream

from nucleate.detect.network.picture import BINS, CHANNELS, picture
from nucleate.detect.series import clean

FINE = np.arange(0.0, 6.0, 0.001)
WHOLE = Grid("regular", 10.0**FINE, np.ones(FINE.size, dtype=bool))


def _at(values, share):
    return FINE[np.argmax((values - values[0]) / (values[-1] - values[0]) >= share)]


@pytest.mark.parametrize("seed", range(40))
def test_half_of_a_step_is_done_where_it_is_declared(seed):
    place, width, values = broad_changes.draw_step(np.random.default_rng(seed), WHOLE, "step")
    assert 0.02 <= width <= 0.35
    assert _at(values, 0.5) == pytest.approx(place, abs=0.03)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_happens_before_a_kink_and_one_per_decade_after_it(seed):
    place, _, values = broad_changes.draw_kink(np.random.default_rng(seed), WHOLE)
    slope = np.gradient(values, FINE)
    assert np.abs(slope[place - 0.3 > FINE]).max(initial=0.0) < 0.01
    # .1 decades later a saturating kink has lost at most a tenth, one per step a fifth.
    later = slope[np.searchsorted(FINE, place + 0.1)]
    assert 0.75 <= later <= 1.25


def test_sigmoids_are_no_narrower_than_declared():
    u, widths = np.arange(-12.0, 5.0, 0.002), []
    for seed in range(150):
        y = broad_trends.sigmoid(np.random.default_rng(seed), u)
        if y.min() >= 0.0 and y.max() > 0.9:
            assert y.max() <= 1.0
            widths.append(float(u[np.argmax(y >= 0.9)] - u[np.argmax(y >= 0.1)]))
    assert len(widths) > 60
    assert min(widths) >= broad_trends.NARROWEST - 0.005


@pytest.mark.parametrize("what", SORTS)
def test_broad_curves_hold_what_they_declare(what):
    rng = np.random.default_rng(3)
    num = {"two steps": 2}.get(what, int(what in ("step", "cliff", "kink")))
    drawn = 0
    for kind in ("regular", "missing", "dense", "all pythia"):
        grid = draw_grid(rng, kind)
        try:
            curve = broad.draw(rng, what, grid, 8.0)
        except DoesNotFitError:
            continue
        drawn += 1
        assert len(curve.changes) == num
        assert np.array_equal(np.isfinite(curve.values), grid.there)
        assert all(grid.steps[0] < change.at < grid.steps[-1] for change in curve.changes)
    assert drawn >= 2


def test_a_seed_draws_the_same_curves_again():
    one, two = (make((5, 3), 20, mix=Mix(broad=1.0)) for _ in range(2))
    assert np.array_equal(one.picture, two.picture)
    assert np.array_equal(one.target, two.target)
    assert one.picture.shape[1:] == (len(CHANNELS), BINS)
    assert set(make((5, 4), 20, smooth=True).sort) == {SORTS.index("smooth")}


def test_hard_curves_are_shorter_and_more_often_kinked():
    plain, hard = (make(8, 3500, mix=Mix(broad=0.5, hard=hard)) for hard in (False, True))
    assert np.mean(plain.size < SHORT) < 0.46 < np.mean(hard.size < SHORT)
    kink = SORTS.index("kink")
    assert np.mean(plain.sort == kink) < np.mean(hard.sort == kink)


@pytest.mark.parametrize("num", [15, 40, 150])
def test_excursions_leave_the_trend_for_three_readings_or_a_tenth_of_them(num):
    longest = 0
    for seed in range(200):
        away = broad.draw_excursions(np.random.default_rng(seed), num, 2.0)
        assert away.shape == (num,)
        assert away[0] == away[-1] == 0.0
        # Two of unlike sign may lie upon each other.
        assert 0.0 < np.abs(away).max() <= 8.0
        longest = max(longest, np.count_nonzero(away))
    assert max(3, num // 10) <= longest <= 2 * max(3, num // 10)


def _tilted_like(pictures, seed):
    """Return `augmented` pictures and those that were turned over only, by the same seed."""
    out = augmented(pictures.clone(), torch.Generator().manual_seed(seed))
    alone = pictures[:, VALUE].clone()
    alone[::2] *= -1.0
    return out, alone


def test_a_tilted_picture_is_that_of_a_tilted_curve():
    steps = np.logspace(0, 4, BINS)
    values = (steps > 100.0) + 0.02 * np.random.default_rng(0).standard_normal(BINS)
    values = (values - values.mean()) / values.std()
    pictures = torch.from_numpy(picture(clean(steps, values)))[None].repeat(64, 1, 1)
    out, alone = _tilted_like(pictures, 1)
    tilted, middle = 0, (np.arange(BINS) + 0.5) / BINS
    for number, (new, old) in enumerate(zip(out.numpy(), alone.numpy(), strict=True)):
        # Whatever parabola was added: the picture is that of the readings and it, standardised.
        design = np.column_stack([old, np.ones(BINS), middle, middle**2])
        share, *trend = np.linalg.lstsq(design, new[VALUE], rcond=None)[0]
        place = np.log10(steps) / 4.0
        curve = values * (1.0 if number % 2 else -1.0)
        curve = curve + np.column_stack([place**0, place, place**2]) @ trend / share
        again = picture(clean(steps, curve))
        np.testing.assert_allclose(new[VALUE], again[VALUE], atol=0.01)
        np.testing.assert_allclose(new[2], again[2], atol=0.02)
        tilted += bool(np.hypot(*trend[1:]) > 1e-3)
    assert 20 <= tilted <= 44


def test_what_is_told_is_kept_back_now_and_then_and_nothing_else_changes():
    pictures = torch.from_numpy(make(6, 600).picture.astype(np.float32))
    out, _ = _tilted_like(pictures, 2)
    assert torch.isfinite(out).all()
    for number, channel in enumerate(CHANNELS):
        if channel in ("read", "span", "count"):
            assert torch.equal(out[:, number], pictures[:, number])
    for channel, nothing in ((HAS_ERROR, 0.0), (HAS_RATE, 1.0)):
        before, after = pictures[:, channel, 0], out[:, channel, 0]
        assert 0.7 < after.sum() / before.sum() < 0.97
        assert not bool(((after == 1.0) & (before == 0.0)).any())
        assert set(out[after == 0.0][:, channel - 1].unique().tolist()) == {nothing}


def test_gradients_of_a_model_in_half_precision_are_finite():
    torch.manual_seed(0)
    model = Model(16)
    pictures = torch.from_numpy(make(7, 40).picture.astype(np.float32))
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(pictures).float().square().sum()
    loss.backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


def test_a_loss_that_is_not_finite_ends_the_training():
    learner = Learner(16, 0, torch.device("cpu"), 1e-3, None)
    drawn = make(7, 40)
    pending = queue.Queue()
    pending.put((drawn.picture * np.float16(np.nan), drawn.target))
    stream = Stream(40, torch.device("cpu"), pending)
    with pytest.raises(SystemExit, match=f"not finite after {SOON} steps"):
        train([learner], stream, time.perf_counter(), 30.0, Namespace(batch=4, out=None))


def test_the_newest_curves_take_the_place_of_the_oldest():
    pending = queue.Queue()
    stream = Stream(5, torch.device("cpu"), pending)
    for first, num in ((0, 4), (4, 3)):
        shape = np.ones((num, len(CHANNELS), BINS), np.float16)
        numbers = np.arange(first, first + num, dtype=np.float16)[:, None, None]
        pending.put((shape * numbers, np.zeros((num, 2, BINS), np.uint8)))
    stream.take()
    assert (stream.num, stream.total) == (5, 7)
    pictures, targets = stream.batch(200, torch.Generator().manual_seed(0))
    assert set(pictures[:, 0, 0].tolist()) == {2.0, 3.0, 4.0, 5.0, 6.0}
    assert pictures.shape == (200, len(CHANNELS), BINS)
    assert targets.shape == (200, 2, BINS)


def test_targets_are_widened_and_the_rate_rises_then_falls():
    target = torch.zeros(1, 2, BINS)
    target[0, 1, 40] = 1.0
    places = widened(target)[0]
    assert torch.nonzero(places).tolist() == [[place, 1] for place in range(18, 23)]
    assert schedule(0.02) == pytest.approx(0.5)
    assert schedule(0.04) == pytest.approx(1.0)
    assert schedule(0.52) == pytest.approx(0.5)
    assert schedule(1.0) == pytest.approx(0.0)
