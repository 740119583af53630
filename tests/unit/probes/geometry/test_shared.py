"""Cheap ways to the same numbers: one reduction for two spectra, batches, queries, one pass."""

import math

import numpy as np
import pytest
import torch

from nucleate.core import DataError
from nucleate.models import ModelSettings, build
from nucleate.models.builder import make_config
from nucleate.probes.geometry import (
    batched_cka,
    cka,
    cka_matrix,
    logit_lens,
    residual_streams,
    spectra,
    two_nn,
)
from nucleate.probes.geometry.distinct import distinct, groups
from nucleate.probes.geometry.probes import GeometryItems
from nucleate.probes.geometry.rank import eigenvalues
from nucleate.probes.geometry.spectra import centred
from nucleate.probes.inside import inside_parts, lens_cost
from nucleate.probes.mechanism.items import text_head_items
from nucleate.probes.mechanism.scores import head_scores, shared_scores
from nucleate.probes.registry import get_probe
from nucleate.probes.suites import Suite
from nucleate.probes.view import ModelView
from tests.unit.probes.models import FAMILIES, VOCABULARY, tiny


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (20, 20), (2, 3), (5, 1), (90, 64)])
@pytest.mark.parametrize("mean", [0.0, 1.0, 100.0])
def test_both_spectra_are_those_of_two_decompositions(shape, mean, rng):
    x = rng.normal(size=shape) * np.arange(1, shape[1] + 1) ** -0.7 + mean
    found, singular = spectra(x), np.linalg.svd(x, compute_uv=False)
    np.testing.assert_allclose(found.singular_R, singular, atol=1e-13 * singular[0])
    own = eigenvalues(x)
    np.testing.assert_allclose(found.eigenvalues_R, own, atol=1e-13 * own[0])
    assert not found.single


@pytest.mark.parametrize("shape", [(60, 24), (24, 60), (40, 40)])
def test_where_it_is_computed_makes_no_difference(shape, rng):
    """The plain way in which a card computes, run on the processor: some points are there twice."""
    x = rng.normal(size=(3, *shape)).astype(np.float32) + 2
    x[:, 7] = x[:, 3]
    kept, count = distinct(x[0])
    for given in ((x[0],), (x[0][kept], count)):
        here, there = spectra(*given), spectra(*given, device="cpu")
        assert here.singular_R.shape == there.singular_R.shape
        np.testing.assert_allclose(
            there.singular_R, np.linalg.svd(x[0], compute_uv=False), atol=3e-6
        )
        np.testing.assert_allclose(there.eigenvalues_R, eigenvalues(x[0]), atol=1e-6)
        assert not there.single
    for queries in (None, 10):
        here, there = (two_nn(x[0], queries=queries, device=d) for d in (None, "cpu"))
        np.testing.assert_allclose(there.by_size, here.by_size, rtol=1e-5)
    np.testing.assert_allclose(
        batched_cka(x, batch=8, device="cpu"), batched_cka(x, batch=8), atol=2e-5
    )


def test_spectra_written_out_by_hand():
    """Corners of a square, shifted: variances 4/3 twice; with the mean, 4 + 4·(9 + 16)."""
    x = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=np.float64)
    found = spectra(x + np.array([3, 4]))
    assert found.eigenvalues_R == pytest.approx([4 / 3, 4 / 3])
    assert found.singular_R == pytest.approx([math.sqrt(104), 2])
    assert spectra(x).singular_R == pytest.approx([2, 2])
    assert spectra(np.ones((3, 2))).eigenvalues_R.tolist() == [0, 0]
    with pytest.raises(DataError, match="all finite"):
        spectra([[1.0, math.nan], [0.0, 0.0]])


def test_float32_only_where_the_spectrum_allows_it(rng):
    flat = rng.normal(size=(200, 40)).astype(np.float32)
    steep = (flat * 10.0 ** -np.arange(0, 8, 0.2)).astype(np.float32)
    single, double = spectra(flat), spectra(steep)
    assert (single.single, double.single) == (True, False)
    np.testing.assert_allclose(single.singular_R, spectra(flat.astype(float)).singular_R, rtol=2e-6)
    flat[:, 0] = flat[:, 1:].sum(1)  # one dimension is empty, which rounding must not hide
    assert not spectra(flat, clear=40).single
    np.testing.assert_array_equal(double.singular_R, spectra(steep.astype(float)).singular_R)


def test_one_batch_is_the_whole_matrix(rng):
    layers = rng.normal(size=(4, 60, 16)).astype(np.float32)
    layers[1] += layers[0]
    layers += 5
    np.testing.assert_allclose(batched_cka(layers, batch=60), cka_matrix(layers), atol=2e-6)
    dead = np.concatenate([layers, np.ones((1, 60, 16))])
    assert np.isnan(batched_cka(dead, batch=60)[-1, :-1]).all()
    with pytest.raises(DataError, match="too few samples"):
        batched_cka(layers, batch=3)


