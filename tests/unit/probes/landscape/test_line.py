import math

import numpy as np
import pytest
import torch

from nucleate.core import CheckpointError, DataError
from nucleate.probes.landscape import loss_on_line, token_loss
from tests.unit.probes.landscape.models import Point, small, unchanged


def wells(point, batch):
    """``batch · (w² − 1)²``: two minima at ±1, with a barrier of the batch's mean between them."""
    return (batch * (point.w**2 - 1) ** 2).mean()


def test_height_of_a_double_well():
    batches = [torch.tensor([1.0]), torch.tensor([3.0])]
    found = loss_on_line(Point([-1.0]), Point([1.0]), wells, batches)
    assert found.barrier == pytest.approx(2)
    assert found.se == pytest.approx(1)
    assert found.peak == pytest.approx(0.5)
    assert found.losses_A == pytest.approx(2 * (np.linspace(-1, 1, 11) ** 2 - 1) ** 2)


def test_a_bowl_has_no_barrier_and_a_slope_is_not_one():
    bowl = lambda point, batch: (point.w**2).sum() + 0 * batch.sum()  # noqa: E731
    found = loss_on_line(Point([-1.0]), Point([3.0]), bowl, [torch.zeros(1)], points=5)
    assert found.barrier == 0
    assert found.losses_A == pytest.approx([1, 0, 1, 4, 9])
    assert math.isnan(found.se)
    # From 1 to 9 the loss rises, but nowhere above the line between both ends.


def test_of_transformers_both_ends_are_their_own_losses_and_nothing_changes():
    first, second = small(seed=0), small(seed=1)
    ids = torch.randint(31, (4, 12), generator=torch.Generator().manual_seed(2))
    with unchanged(first), unchanged(second):
        found = loss_on_line(first, second, token_loss, [ids], points=3)
    with torch.no_grad():
        ends = [float(token_loss(model.eval(), ids)) for model in (first, second)]
    assert found.losses_A[[0, -1]] == pytest.approx(ends, abs=1e-5)


def test_other_shapes_are_refused_by_name():
    with pytest.raises(CheckpointError, match=r"w: two checkpoints .* \(got \(2,\), expected \(1"):
        loss_on_line(Point([0.0]), Point([0.0, 1.0]), wells, [torch.zeros(1)])
    with pytest.raises(DataError, match="3 points"):
        loss_on_line(Point([0.0]), Point([1.0]), wells, [torch.zeros(1)], points=2)
