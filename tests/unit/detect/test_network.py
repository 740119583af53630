"""The network that says where changes may be: what it sees, its arithmetic, its p-values."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, layer_norm, linear

from nucleate.detect import aside, events, gates
from nucleate.detect.cache import GridCache
from nucleate.detect.events import PLENTY, RATE, joint_p
from nucleate.detect.network.judge import KINK_SHARE, SIZES, Peak, judge, p_values
from nucleate.detect.network.network import DILATIONS, GLOBAL, PLACES, features, load_network
from nucleate.detect.network.picture import BINS, CHANNELS, picture
from nucleate.detect.series import clean
from nucleate.detect.tails import SMALLEST_P


def channel(seen, name):
    return seen[CHANNELS.index(name)]


def test_bins_hold_means_and_counts_and_gaps_are_interpolated():
    x = np.array([0.0, 0.004, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    values = np.array([1.0, 3.0, 2.0, 2.0, 5.0, 1.0, 2.0, 0.0, 2.0])
    series = clean(10.0**x, values)
    seen = picture(series)
    assert seen.shape == (len(CHANNELS), BINS)
    place = np.floor(x / 4.0 * BINS).astype(int).clip(max=BINS - 1)
    np.testing.assert_array_equal(np.flatnonzero(channel(seen, "read")), np.unique(place))
    y = series.y
    assert channel(seen, "value")[0] == pytest.approx((y[0] + y[1]) / 2, rel=1e-6)
    assert channel(seen, "count")[0] == pytest.approx(np.log10(3) / 3, rel=1e-6)
    between = channel(seen, "value")[place[4] : place[5] + 1]
    assert np.all(np.diff(between) <= 1e-6)
    assert np.all(channel(seen, "span") == 1.0)


def test_the_noise_of_white_readings_is_recognised(rng):
    """Second differences of white noise have six times its variance, whatever the line below."""
    x = np.linspace(0.0, 4.0, 150)
    series = clean(10.0**x, 5.0 * x + 0.1 * rng.standard_normal(150))
    noise = channel(picture(series), "noise")[channel(picture(series), "read") > 0]
    assert 10.0 ** np.median(noise) * series.scale == pytest.approx(0.1, rel=0.15)


def test_what_is_known_of_errors_and_rates_is_told(rng):
    steps, values = np.logspace(0, 4, 40), rng.standard_normal(40)
    bare, told = picture(clean(steps, values)), clean(steps, values, 0.2, np.r_[1.0, [2.0] * 39])
    assert not channel(bare, "has error").any()
    assert not channel(bare, "has rate").any()
    assert np.all(channel(bare, "rate") == 1.0)
    seen = picture(told)
    assert channel(seen, "error")[0] == pytest.approx(np.log10(0.2 / told.scale), rel=1e-5)
    half_a_bin, gap = 4.0 / BINS / 2, 4.0 / 39
    assert channel(seen, "rate")[0] == pytest.approx(0.5 + 0.5 * half_a_bin / gap, rel=1e-4)
    assert channel(seen, "rate")[-1] == 1.0


def test_the_arithmetic_is_that_of_dilated_convolutions(rng):
    """An independent implementation: torch's own convolutions, norms and rectifiers."""
    pictures = np.stack(
        [picture(clean(np.logspace(0, 4, n), rng.standard_normal(n).cumsum())) for n in (20, 60)]
    )
    w = {name: torch.from_numpy(value) for name, value in load_network().weights.items()}

    def convolved(x_bcl, name, dilation):
        out, wide = w[f"{name}.weight"].shape
        kernel = w[f"{name}.weight"].view(out, 3, wide // 3).permute(0, 2, 1)
        return conv1d(x_bcl, kernel, w[f"{name}.bias"], padding=dilation, dilation=dilation)

    def normed(h_bcl, name):
        scale, shift = w[f"{name}.weight"], w[f"{name}.bias"]
        return layer_norm(h_bcl.mT, scale.shape, scale, shift).mT

    h = convolved(torch.from_numpy(features(pictures)).mT, "stem", 1)
    for number, dilation in enumerate(DILATIONS):
        name = f"blocks.{number}"
        z = convolved(normed(h, f"{name}.norm"), f"{name}.look", dilation).relu()
        h = h + conv1d(z, w[f"{name}.mix.weight"][..., None], w[f"{name}.mix.bias"])
        if number in GLOBAL:
            wide = f"wide.{GLOBAL.index(number)}"
            every = torch.cat([h.mean(-1), h.amax(-1)], -1)
            h = h + linear(every, w[f"{wide}.weight"], w[f"{wide}.bias"])[..., None]
    expected = linear(normed(h, "norm").relu().mT, w["out.weight"], w["out.bias"])
    own = load_network().one_sided(pictures)
    assert own.shape == (2, PLACES, 2)
    np.testing.assert_allclose(own, expected.numpy(), atol=2e-4)


@pytest.mark.parametrize("size", [20, 60, 5000])
def test_p_is_the_share_of_smooth_curves_that_score_as_high(size):
    stratum = int(np.searchsorted(SIZES, size, side="right"))
    for kink, share in ((False, 1 - KINK_SHARE), (True, KINK_SHARE)):
        name = f"null.{'kink' if kink else 'step'}.{stratum}"
        null = load_network().weights[name]
        assert np.all(np.diff(null) >= 0)
        for part in (0.02, 0.05):
            score = np.quantile(null, 1 - part)
            (p,) = p_values(size, kink, np.array([score]))
            assert p == pytest.approx(part / share, rel=0.12)


def test_an_obvious_step_is_seen_where_it_is_and_nothing_elsewhere(rng):
    steps = np.logspace(4, 7, 60)
    noise = 0.02 * rng.standard_normal(60)
    trend = (1 + steps / 1e5) ** -0.3
    smooth, stepped = (
        clean(steps, trend + noise),
        clean(steps, trend + noise - 0.4 * (steps > 1e6)),
    )
    quiet, loud = judge([smooth, stepped])
    assert all(peak.p > 0.01 for peak in quiet)
    (peak, *others) = loud
    assert peak.p < 1e-3
    assert not peak.kink
    assert peak.at == pytest.approx(6.0, abs=0.15)
    assert all(other.p > 0.01 for other in others)


def test_what_is_seen_depends_neither_on_units_nor_on_company(rng):
    steps, values = np.logspace(3, 6, 30), rng.standard_normal(30).cumsum()
    alone = judge([clean(steps, values)])[0]
    scaled, _ = judge([clean(steps * 7.0, -3.0 * values - 5.0), clean(steps, values[::-1])])
    assert len(alone) == len(scaled)
    for one, other in zip(alone, scaled, strict=True):
        assert other.score == pytest.approx(one.score, abs=1e-3)
        assert other.at == pytest.approx(one.at + np.log10(7.0), abs=1e-6)


@pytest.mark.parametrize(
    ("ratio", "p", "expected"),
    [
        (-4.0, 3e-3, 3e-3),
        (PLENTY, 3e-3, 3e-3),
        (PLENTY + 2.0, 3e-3, 3e-3 * np.exp(-2.0 * RATE)),
        (90.0, 3e-3, SMALLEST_P),
        (90.0, SMALLEST_P / 2, SMALLEST_P / 2),
    ],
)
def test_plenty_of_likelihood_makes_p_smaller_and_its_lack_never_larger(ratio, p, expected):
    event = gates.Tested(SimpleNamespace(), ratio, 0.0, p)
    assert joint_p(event) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("width", "amplitude", "at", "p", "expected"),
    [
        (0.2, 1.0, 5.5, 0.009, True),
        (0.4, 1.0, 5.5, 0.0041, False),  # may be wider than the limit
        (0.4, 1.0, 5.5, 0.0039, True),
        (0.2, 0.14, 5.5, 0.0009, False),  # less than 1.5 times the noise of a reading
        (0.2, 1.0, 4.25, 0.0009, False),  # two readings before it
        (0.2, 1.0, 6.85, 0.0009, False),  # two after it
    ],
)
def test_a_step_must_be_narrow_large_and_read_on_both_sides(width, amplitude, at, p, expected):
    series = clean(10.0 ** np.arange(4.0, 7.01, 0.2), np.arange(16.0) % 2)
    where = SimpleNamespace(
        kink=False, width=width, amplitude=amplitude, noise=0.1, at=at, lo=at - 0.1, hi=at + 0.1
    )
    assert gates.believable(gates.Tested(where, 5.0, 5.0, p), series, 0.4) is expected


