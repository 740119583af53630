"""What the detector's network is trained on is what it is declared to be."""

from __future__ import annotations

import queue

import numpy as np
import pytest
import torch
from benchmarks.detect.grids import Grid, draw_grid
from benchmarks.detect.parts import DoesNotFitError
from benchmarks.detect.training import broad, broad_changes, broad_trends
from benchmarks.detect.training.__main__ import schedule, widened
from benchmarks.detect.training.draws import SORTS, Mix, make
from benchmarks.detect.training.stream import Stream

from nucleate.detect.network.picture import BINS, CHANNELS

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