def test_batches_average_the_unbiased_hsic(rng):
    """Equal to the ratio of sums over batches, each HSIC as Song et al. write it."""
    layers, found = rng.normal(size=(2, 21, 5)), None
    layers[1] += 0.5 * layers[0]
    found = batched_cka(layers, batch=10, seed=3)
    order = np.random.default_rng(3).permutation(21)[:20].reshape(2, 10)

    def hsic(x, y):
        k, m = (z @ z.T * (1 - np.eye(10)) for z in (x - x.mean(0), y - y.mean(0)))
        middle = k.sum() * m.sum() / (9 * 8)
        return (k * m).sum() + middle - 2 / 8 * k.sum(0) @ m.sum(0)

    sums = [
        sum(hsic(layers[a, b], layers[c, b]) for b in order) for a, c in ((0, 1), (0, 0), (1, 1))
    ]
    assert found[0, 1] == pytest.approx(sums[0] / math.sqrt(sums[1] * sums[2]), abs=1e-6)


def test_batched_cka_of_independent_layers_is_at_zero(rng):
    """T14 again: 256 samples of 400 dimensions, batches of 64."""
    layers = rng.normal(size=(2, 256, 400))
    assert abs(batched_cka(layers, batch=64)[0, 1]) < 0.05
    assert abs(batched_cka(layers, batch=64)[0, 1] - cka(*layers)) < 0.05


def test_queries_keep_the_density_of_the_cloud(rng):
    x = rng.uniform(size=(3000, 5))
    whole, some = two_nn(x, halvings=0), two_nn(x, halvings=0, queries=500)
    assert (whole.queries, some.queries, some.points) == (3000, 500, 3000)
    assert some.dimension == pytest.approx(whole.dimension, rel=3 / math.sqrt(500))
    assert two_nn(x, halvings=0, queries=3000).dimension == pytest.approx(
        whole.dimension, rel=1e-12
    )
    assert two_nn(x.astype(np.float32), halvings=0).dimension == pytest.approx(
        whole.dimension, rel=1e-3
    )


def test_neighbours_far_closer_than_float32_products_can_tell(rng):
    """Two clumps of size 1, 10⁴ apart: float64 finds neighbours, and the dimension of a clump."""
    clump = rng.uniform(size=(800, 3))
    far = np.vstack([clump, clump + 1e4])
    assert two_nn(far, halvings=0).dimension == pytest.approx(
        two_nn(clump, halvings=0).dimension, rel=5e-3
    )