def test_an_excursion_is_not_taken_where_a_change_is_claimed_in_the_gap_before_it():
    x = np.array([0.0, 0.1, 0.2, 0.9, 1.0, 1.1, 1.2, 1.3])
    grid = SimpleNamespace(excursions=[SimpleNamespace(first=3, last=4)])

    def claimed(at):
        search = SimpleNamespace(kept=SimpleNamespace(x=x), claims=[Peak(at, False, 5.0, 1e-3)])
        return aside.is_claimed(search, grid, 0)

    assert claimed(0.3)  # between the last reading before it and its first one
    assert claimed(1.14)
    assert not claimed(0.15)
    assert not claimed(1.2)


def test_what_an_excursion_hid_is_claimed_again_if_it_is_still_seen(monkeypatch):
    seen = [Peak(5.1, False, 6.0, 2e-3), Peak(6.5, False, 6.0, 1e-4), Peak(4.0, True, 1.0, 0.3)]
    monkeypatch.setattr(events, "judge", lambda curves: [tuple(seen)])
    hidden = [Peak(5.0, False, 5.0, 4e-3), Peak(4.0, True, 5.0, 1e-3)]
    refused = [Peak(6.55, False, 5.0, 1e-3)]
    search = aside.Search(kept=SimpleNamespace(), claims=[], hidden=hidden, waiting=refused)
    events._claim_still_seen(search, 0.01)
    assert search.claims == [
        Peak(5.1, False, 6.0, 4e-3),  # the larger p of both looks
        Peak(6.5, False, 6.0, 1e-3),  # what was refused for another reason, too
    ]
    assert search.hidden == search.waiting == []


