import math
from itertools import pairwise, product

import numpy as np
import pytest

from nucleate.detect.runs import segment
from nucleate.detect.runs.hmm import Parameters, Sequences, fit, posterior

LEVELS = np.array([[0, 0, 0, 0], [1, 0, 1, -1], [1, 2, 1, 0]], dtype=float)


def staged(rng, x, cuts, noise=0.3):
    """Return metrics of a run that changes state at `cuts`, shape ``(n, 4)``."""
    state = np.sum(x[:, None] >= np.array(cuts), axis=1)
    return LEVELS[state] + noise * rng.standard_normal((x.size, 4))


def enumerate_paths(x, values, par):
    """Return log-likelihood, P(state) and P(advance) by summing over every path."""
    n, num_k = x.size, par.means.shape[1]
    total, states, advances = 0.0, np.zeros((n, num_k)), np.zeros((n, num_k - 1))
    for path in product(range(num_k), repeat=n):
        if path[0] != 0 or any(b - a not in (0, 1) for a, b in pairwise(path)):
            continue
        weight = 1.0
        for t, k in enumerate(path):
            if t and path[t - 1] < num_k - 1:
                stay = math.exp(-par.rates[0, path[t - 1]] * (x[t] - x[t - 1]))
                weight *= stay if path[t - 1] == k else 1.0 - stay
            for m in np.flatnonzero(np.isfinite(values[t])):
                var = par.variances[0, k, m]
                far = (values[t, m] - par.means[0, k, m]) ** 2
                weight *= math.exp(-0.5 * far / var) / math.sqrt(2 * math.pi * var)
        total += weight
        for t, k in enumerate(path):
            states[t, k] += weight
            if t and path[t - 1] != k:
                advances[t, path[t - 1]] += weight
    return math.log(total), states / total, advances / total


def test_forward_backward_equals_the_sum_over_all_paths(rng):
    axis = [np.sort(rng.uniform(3, 6, 6)), np.sort(rng.uniform(3, 6, 4))]
    values = [rng.standard_normal((x.size, 2)) for x in axis]
    values[0][2, 1] = values[1][0] = np.nan
    par = Parameters(
        rng.standard_normal((1, 3, 2)), rng.uniform(0.3, 2.0, (1, 3, 2)), np.array([[0.7, 2.0]])
    )
    post = posterior(Sequences.of(axis, values), par)
    for r, (x, v) in enumerate(zip(axis, values, strict=True)):
        loglik, states, advances = enumerate_paths(x, v, par)
        assert post.loglik[0, r] == pytest.approx(loglik, abs=1e-10)
        assert post.states[0, r, : x.size] == pytest.approx(states, abs=1e-10)
        assert post.advances[0, r, : x.size] == pytest.approx(advances, abs=1e-10)


def test_one_state_is_a_normal_distribution(rng):
    values = rng.standard_normal((30, 3))
    _, loglik = fit(Sequences.of([np.linspace(4, 6, 30)], [values]), 1, np.empty((1, 0)))
    spread = values.var(axis=0)
    closed = -0.5 * 30 * np.sum(np.log(2 * np.pi * spread) + 1.0)
    assert loglik == pytest.approx(closed)


def test_each_iteration_of_em_gains_likelihood(rng, toy, monkeypatch):
    seq = Sequences.of([toy.x], [staged(rng, toy.x, (5.0, 6.0))])
    reached = []
    for num in (1, 2, 4, 8, 16):
        monkeypatch.setattr("nucleate.detect.runs.hmm.NUM_ITERATIONS", num)
        reached.append(fit(seq, 3, np.array([[0.2, 0.4]]))[1])
    assert np.all(np.diff(reached) > -1e-9)
    assert reached[-1] > reached[0] + 1.0


def test_states_and_boundaries_of_simulated_runs_are_recovered(toy):
    rng = np.random.default_rng(3)
    cuts = [(5.0, 6.0), (5.2, 6.3), (4.9, 5.9)]
    tables = [staged(rng, toy.x, where) for where in cuts]
    tables[0][::3, 1] = np.nan
    found = segment([toy.tokens] * 3, tables)
    assert (found.num_states, found.agree) == (3, True)
    assert np.argmin(found.bic) == np.argmax(found.held_out) == 2
    assert np.array(found.profiles) == pytest.approx(LEVELS, abs=0.25)
    for boundaries, where in zip(found.boundaries, cuts, strict=True):
        for boundary, truth in zip(boundaries, where, strict=True):
            assert boundary.lo <= 10**truth <= boundary.hi
            assert boundary.lo < boundary.at < boundary.hi
            # Never narrower than the readings around it.
            assert math.log10(boundary.hi / boundary.lo) >= toy.x[1] - toy.x[0] - 1e-9
            assert boundary.probability > 0.99
    assert "never a verdict" in found.note


def test_a_run_that_stops_early_does_not_reach_the_last_state(toy):
    rng = np.random.default_rng(5)
    short = toy.x[toy.x < 5.6]
    found = segment(
        [toy.tokens, 10**short],
        [staged(rng, toy.x, (5.0, 6.0), 0.1), staged(rng, short, (5.0, 6.0), 0.1)],
    )
    assert found.num_states == 3
    assert math.isnan(found.boundaries[1][1].at)
    assert found.boundaries[1][1].probability < 0.01
    assert found.boundaries[1][0].lo <= 1e5 <= found.boundaries[1][0].hi


def test_pure_noise_is_one_state(toy):
    chosen = [
        segment([toy.tokens], [np.random.default_rng(s).standard_normal((50, 4))]).num_states
        for s in range(6)
    ]
    assert chosen == [1] * 6


def test_a_smooth_ramp_is_cut_and_the_note_warns(toy, rng):
    ramp = (toy.x - 4)[:, None] * np.ones(4) + 0.05 * rng.standard_normal((50, 4))
    found = segment([toy.tokens], [ramp], max_states=4)
    assert found.num_states == 4
    assert "the largest number tried" in found.note
    assert "cuts smooth ramps" in found.note


def test_units_of_the_metrics_do_not_matter(toy, rng):
    table = staged(rng, toy.x, (5.0, 6.0))
    plain = segment([toy.tokens], [table])
    scaled = segment([toy.tokens], [table * [1e3, 1e-6, 1, 5] + [0, 1, -7, 2]])
    assert scaled.bic == pytest.approx(plain.bic)
    for one, other in zip(scaled.boundaries[0], plain.boundaries[0], strict=True):
        assert (one.at, one.lo, one.hi) == (other.at, other.lo, other.hi)


def test_thin_evidence_is_refused(toy, rng):
    table = staged(rng, toy.x, (5.0, 6.0))
    for places, values in (
        (toy.tokens, table[:, :2]),
        (toy.tokens[:15], table[:15]),
        (toy.tokens, np.where([True, True, False, False], table, np.nan)),
    ):
        found = segment([places], [values])
        assert (found.num_states, found.boundaries) == (0, ())
        assert found.note.startswith("refused")
    assert segment([toy.tokens], [table], choose="held-out").num_states == 0
    with pytest.raises(ValueError, match="choose"):
        segment([toy.tokens], [table], choose="aic")
    with pytest.raises(ValueError, match="increase"):
        segment([toy.tokens[::-1]], [table])
    with pytest.raises(ValueError, match="same metrics"):
        segment([toy.tokens] * 2, [table, table[:, :3]])
    with pytest.raises(ValueError, match=r"\(n, M\)"):
        segment([toy.tokens], [table[:-1]])
