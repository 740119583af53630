"""Measures of clouds of points whose answer is known: science notes, T14 and T15."""

import math

import numpy as np
import pytest

from nucleate.core import DataError
from nucleate.probes.geometry import (
    alpha_req,
    biased_cka,
    cka,
    cka_matrix,
    class_directions,
    direction_similarity,
    effective_rank,
    rankme,
    samples_per_dimension,
    subspace_similarity,
    two_nn,
)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def rotation(size, rng):
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def with_spectrum(samples, eigenvalues, rng, mean=0.0):
    """Points whose sample covariance (divisor N − 1) has exactly these eigenvalues."""
    size = len(eigenvalues)
    free = rng.normal(size=(samples, size))
    basis = np.linalg.svd(free - free.mean(0), full_matrices=False)[0]
    scales = np.sqrt(np.asarray(eigenvalues) * (samples - 1))
    return basis * scales @ rotation(size, rng) + mean


def test_cka_of_independent_representations_with_few_samples(rng):
    """T14: N < D; the biased one is far above 0, the debiased one is not."""
    x, y = rng.normal(size=(200, 400)), rng.normal(size=(200, 300))
    assert abs(cka(x, y)) < 0.05
    assert biased_cka(x, y) > 0.4
    assert samples_per_dimension(x) == 0.5


def test_debiased_cka_is_unbiased(rng):
    found = [cka(rng.normal(size=(12, 5)), rng.normal(size=(12, 7))) for _ in range(800)]
    assert abs(np.mean(found)) < 3.5 * np.std(found) / math.sqrt(800)


@pytest.mark.parametrize("measure", [cka, biased_cka])
@pytest.mark.parametrize("samples", [20, 200])
def test_cka_does_not_see_rotation_scale_or_shift(measure, samples, rng):
    x, y = rng.normal(size=(samples, 40)), rng.normal(size=(samples, 30))
    y[:, :10] += x[:, :10]
    turned = 3.0 * x @ rotation(40, rng) + 5.0
    assert measure(turned, y) == pytest.approx(measure(x, y), abs=1e-9)
    assert measure(x, turned) == pytest.approx(1)
    assert measure(x, y) == pytest.approx(measure(y, x))
    assert measure(x, y) < 0.95


def test_cka_as_song_et_al_write_it(rng):
    """Their equation 5 with whole kernel matrices, against sums over features."""
    x, y = rng.normal(size=(30, 6)) + 2, rng.normal(size=(30, 50))
    y[:, :6] += x

    def hsic(k, l):  # noqa: E741
        k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
        n, one = len(k), np.ones(len(k))
        middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
        return (np.trace(k @ l) + middle - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))

    k, l = x @ x.T, y @ y.T  # noqa: E741
    assert cka(x, y) == pytest.approx(hsic(k, l) / math.sqrt(hsic(k, k) * hsic(l, l)))


def test_cka_of_layers_is_a_matrix(rng):
    layers = rng.normal(size=(3, 50, 8))
    matrix = cka_matrix(layers)
    np.testing.assert_allclose(matrix, matrix.T)
    assert matrix[0, 2] == pytest.approx(cka(layers[0], layers[2]))
    with pytest.raises(DataError, match="N ≥ 4"):
        cka(layers[0][:3], layers[1][:3])
    with pytest.raises(DataError, match=r"\(50, 8\) and \(49, 8\)"):
        cka(layers[0], layers[1][:49])


def test_rankme_of_gaussians_with_a_known_spectrum(rng):
    """T15, within 2 %: singular values go with the roots of the eigenvalues."""
    eigenvalues = 1.0 / np.arange(1, 21) ** 1.5
    x = rng.normal(size=(20_000, 20)) * np.sqrt(eigenvalues) @ rotation(20, rng)
    p, q = np.sqrt(eigenvalues) / np.sqrt(eigenvalues).sum(), eigenvalues / eigenvalues.sum()
    assert rankme(x) == pytest.approx(math.exp(-(p * np.log(p)).sum()), rel=0.02)
    assert effective_rank(x) == pytest.approx(math.exp(-(q * np.log(q)).sum()), rel=0.02)


