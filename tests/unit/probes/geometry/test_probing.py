import math

import numpy as np
import pytest

from nucleate.core import DataError
from nucleate.probes.geometry import (
    control_labels,
    layer_lags,
    layer_similarity,
    onset_dispersion,
    selectivity,
)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_labels_that_are_not_there_are_not_found(rng):
    labels = rng.integers(0, 2, 1000)
    found = selectivity(rng.normal(size=(1000, 8)), labels, rng.integers(0, 2, 1000))
    assert found.held_out == 300
    assert abs(found.accuracy - 0.5) < 3.5 * math.sqrt(0.25 / 300)
    assert abs(found.selectivity) < 3.5 * found.selectivity_se
    # Nothing is saved; what learning costs is above ln 2.
    assert found.mdl > math.log(2)
    assert found.compression < 1
    assert math.isnan(found.baseline)


def test_separable_labels_are_found_and_cheap_to_tell(rng):
    labels = np.array(["noun", "verb", "other"])[rng.integers(0, 3, 900)]
    means = {"noun": (8, 0), "verb": (0, 8), "other": (-8, -8)}
    x = np.array([means[label] for label in labels]) + rng.normal(size=(900, 2))
    found = selectivity(x, labels, baseline_ND=rng.normal(size=(900, 2)))
    assert found.accuracy == 1
    assert found.mdl < 0.1
    assert found.compression > 10
    assert found.baseline == pytest.approx(1 / 3, abs=0.11)
    assert found.baseline_mdl > 1.0
    assert math.isnan(found.selectivity)


def test_with_unit_evidence_accuracy_is_that_of_the_best_line(rng):
    """Two Gaussians at ±1 of unit variance: Φ(1) = .841 is the most that any probe can have."""
    labels = rng.integers(0, 2, 20_000)
    found = selectivity(rng.normal(size=(20_000, 1)) + (2 * labels[:, None] - 1), labels)
    assert found.accuracy == pytest.approx(0.8413, abs=3.5 * math.sqrt(0.84 * 0.16 / 6000))
    assert found.majority == pytest.approx(0.5, abs=0.03)


def test_features_of_types_solve_the_control_task_too(rng):
    """One-hot types know every label that hangs on the type: no selectivity."""
    types = rng.integers(0, 20, 2000)
    by_type = rng.permutation(np.repeat([0, 1], 10))
    found = selectivity(np.eye(20)[types], by_type[types], control_labels(types, by_type[types]))
    assert (found.accuracy, found.control, found.selectivity) == (1, 1, 0)


def test_features_of_the_class_alone_do_not_solve_the_control_task(rng):
    types = rng.integers(0, 40, 2000)
    label = types % 2
    x = np.eye(2)[label] + 0.05 * rng.normal(size=(2000, 2))
    control = control_labels(types, label, seed=1)
    assert all(len(set(control[types == kind])) == 1 for kind in range(40))
    found = selectivity(x, label, control)
    assert found.accuracy == 1
    assert found.selectivity > 0.2
    assert found.control_mdl > 10 * found.mdl


def test_what_cannot_be_probed_is_one_line(rng):
    with pytest.raises(DataError, match="1 classes"):
        selectivity(rng.normal(size=(50, 2)), np.zeros(50))
    with pytest.raises(DataError, match="49 labels"):
        selectivity(rng.normal(size=(50, 2)), np.zeros(49))


def rises(centres, tokens):
    u = np.log10(tokens)
    return np.array([1 / (1 + np.exp(-8 * (u - centre))) for centre in centres])


def test_onsets_of_layers_and_their_spread():
    tokens = np.logspace(4, 8, 49)
    found = onset_dispersion(tokens, rises([5.5, 6.0, 6.5], tokens))
    assert found.onsets_L == pytest.approx((5.5, 6.0, 6.5), abs=0.02)
    assert found.decades == pytest.approx(0.5, abs=0.02)
    flat = onset_dispersion(tokens, np.vstack([np.zeros(49), rises([6], tokens)]))
    assert math.isnan(flat.onsets_L[0])
    assert (flat.layers, math.isnan(flat.decades)) == (1, True)


def test_lags_between_layers(rng):
    tokens = np.logspace(4, 8, 49)
    noise = 0.01 * rng.normal(size=(2, 49))
    lags = layer_lags(tokens, rises([5.8, 6.1], tokens) + noise)
    assert lags[0, 1] == pytest.approx(0.3, abs=0.05)
    assert lags[1, 0] == -lags[0, 1]


def test_similarity_of_layers(rng):
    x = rng.normal(size=(400, 6))
    found = layer_similarity(np.stack([x, 2 * x + 1, rng.normal(size=(400, 6))]))
    assert found.mean == pytest.approx(1 / 3, abs=0.02)
    assert found.neighbours == pytest.approx(1 / 2, abs=0.02)
    assert found.samples_per_dimension == pytest.approx(400 / 6)