@pytest.mark.parametrize("clump", [4, 300], ids=["few are near", "many are near"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neighbours_in_clumps_are_those_of_all_differences(clump, dtype, rng):
    """Clumps of a ten thousandth of the cloud's size, and a point far away from all."""
    middles = rng.normal(size=(600 // clump, 1, 16))
    x = (middles + 1e-4 * rng.normal(size=(len(middles), clump, 16))).reshape(-1, 16)
    x = np.concatenate([x, np.full((1, 16), 1e3)]).astype(dtype)
    away = ((x[:, None].astype(float) - x) ** 2).sum(-1)
    first, second = np.sort(away, 1)[:, 1:3].T
    ratio = np.sort(np.sqrt(second / first))[: int(0.9 * 601)]
    share = np.arange(1, len(ratio) + 1) / 601
    expected = -np.log(ratio) @ np.log1p(-share) / (np.log(ratio) @ np.log(ratio))
    assert two_nn(x, halvings=0).dimension == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_pass_gives_what_passes_of_their_own_give(family):
    model = tiny(family)
    rows = np.random.default_rng(2).integers(1, VOCABULARY, (6, 30)).tolist()
    heads = text_head_items(rows, range(1, 30), begin=0, repeated=2, repeats=1)
    own = GeometryItems(
        heads.ids_BT.numpy(), points=120, real=heads.real_BT.numpy(), lens_points=16
    )
    assert int(own.chosen.sum()) == 120
    assert own.read.sum(1).tolist() == [2] * 8
    assert not (own.kept & ~heads.real_BT).any()
    items, geometry = own.together(heads)
    shared, alone = ModelView(model), ModelView(model)
    scores, plain = shared_scores(shared, items), head_scores(model, heads)
    for name, found in plain.items():
        np.testing.assert_array_equal(scores[name].values_LH, found.values_LH)
    streams = residual_streams(model, own.rows, own.kept)
    np.testing.assert_allclose(geometry.streams(shared), streams, rtol=1e-4, atol=1e-4)
    for name in ("geometry", "lens"):
        probe = get_probe(name)
        one = {r.metric: r.value for r in probe.measure(shared, geometry)}
        assert one == pytest.approx(
            {r.metric: r.value for r in probe.measure(alone, own)}, rel=1e-3, abs=1e-4, nan_ok=True
        )
        assert (probe.cost(geometry), probe.cost(own)) == (0, own.rows.numel())
    with pytest.raises(DataError, match="the same rows"):
        GeometryItems(np.ones((2, 3), dtype=np.int64)).together(heads)


def test_lens_of_some_positions_is_a_mean_over_those():
    model = build(ModelSettings(layers=2, heads=2, width=16, mlp_width=16), 20, 0).eval()
    ids = torch.randint(20, (3, 9), generator=torch.Generator().manual_seed(0))
    chosen = torch.zeros_like(ids, dtype=torch.bool)
    chosen[0, 3] = chosen[2, 5] = chosen[2, 8] = True
    one, two = (torch.zeros_like(chosen) for _ in range(2))
    one[0, 3], two[2, 5], two[2, 8] = True, True, True
    parts = [logit_lens(model, ids, part).kl_L for part in (one, two)]
    np.testing.assert_allclose(logit_lens(model, ids, chosen).kl_L, np.mean(parts, 0), rtol=1e-5)


def test_geometry_and_lens_of_a_look_share_their_items():
    made = inside_parts(("geometry", "lens"), np.ones((4, 8), dtype=np.int64))
    parts = {probe.name: items for probe, items in made}
    assert parts["geometry"] is parts["lens"]


def test_the_heads_that_the_lens_runs_are_booked():
    """A token of llama, 2 layers, width 8, MLP 16, 2 heads of 4, vocabulary 20, context 10, costs
    2·2·(4·8² + 3·8·16) + 4·2·8·10 + 2·8·20 = 3520 FLOPs, its head 320: a position read costs
    2·320/3520 = 2/11 of a token. Four rows of 10, of which 40 positions are read: 40 + ⌈80/11⌉.
    """
    settings = ModelSettings(layers=2, heads=2, width=8, mlp_width=16)
    each = lens_cost(make_config(settings, 20), 10)
    assert each == pytest.approx(2 / 11)
    rows = np.ones((4, 10), dtype=np.int64)
    parts = inside_parts(("lens", "geometry"), rows, lens_cost=each)
    assert [probe.cost(items) for probe, items in parts] == [48, 40]
    assert Suite("inside", parts, primary={}).forward_tokens == 48  # one pass, in any order
    assert Suite("inside", parts[::-1], primary={}).forward_tokens == 48
    long = inside_parts(("lens",), np.ones((4, 200), dtype=np.int64), lens_cost=each)
    assert long[0][0].cost(long[0][1]) == 4 * 200 + math.ceil(4 * 128 * 2 / 11)


def test_the_lens_runs_the_head_as_often_as_it_is_booked():
    """Once for each layer, beside the one that a whole pass has."""
    model, ran = tiny("llama"), []
    rows = np.random.default_rng(2).integers(1, VOCABULARY, (3, 8))
    items = GeometryItems(rows, lens_points=6)
    head = model.get_output_embeddings()
    handle = head.register_forward_hook(lambda _, args, out: ran.append(out.shape[:-1].numel()))
    list(get_probe("lens").measure(ModelView(model), items))
    handle.remove()
    assert sum(ran) == (model.config.num_hidden_layers + 1) * 6


def test_equal_samples_count_as_often_as_they_are_there(rng):
    """Spectra of 12 points, one of which stands there three times more, are those of all 15."""
    own = rng.normal(size=(12, 20)) + 3
    x = np.concatenate([own, own[[4, 4, 4]]])
    found, singular = spectra(x), np.linalg.svd(x, compute_uv=False)
    np.testing.assert_allclose(found.singular_R, singular, atol=1e-13 * singular[0])
    np.testing.assert_allclose(found.eigenvalues_R, eigenvalues(x), atol=1e-13 * singular[0] ** 2)
    assert (found.singular_R[12:] == 0).all()
    kept, count = distinct(x)
    assert (kept.tolist(), count[4]) == (list(range(12)), 4)
    np.testing.assert_array_equal(spectra(x[kept], count).singular_R, found.singular_R)


def test_points_with_one_coordinate_in_common_are_not_yet_equal():
    x = np.array([[1, 2], [1, 3], [0, 5], [1, 2], [-0.0, 5], [1, 3], [1, 2]])
    kept, count = distinct(x)
    assert (kept.tolist(), count.tolist()) == ([0, 1, 2], [3, 2, 2])
    kept, count = distinct(x[[2, 0, 4, 3, 6]])  # equal wherever the first coordinate is
    assert (kept.tolist(), count.tolist()) == ([0, 1], [2, 3])


def test_groups_of_one_layer_are_tried_on_the_next():
    x = np.array([[1.0, 2], [3, 4], [1, 2], [5, 6], [3, 4]])
    first = groups(x)
    assert (first.kept_M.tolist(), first.count_M.tolist()) == ([0, 1, 3], [2, 2, 1])
    assert (first.again_A.tolist(), first.first_A.tolist()) == ([2, 4], [0, 1])
    assert groups(3 - x, first) is first
    others = {
        "one more is equal": ([[1, 2], [3, 4], [1, 2], [1, 2], [3, 4]], [[0, 1], [3, 2]]),
        "as many, but others": ([[1, 2], [3, 4], [1, 2], [3, 4], [5, 6]], [[0, 1, 4], [2, 2, 1]]),
        "none": ([[1, 2], [3, 4], [6, 2], [5, 6], [7, 4]], [[0, 1, 2, 3, 4], [1] * 5]),
        "the first coordinate alone": (
            [[1, 2], [3, 4], [1, 7], [5, 6], [3, 8]],
            [list(range(5)), [1] * 5],
        ),
        "a group has the first coordinate of another": (
            [[1, 2], [1, 4], [1, 2], [5, 6], [1, 4]],
            [[0, 1, 3], [2, 2, 1]],
        ),
    }
    for what, (points, expected) in others.items():
        found = groups(np.array(points, dtype=float), first)
        assert [found.kept_M.tolist(), found.count_M.tolist()] == expected, what


@pytest.mark.parametrize("shape", [(60, 24), (24, 60)])
def test_points_that_are_centred_already_give_the_same(shape, rng):
    x = rng.normal(size=shape).astype(np.float32) + 5
    count = np.ones(len(x), dtype=np.int64)
    count[3] = 4
    near, mean = centred(x, count)
    np.testing.assert_allclose(mean, np.average(x.astype(float), axis=0, weights=count), rtol=1e-7)
    own = two_nn(x, halvings=0, queries=20, differ=True)
    assert two_nn(x, halvings=0, queries=20, differ=True, near_ND=near) == own
    found, given = spectra(x, count), spectra(x, count, near=(near, mean))
    np.testing.assert_array_equal(given.singular_R, found.singular_R)
    np.testing.assert_array_equal(given.eigenvalues_R, found.eigenvalues_R)


def test_subsamples_of_a_cloud_do_not_depend_on_how_queries_are_drawn(rng):
    """The queries are the first draw of the seed, and subsamples follow."""
    x, own = rng.normal(size=(80, 3)), np.random.default_rng(4)
    asked = own.permutation(80)[:30]
    halves = [two_nn(x[own.choice(80, 40, replace=False)], halvings=0).dimension for _ in range(2)]
    found = two_nn(x, halvings=1, repeats=2, queries=30, seed=4)
    assert found.by_size[1] == (40, pytest.approx(np.mean(halves), rel=1e-9))
    assert found.queries == len(asked)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_model_that_has_diverged_has_no_geometry(layer, value):
    """Not even that of the layers below."""
    model = tiny("llama")
    items = GeometryItems(np.random.default_rng(2).integers(1, VOCABULARY, (4, 30)))
    view = ModelView(model)
    assert list(get_probe("geometry").measure(view, items))
    streams = items.streams(view).copy()
    streams[layer, 5, 0] = value
    broken = ModelView(model)
    broken.once(items, "streams", lambda: streams)
    assert list(get_probe("geometry").measure(broken, items)) == []


@pytest.mark.parametrize("shape", [(200, 40), (40, 200)])
def test_a_mean_that_dwarfs_all_else_costs_the_rest_no_precision(shape, rng):
    """A direction orthogonal to all others, 10³ times their size: the others are as without it."""
    size = min(shape)
    u, _ = np.linalg.qr(rng.normal(size=(shape[0], size)))
    u -= u.mean(0)
    v, _ = np.linalg.qr(rng.normal(size=(shape[1], size)))
    x = u[:, 1:] @ v[:, 1:].T
    moved = (x + 1e3 * v[:, 0] / math.sqrt(shape[0])).astype(np.float32)
    found = spectra(moved)
    assert found.single
    assert found.singular_R[0] == pytest.approx(1e3, rel=1e-6)
    np.testing.assert_allclose(
        found.singular_R, np.linalg.svd(moved.astype(np.float64), compute_uv=False), atol=1e-4
    )


def test_what_float32_moves_is_no_more_than_the_estimate():
    """67 large directions and 133 of a thousandth: rounding is of the size of the small squares."""
    sizes = np.r_[np.ones(67), np.full(133, 1e-3)]
    flat = np.zeros((200, 400), dtype=np.float32)
    rotated, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(200, 200)))
    flat[:, :200] = math.sqrt(200) * rotated * sizes
    assert not spectra(flat).single
    smooth = np.random.default_rng(0).normal(size=(200, 400)).astype(np.float32)
    assert spectra(smooth).single
