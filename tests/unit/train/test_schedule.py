"""Learning-rate schedules and optimiser groups, against closed forms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nucleate.core import RecipeError
from nucleate.models import ModelSettings, build
from nucleate.train.optimizers import make_optimizers
from nucleate.train.recipe import OptimizerSettings, Recipe, ScheduleSettings, load_recipe
from nucleate.train.schedule import lr_share


def test_wsd() -> None:
    wsd = ScheduleSettings(kind="wsd", warmup_tokens=100, decay_share=0.2)
    assert lr_share(wsd, 49, 1000) == pytest.approx(0.5)
    assert lr_share(wsd, 500, 1000) == 1
    assert lr_share(wsd, 800, 1000) == 1
    assert lr_share(wsd, 900, 1000) == pytest.approx(0.5)
    assert lr_share(wsd, 1000, 1000) == 0


def test_cosine_is_half_way_down_in_the_middle() -> None:
    cosine = ScheduleSettings(kind="cosine", warmup_tokens=0, final=0.1)
    assert lr_share(cosine, 0, 1000) == 1
    assert lr_share(cosine, 500, 1000) == pytest.approx(0.1 + 0.9 * 0.5)
    assert lr_share(cosine, 1000, 1000) == pytest.approx(0.1)


def test_constant_keeps_its_peak() -> None:
    constant = ScheduleSettings(kind="constant", warmup_tokens=10)
    assert lr_share(constant, 4, 1000) == pytest.approx(0.5)
    assert lr_share(constant, 999, 1000) == 1


def test_muon_takes_inner_matrices_only() -> None:
    model = build(ModelSettings(layers=2, width=16, heads=2, size="tiny"), 50, 0)
    optimizers = make_optimizers(model, OptimizerSettings(kind="muon"))
    counts = {
        name: sum(p.numel() for group in opt.param_groups for p in group["params"])
        for name, opt in optimizers.items()
    }
    # Per layer four 16 × 16 projections and three 16 × 48 MLP matrices.
    assert counts["muon"] == 2 * (4 * 16 * 16 + 3 * 16 * 48)
    # Two untied 50 × 16 tables and five norms of 16.
    assert counts["adamw"] == 2 * 50 * 16 + 5 * 16
    decays = [group["weight_decay"] for group in optimizers["adamw"].param_groups]
    assert decays == [0.1, 0.0]


def test_old_torch_without_muon_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)
    with pytest.raises(RecipeError, match=r"no Muon.*set it to adamw"):
        make_optimizers(model, OptimizerSettings(kind="muon"))


def test_recipes_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="context 512 exceeds"):
        Recipe(context=512)
    with pytest.raises(ValueError, match="warmup_tokens 50 exceeds tokens 10"):
        Recipe(tokens=10, schedule=ScheduleSettings(warmup_tokens=50))
    with pytest.raises(ValueError, match="name"):
        Recipe(name="../../evil")


def test_warm_up_is_a_tenth_of_a_short_run() -> None:
    constant = ScheduleSettings(kind="constant")
    assert lr_share(constant, 499, 10_000) == pytest.approx(0.5)
    assert lr_share(constant, 49_999, 10_000_000) == pytest.approx(0.5)


def test_an_empty_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    with pytest.raises(RecipeError, match="is empty"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tokens: 5\ntokns: 3", "unknown key 'tokns'; did you mean 'tokens'?"),
        ("optimizer: {kind: sgd}", "key 'optimizer.kind'"),
        ("tokens: 1\ntokens: 2", "duplicate key 'tokens'"),
        ("tokens: &a 5\nrows: *a", "anchors and aliases are not allowed"),
        ("- 1", "is not a mapping"),
        ("tokens: [", "is not valid YAML"),
        ("corpus: {kind: text}", "corpus.text.paths"),
    ],
)
def test_recipe_mistakes_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    line = str(caught.value)
    assert message in line
    assert "recipe.yaml" in line
    assert "\n" not in line
    assert len(line) <= 200
    assert caught.value.exit_code == 2
