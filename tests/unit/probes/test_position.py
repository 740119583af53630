import numpy as np
import pytest

from nucleate.core import DataError
from nucleate.probes.behaviour.position import PositionItems, position
from tests.unit.probes.models import Told

ROWS = np.arange(3 * 64).reshape(3, 64)


def measure(loss):
    """Readings of losses of shape ``(rows, T - 1)``."""
    view = Told(answers=-np.asarray(loss, dtype=float).ravel())
    return {reading.metric: reading for reading in position(view, PositionItems(ROWS))}


def test_a_loss_that_counts_positions_shows_where_each_bin_lies():
    """Token t (1 to 63) has loss t, so a bin's value is the mean of its positions."""
    found = measure(np.tile(np.arange(1, 64), (3, 1)))
    bins = {metric: r.value for metric, r in found.items() if metric.startswith("loss.at")}
    assert bins == {"loss.at8_15.nll": 11.5, "loss.at16_31.nll": 23.5, "loss.at32_63.nll": 47.5}
    assert found["loss.held_out.nll"].value == 32
    # 50/512 and 500/512 of 64 tokens, 4 positions wide: 5 to 8 and 60 to 63.
    assert found["loss.in_context.score"].value == 61.5 - 6.5


def test_a_loss_that_falls_late_is_a_negative_score():
    loss = np.full((3, 63), 4.0)
    loss[:, 32:] = 3.6
    found = measure(loss)
    assert found["loss.in_context.score"].value == pytest.approx(-0.4)
    assert found["loss.in_context.score"].chance == 0
    assert found["loss.in_context.score"].se == pytest.approx(0)


def test_errors_are_over_rows():
    loss = np.ones((3, 63)) * np.array([[1.0], [2.0], [6.0]])
    reading = measure(loss)["loss.held_out.nll"]
    assert reading.items == (1, 2, 6)
    assert reading.se == pytest.approx(np.std([1, 2, 6], ddof=1) / np.sqrt(3))


@pytest.mark.parametrize("rows", [np.zeros((2, 15), int), np.zeros((0, 64), int)])
def test_rows_that_are_too_short_or_none_are_a_mistake(rows):
    with pytest.raises(DataError, match="too short"):
        PositionItems(rows)
