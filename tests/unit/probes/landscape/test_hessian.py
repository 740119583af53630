import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.probes.landscape import hessian_trace, token_loss, top_eigenvalue
from nucleate.probes.landscape.objective import Objective
from nucleate.probes.rest import at_rest
from tests.unit.probes.landscape.models import Point, quadratic, rotated, small, unchanged

ONE = [torch.zeros(1)]
IDS = torch.randint(31, (4, 12), generator=torch.Generator().manual_seed(2))


def test_trace_of_a_diagonal_hessian_is_exact_with_any_probe():
    found = hessian_trace(Point([1.0, 2.0, 3.0]), quadratic(np.diag([1, 5, -2])), ONE, probes=3)
    assert found.trace == pytest.approx(4)
    assert found.se == pytest.approx(0)


def test_trace_of_a_rotated_hessian_is_within_its_error():
    """Var(vᵀHv) of Rademacher vectors is twice the sum of squares off the diagonal."""
    matrix = rotated(np.arange(1.0, 9.0))
    found = hessian_trace(Point(np.ones(8)), quadratic(matrix), ONE, probes=2000)
    off = matrix - np.diag(np.diag(matrix))
    assert found.se == pytest.approx(np.sqrt(2 * (off**2).sum() / 2000), rel=0.1)
    assert abs(found.trace - 36) < 3.5 * found.se
    assert found.probes == 2000


def test_by_default_there_are_a_hundred_probes():
    assert hessian_trace(Point([1.0]), quadratic([[2.0]]), ONE).probes == 100


@pytest.mark.parametrize("eigenvalues", [[0.1, 1, 2, 7], [-9, 1, 3, 4], [5, 5, 5, 5]])
def test_top_eigenvalue_is_that_of_largest_size(eigenvalues):
    found = top_eigenvalue(Point(np.ones(4)), quadratic(rotated(eigenvalues)), ONE, tolerance=1e-9)
    assert found.value == pytest.approx(max(eigenvalues, key=abs))
    assert found.residual < 1e-8
    assert found.converged
    assert found.iterations <= 4


def test_a_search_that_is_cut_short_says_how_far_it_is_off():
    eigenvalues = np.linspace(1, 2, 60)
    found = top_eigenvalue(
        Point(np.ones(60)), quadratic(rotated(eigenvalues)), ONE, iterations=5, tolerance=1e-9
    )
    assert not found.converged
    assert found.iterations == 5
    assert np.abs(eigenvalues - found.value).min() <= found.residual


def test_batches_are_averaged():
    loss = lambda point, batch: batch.mean() * (point.w**2).sum() / 2  # noqa: E731
    batches = [torch.tensor([1.0, 2.0]), torch.tensor([6.0, 3.0])]
    assert hessian_trace(Point([1.0, 1.0]), loss, batches, probes=2).trace == pytest.approx(6)
    assert top_eigenvalue(Point([1.0, 1.0]), loss, batches).value == pytest.approx(3)
    with pytest.raises(DataError, match="at least one batch"):
        hessian_trace(Point([1.0]), loss, [])


@pytest.mark.parametrize("family", ["llama", "neox", "mixtral"])
def test_of_a_transformer_as_from_its_full_hessian(family):
    """The output head of a small model, whose Hessian can be written down whole."""
    model, head = small(family), lambda name: name in ("lm_head.weight", "embed_out.weight")
    with unchanged(model):
        trace = hessian_trace(model, token_loss, [IDS], probes=400, only=head)
        top = top_eigenvalue(model, token_loss, [IDS], only=head, iterations=100)
    objective = Objective(model, token_loss, head)
    with at_rest(model, fused=False):
        full = torch.autograd.functional.hessian(lambda w: objective([w], IDS), objective.start[0])
    full = full.reshape(objective.size, objective.size)
    assert abs(trace.trace - float(full.trace())) < 3.5 * trace.se
    assert top.value == pytest.approx(float(torch.linalg.eigvalsh(full)[-1]), rel=1e-3)


def test_nothing_of_a_whole_model_changes():
    model = small()
    with unchanged(model):
        hessian_trace(model, token_loss, [IDS, IDS], probes=2)
        top_eigenvalue(model, token_loss, [IDS], iterations=3)


def test_a_diverged_model_has_no_curvature():
    point = Point([float("nan"), 1.0])
    loss = lambda point, batch: (point.w**4).sum() + batch.sum()  # noqa: E731
    assert np.isnan(hessian_trace(point, loss, ONE, probes=2).trace)
    found = top_eigenvalue(point, loss, ONE)
    assert np.isnan(found.value)
    assert not found.converged