def _away(at, *, restart=False, size=1.0):
    return aside.Away(at, at + 0.1, at - 0.1, size, restart, 20.0, 1e-6)


def _event(at, *, kink=False, size=1.0):
    return gates.Tested(SimpleNamespace(at=at, kink=kink, amplitude=size), 5.0, 5.0, 1e-3)


@pytest.mark.parametrize(
    ("event", "away", "sees", "expected"),
    [
        (_event(5.0), [], 1.0, False),
        (_event(5.0), [_away(5.2)], 1.0, False),  # a step beside a spike
        (_event(5.0, size=0.2), [_away(5.2, restart=True)], 1.0, True),
        (_event(5.0, size=0.3), [_away(5.2, restart=True)], 1.0, False),
        (_event(5.0, kink=True), [_away(5.2)], 0.0019, False),
        (_event(5.0, kink=True), [_away(5.2)], 0.0021, True),
        (_event(5.0, kink=True), [_away(5.2, restart=True)], 1e-5, True),
        (_event(5.0, kink=True), [_away(5.6)], 1.0, False),  # too far away to matter
    ],
)
def test_a_kink_beside_a_spike_must_be_seen_without_it(monkeypatch, event, away, sees, expected):
    monkeypatch.setattr(aside, "judge", lambda curves: [(Peak(5.1, False, 3.0, sees),)])
    search = aside.Search(kept=SimpleNamespace(), claims=[], away=away)
    assert aside.beside_excursion(search, event) is expected


def test_a_kink_seen_elsewhere_does_not_count(monkeypatch):
    monkeypatch.setattr(aside, "judge", lambda curves: [(Peak(5.2, True, 3.0, 1e-5),)])
    search = aside.Search(kept=SimpleNamespace(), claims=[], away=[_away(5.2)])
    assert aside.beside_excursion(search, _event(5.0, kink=True))


@pytest.mark.parametrize(
    ("ratio", "beside_another", "taken"),
    [(-14.9, False, True), (-15.1, False, False), (0.1, True, True), (-0.1, True, False)],
)
def test_what_smooth_trends_explain_far_better_is_no_change(
    monkeypatch, ratio, beside_another, taken
):
    where = SimpleNamespace(at=5.0, kink=False, amplitude=1.0, shape=lambda x: 0.0 * x)
    where.moved = lambda origin: where
    for name, result in (
        ("locate", where),
        ("_ratio", ratio),
        ("believable", True),
        ("looks_brief", False),
    ):
        monkeypatch.setattr(events, name, lambda *_, result=result, **__: result)
    search = aside.Search(
        kept=SimpleNamespace(x=np.arange(8.0), y=np.zeros(8)),
        claims=[Peak(5.0, False, 3.0, 1e-3)],
        events=[_event(2.0)] if beside_another else [],
    )
    for other in search.events:
        other.where.shape = where.shape
    grid = SimpleNamespace(best_event=lambda *_, **__: (0, 0.0))
    found, refused = events._next_event(search, grid, SimpleNamespace(fit=None), 0.4)
    assert (found is not None) is taken
    assert len(refused) == len(search.waiting) == (not taken)


def test_a_curve_with_excursions_is_judged_once_more_when_nothing_else_is_found(monkeypatch, rng):
    series = clean(np.logspace(4, 7, 40), rng.standard_normal(40))
    seen = [Peak(5.0, False, 3.0, 0.004), Peak(6.0, False, 2.0, 0.006)]
    monkeypatch.setattr(events, "judge", lambda curves: [tuple(seen)])
    claims = []

    def take(search, *_):
        claims.append(list(search.claims))
        search.claims.clear()
        if len(claims) == 1:
            search.away.append(_away(5.5))
        return len(claims) == 1

    monkeypatch.setattr(events, "_take_one", take)
    cache = GridCache(0.4, 0, 1)
    look = events._look(cache.grid(series), series.y[:, None])
    events._search(series, cache, 0.01, look, ())
    # Nothing, an excursion, nothing; then what has twice its p within .01; and an end.
    assert claims == [[], [], [Peak(5.0, False, 3.0, 0.008)]]
