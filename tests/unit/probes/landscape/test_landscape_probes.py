"""The registered probes of geometry and landscape on small models, as an observer runs them."""

import math

import numpy as np
import pytest
import torch

from nucleate.core import DataError, Level
from nucleate.observe.neutral import undisturbed
from nucleate.probes.geometry import effective_rank, logit_lens, residual_streams
from nucleate.probes.geometry.moe import router_logits
from nucleate.probes.geometry.probes import GeometryItems
from nucleate.probes.landscape import SGLD, hessian_trace, llc, token_loss
from nucleate.probes.landscape.probes import LandscapeItems
from nucleate.probes.registry import get_probe
from nucleate.probes.view import ModelView
from tests.unit.probes.landscape.models import small, unchanged
from tests.unit.probes.models import FAMILIES, VOCABULARY, tiny

ROWS = np.random.default_rng(0).integers(0, 31, (24, 12))
SHORT = SGLD(step_size=1e-6, nbeta=10, chains=2, draws=4, burn_in=1, batch_size=8)
ITEMS = LandscapeItems(ROWS, SHORT, hessian_rows=4, products=3, iterations=3, parts=4)


def readings(name, model, items):
    with unchanged(model), undisturbed(model) as bare:
        found = list(get_probe(name).measure(ModelView(bare), items))
    return {reading.metric: reading for reading in found}


def test_landscape_as_readings():
    model, ids = small(), torch.from_numpy(ROWS)
    found = readings("llc", model, ITEMS) | readings("hessian", model, ITEMS)
    found |= readings("noise_scale", model, ITEMS)
    assert {reading.level for reading in found.values()} == {Level.LANDSCAPE}
    alone = llc(model, token_loss, ids, SHORT)
    assert found["llc.all.value"].n == alone.means
    assert found["llc.all.value"].value == pytest.approx(alone.llc, nan_ok=True)
    trace = hessian_trace(model, token_loss, [ids[:4]], probes=3)
    assert found["hessian.all.trace"].value == pytest.approx(trace.trace)
    assert found["noise_scale.all.tokens"].n == 16


