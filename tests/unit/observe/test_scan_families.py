"""A scan for heads of checkpoints that `transformers` saved, of families beside Llama's."""

import numpy as np
import pytest
from tests.unit.probes.mechanism.constructed import other
from transformers import AutoConfig, AutoModelForCausalLM

from nucleate.core import DataError
from nucleate.corpora.storyworld import make_world, vocabulary
from nucleate.corpora.tokenizer import bpe_tokenizer, word_tokenizer
from nucleate.observe.scan import scan
from nucleate.store import Run

ASK = {"suite": "mechanism", "items": 8, "context": 48}
TOKENIZER = word_tokenizer(vocabulary(make_world(0).towns))


def saved(folder, models, tokenizer=TOKENIZER):
    for step, model in enumerate(models, 1):
        model.save_pretrained(folder / f"step{step}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["olmo2", "qwen3", "qwen3_moe"])
def test_heads_of_a_folder_of_checkpoints(tmp_path, name):
    shape = {"layers": 2, "vocab_size": len(TOKENIZER), "max_position_embeddings": 64}
    if name == "qwen3":
        shape["layer_types"] = ["sliding_attention", "full_attention"]
    models = [other(name, seed=seed, **shape) for seed in range(2)]
    folder = saved(tmp_path / "series", models)
    run = Run.open(scan(folder, out=tmp_path / "out", tokens_per_step=1000, **ASK))
    assert str(run.status) == "finished"
    assert not [event for event in run.events() if "fail" in event.kind]
    history, curves = run.heads(), run.curves()
    assert [step.step for step in history.steps] == [1, 2]
    assert history.values("induction").shape == (2, 2, 4)
    assert np.abs(history.values("ablation.agreement")).max() > 0.01
    assert np.ptp(history.values("previous_token")) > 0.01
    assert {"lens.L0.kl", "geometry.L1.rankme"} <= set(curves)
    of_routers = {metric.split(".")[1] for metric in curves if metric.startswith("routers")}
    assert of_routers == ({"L0"} if name == "qwen3_moe" else set())


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("bloom", {"n_layer": 1, "n_head": 2}), ("mamba", {"num_hidden_layers": 1, "state_size": 4})],
)
def test_of_other_architectures_one_line_says_so(tmp_path, name, sizes):
    """And what needs no heads is measured all the same."""
    own = sizes | {"vocab_size": len(TOKENIZER), "hidden_size": 16}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **own))
    folder = saved(tmp_path / "series", [model])
    run = Run.open(scan(folder, out=tmp_path / "out", tokens_per_step=1000, **ASK))
    told = [event.text for event in run.events() if event.kind == "probe failed"]
    for probe in ("heads", "ablation", "roles"):
        start = f"{probe}: UserError: heads of this architecture are not known (got '{name}'"
        (line,) = (text for text in told if text.startswith(start))
        assert "\n" not in line
        assert len(f"nucleate: probe failed: {line}") <= 200
        assert line.endswith("suites of behaviour need none; docs/mechanism.md lists those known")
    assert "geometry.L1.rankme" in {reading.metric for _, reading in run.readings()}


@pytest.mark.parametrize("suite", ["mechanism", "landscape"])
def test_inside_of_models_of_real_text(tmp_path, suite):
    """Published checkpoints know no story world; held-out texts are enough to look inside."""
    texts = [f"Anna saw {n} dogs. Tom ran to town {n}. It rained again. " * 9 for n in range(300)]
    (tmp_path / "held.txt").write_text("\n\n".join(texts))
    tokenizer = bpe_tokenizer(texts, vocab_size=300)
    shape = {"layers": 2, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
    folder = saved(tmp_path / "series", [other("olmo2", **shape)], tokenizer)
    ask = {"suite": suite, "items": 16, "context": 64, "tokens_per_step": 1000}
    run = Run.open(scan(folder, out=tmp_path / "out", texts=(str(tmp_path / "held.txt"),), **ask))
    assert not [event for event in run.events() if "fail" in event.kind]
    if suite == "landscape":
        assert "hessian.all.trace" in run.curves()
        return
    assert run.heads().roles == ("previous token", "induction")
    assert {"lens.L0.kl", "geometry.L1.rankme"} <= set(run.curves())
    with pytest.raises(DataError, match="add held-out texts: --text FILE"):
        scan(folder, out=tmp_path / "none", **ask)
