"""Head scores, activations and ablations equal what TransformerLens says of the same models."""

import numpy as np
import pytest
import torch

from nucleate.bridges.transformer_lens import to_transformer_lens
from nucleate.corpora.tokenizer import word_tokenizer
from nucleate.models.activations import activations
from nucleate.models.interventions import ablated
from nucleate.probes.mechanism.items import plain_links
from nucleate.probes.mechanism.scores import attention_scores
from tests.unit.probes.mechanism.constructed import VOCABULARY, rows, small

head_detector = pytest.importorskip(
    "transformer_lens.head_detector",
    reason="transformer-lens is not installed",
    exc_type=ImportError,
)
pytestmark = pytest.mark.filterwarnings("default")
FAMILIES = ("llama", "neox", "mixtral", "gpt2", "olmo2", "olmoe", "smollm3")
TOKENIZER = word_tokenizer([f"t{token}" for token in range(1, VOCABULARY)])


@pytest.fixture(scope="module", params=FAMILIES)
def both(request):
    model = small(request.param)
    return model, to_transformer_lens(model, TOKENIZER)


@pytest.mark.parametrize("kind", ["previous_token", "duplicate_token", "induction"])
def test_scores_are_those_of_the_head_detector(both, kind):
    model, bridge = both
    generator = torch.Generator().manual_seed(5)
    texts = [
        " ".join(f"t{int(token)}" for token in torch.randint(1, 9, (24,), generator=generator))
        for _ in range(3)
    ]
    told = bridge.to_tokens(texts)
    assert told.shape == (3, 24)
    links = list(plain_links(told.tolist(), range(3), (kind,)))
    ours = attention_scores(model, told, links, over="all")[0].values_LH
    theirs = head_detector.detect_head(bridge, texts, f"{kind}_head").numpy()
    assert theirs.max() > 0.05
    np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)


def test_activations_are_those_of_its_cache(both):
    model, bridge = both
    ids_BT = rows()
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(ids_BT)
    found = activations(model, ids_BT)
    for layer in range(3):
        z_BTHK = cache["z", layer].reshape(found.z_LBTHK[layer].shape)
        for ours, theirs in (
            (found.pattern_LBHTT[layer], cache["pattern", layer]),
            (found.residual_LBTD[layer], cache["resid_pre", layer]),
            (found.z_LBTHK[layer], z_BTHK),
        ):
            torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)
    ours = model.get_output_embeddings()(found.hidden_BTD)
    torch.testing.assert_close(ours, logits, atol=1e-4, rtol=2e-5)


@torch.no_grad()
def test_ablation_is_that_of_its_hooks(both):
    model, bridge = both
    ids_BT = rows()

    def silence(z, hook):
        z = z.clone()
        z.view(*z.shape[:2], 4, 8)[:, :, 2] = 0
        return z

    theirs = bridge.run_with_hooks(ids_BT, fwd_hooks=[("blocks.1.attn.hook_z", silence)])
    model.eval()
    with ablated(model, [(1, 2)]):
        torch.testing.assert_close(model(ids_BT).logits, theirs, atol=1e-4, rtol=0)
    assert (model(ids_BT).logits - theirs).abs().max() > 0.1


def test_the_model_itself_stays_as_it_is(both):
    model, _ = both
    model.train()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    names = [name for name, _ in model.named_modules()]
    to_transformer_lens(model)
    assert [name for name, _ in model.named_modules()] == names
    assert model.config._attn_implementation == "sdpa"
    assert model.training
    for name, x in model.state_dict().items():
        assert torch.equal(x, before[name])