def test_costs_of_the_landscape_in_forward_tokens():
    """A gradient is worth three forward passes, a product with the Hessian six."""
    cost = {name: get_probe(name).cost(ITEMS) for name in ("llc", "hessian", "noise_scale")}
    assert cost == {
        "llc": 12 * (3 * 2 * 5 * 8 + 24),
        "hessian": 6 * 6 * 4 * 12,
        "noise_scale": 3 * 4 * 16 * 12,
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_geometry_as_readings(family):
    model, items = tiny(family), GeometryItems(ROWS, points=100, ranks=(2, 10))
    found = readings("geometry", model, items)
    layers = residual_streams(model, items.rows, items.chosen)
    assert layers.shape[1] == 100
    measures = {"rankme", "effective_rank", "alpha", "alpha_r2", "dimension"}
    there = {metric.split(".")[-1] for metric in found if ".L2." in metric}
    assert there == measures
    assert "geometry.L0.dimension" not in found
    assert found["geometry.L1.effective_rank"].value == pytest.approx(effective_rank(layers[1]))
    assert -0.1 < found["geometry.layers.cka"].value <= 1
    assert get_probe("geometry").cost(items) == 24 * 12


def test_lens_as_readings():
    model, items = tiny(), GeometryItems(ROWS)
    found, alone = readings("lens", model, items), logit_lens(model, items.rows)
    assert found["lens.L1.kl"].value == pytest.approx(alone.kl_L[1])
    assert found["lens.all.depth"].value == alone.relative_depth


def test_routers_as_readings():
    found = readings("routers", tiny("mixtral"), GeometryItems(ROWS % VOCABULARY))
    assert len(found) == 2 * 4
    entropy = found["routers.L0.entropy"]
    assert 0 < entropy.value < entropy.chance == math.log(4)
    assert 1 <= found["routers.L1.effective_experts"].value <= 4
    with pytest.raises(DataError, match="no rows"):
        GeometryItems(ROWS[:0])


def _split_mixtral():
    """Return a Mixtral whose first router sends even tokens to two experts, odd ones to two."""
    model = tiny("mixtral")
    first = model.model.layers[0]
    with torch.no_grad():
        first.self_attn.o_proj.weight.zero_()  # the router reads the token alone
        embedding, gate = model.get_input_embeddings().weight, first.mlp.gate.weight
        embedding.zero_()
        embedding[0::2, 0], embedding[1::2, 1] = 1.0, 1.0
        gate.zero_()
        gate[:2, 0], gate[2:, 1] = 100.0, 100.0
    return model


def test_routers_that_know_the_class_of_a_token():
    rows = np.tile(np.arange(12), (24, 1))
    classes = {token: "even" if token % 2 == 0 else "odd" for token in range(12)}
    found = readings("routers", _split_mixtral(), GeometryItems(rows, classes=classes))
    assert found["routers.L0.entropy"].value == pytest.approx(math.log(2))
    assert found["routers.L0.effective_experts"].value == pytest.approx(4)
    assert found["routers.L0.largest_load"].value == pytest.approx(0.25)
    assert found["routers.L0.largest_load"].chance == 0.25
    # A class decides between two pairs of experts: ln 2, less the bias of 288 tokens.
    assert found["routers.L0.class_specialization"].value == pytest.approx(math.log(2), abs=0.02)
    assert found["routers.L0.specialization"].value < math.log(2)
    mixed = {token: "a" if token % 4 < 2 else "b" for token in range(12)}
    none = readings("routers", _split_mixtral(), GeometryItems(rows, classes=mixed))
    assert abs(none["routers.L0.class_specialization"].value) < 0.02


def test_routers_that_know_the_level_only_through_the_token():
    rows = np.tile(np.arange(12), (24, 1))
    levels = np.where(rows % 2 == 0, "syntax", "")
    found = readings("routers", _split_mixtral(), GeometryItems(rows, levels=levels))
    assert found["routers.L0.level_specialization"].value == pytest.approx(math.log(2), abs=0.02)
    assert found["routers.L0.level_beyond_token"].value == pytest.approx(0, abs=1e-9)
    assert found["routers.L0.level_beyond_token"].chance == 0


def test_the_error_of_router_entropy_is_that_of_the_mean_over_rows():
    """The jackknife of a mean over rows of one length is the standard error of the rows' means."""
    model, rows = tiny("mixtral"), ROWS % VOCABULARY
    found = readings("routers", model, GeometryItems(rows))["routers.L1.entropy"]
    logits = router_logits(model, torch.from_numpy(rows))[1]
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    means = -(p * np.log(p)).sum(1).reshape(rows.shape).mean(1)
    assert found.se == pytest.approx(means.std(ddof=1) / math.sqrt(len(means)), rel=1e-9)


def test_rows_that_are_alike_leave_no_error():
    rows = np.tile(np.arange(12), (24, 1))
    classes = {token: "even" if token % 2 == 0 else "odd" for token in range(12)}
    found = readings("routers", _split_mixtral(), GeometryItems(rows, classes=classes))
    assert found["routers.L0.class_specialization"].se == pytest.approx(0, abs=1e-9)


def test_a_router_that_knows_nothing():
    model = tiny("mixtral")
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.gate.weight.zero_()
    found = readings("routers", model, GeometryItems(ROWS % VOCABULARY))
    assert found["routers.L1.entropy"].value == pytest.approx(math.log(4))
    assert found["routers.L1.largest_load"].value == pytest.approx(0.5)
    assert found["routers.L1.effective_experts"].value == pytest.approx(2)
    assert found["routers.L1.specialization"].value == pytest.approx(0, abs=1e-9)