def test_the_two_ranks_differ_by_square_and_by_mean(rng):
    """Two directions, one of four times the variance: shares 2/3, 1/3 against 4/5, 1/5."""
    x = with_spectrum(50, [4.0, 1.0], rng)
    thirds, fifths = np.array([2, 1]) / 3, np.array([4, 1]) / 5
    assert rankme(x) == pytest.approx(math.exp(-(thirds * np.log(thirds)).sum()), rel=1e-5)
    assert effective_rank(x) == pytest.approx(math.exp(-(fifths * np.log(fifths)).sum()))
    far = x + 1e4
    assert rankme(far) < 1.01
    assert effective_rank(far) == pytest.approx(effective_rank(x))
    assert math.isnan(effective_rank(np.ones((5, 3))))


def test_alpha_req_reads_off_a_power_law(rng):
    exact = alpha_req(with_spectrum(500, np.arange(1, 65) ** -1.3, rng))
    assert (exact.alpha, exact.r2) == pytest.approx((1.3, 1))
    assert (exact.first, exact.last) == (4, 32)
    bent = alpha_req(with_spectrum(500, np.exp(-np.arange(64) / 5), rng))
    assert bent.r2 < 0.95
    with pytest.raises(DataError, match="ranks 4 to 32"):
        alpha_req(rng.normal(size=(100, 16)))
    with pytest.raises(DataError, match="within 15 nonzero eigenvalues"):
        alpha_req(rng.normal(size=(16, 64)))


@pytest.mark.parametrize(("dimension", "tolerance"), [(2, 0.1), (5, 0.1), (10, 0.15)])
def test_two_nn_of_uniform_clouds(dimension, tolerance, rng):
    """T15: also when they lie in a space of more dimensions.

    In ten dimensions most of a cube is near its faces, where neighbours are missing: on a torus of
    3000 points the estimate is 9.95, in the cube 8.5, with 8000 points 8.8.
    """
    size = 8000 if dimension == 10 else 3000
    flat = rng.uniform(size=(size, dimension))
    found = two_nn(flat @ rng.normal(size=(dimension, 24)) if dimension == 2 else flat)
    assert found.dimension == pytest.approx(dimension, rel=tolerance)
    assert [points for points, _ in found.by_size] == [size, size // 2, size // 4, size // 8]
    assert found.by_size[-1][1] == pytest.approx(dimension, rel=2 * tolerance)


def test_two_nn_leaves_out_duplicates(rng):
    x = rng.uniform(size=(300, 2))
    twice = two_nn(np.vstack([x, x[:100]]), halvings=0)
    assert (twice.points, twice.duplicates) == (300, 100)
    assert twice.dimension == two_nn(x, halvings=0).dimension
    with pytest.raises(DataError, match="too few distinct points"):
        two_nn(np.repeat(x[:5], 50, axis=0))


def test_subspaces_that_turned_by_a_known_angle(rng):
    """Cosine² of the angle of one of two axes; the other stays."""
    angle = 0.7
    x = with_spectrum(200, [9, 4, 1e-6, 1e-6], rng)
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
    turn = np.eye(4)
    turn[np.ix_([1, 2], [1, 2])] = [
        [math.cos(angle), -math.sin(angle)],
        [math.sin(angle), math.cos(angle)],
    ]
    found = subspace_similarity(x @ axes.T @ turn @ axes, x, rank=2)
    assert found.similarity == pytest.approx((1 + math.cos(angle) ** 2) / 2, abs=1e-5)
    assert found.chance == 0.5
    assert subspace_similarity(x, x, rank=2).similarity == pytest.approx(1)
    with pytest.raises(DataError, match="rank 9"):
        subspace_similarity(x, x, rank=9)


def test_directions_at_random_are_at_chance(rng):
    one, other = rng.normal(size=(2, 4000, 24))
    found = direction_similarity(one, other)
    assert found.chance == pytest.approx(math.sqrt(2 / (math.pi * 24)), rel=0.02)
    assert found.similarity == pytest.approx(found.chance, rel=0.05)
    assert direction_similarity(one, -2 * one).similarity == pytest.approx(1)


def test_directions_of_classes():
    x = [[0.0, 0.0], [0.0, 2.0], [4.0, 1.0], [4.0, 1.0]]
    np.testing.assert_allclose(class_directions(x, ["a", "a", "b", "b"]), [[-1, 0], [1, 0]])
    with pytest.raises(DataError, match="two classes"):
        class_directions(x, [1, 1, 1, 1])
