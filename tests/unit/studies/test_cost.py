"""The cost of training against figures that were published or are worked out by hand here."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from nucleate.core import (
    CheckpointError,
    LedgerEntry,
    Mark,
    RecipeError,
    RunFolderError,
    Step,
    UserError,
)
from nucleate.store import Manifest, RunWriter
from nucleate.studies.cost import claim
from nucleate.studies.cost.assumptions import assume, choose_device
from nucleate.studies.cost.estimate import Estimate, estimate
from nucleate.studies.cost.figures import find
from nucleate.studies.cost.hardware import ACCELERATORS
from nucleate.studies.cost.saving import read_saving
from nucleate.studies.cost.work import from_config, from_parameters, from_run

LLAMA_2_7B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
}
A100 = ACCELERATORS["a100"]


def value(made: Estimate, key: str) -> float:
    figure = find(made.outputs, key)
    assert figure is not None
    assert figure.mark is Mark.MODELLED
    return figure.value


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_2_7B))
    return path


def test_six_n_d_by_hand() -> None:
    """6 · 7e9 · 1.4e11 = 5.88e21; at half of 312 TFLOP/s that is 10 470 hours."""
    made = estimate(
        from_parameters(7e9, 1.4e11), A100, assume(mfu=0.5, devices=8, price=2, pue=1.5, grid=0.4)
    )
    assert value(made, "flops") == 5.88e21
    hours = 5.88e21 / 156e12 / 3600
    assert hours == pytest.approx(10_470.085)
    assert value(made, "device_hours") == pytest.approx(10_470.085)
    assert value(made, "wall_hours") == pytest.approx(1_308.761)
    assert value(made, "energy") == pytest.approx(6_282.051)  # · 0.4 kW · 1.5
    assert value(made, "carbon") == pytest.approx(2_512.821)  # · 0.4 kg
    assert value(made, "money") == pytest.approx(20_940.171)


PUBLISHED = [
    ("Llama 2 7B", 184_320, 400, 31.22),  # table 2 of arXiv:2307.09288
    ("Llama 2 13B", 368_640, 400, 62.44),
    ("Llama 2 34B", 1_038_336, 350, 153.90),
    ("Llama 2 70B", 1_720_320, 400, 291.42),
    ("LLaMA 7B", 82_432, 400, 14),  # table 15 of arXiv:2302.13971, rounded there to tonnes
    ("LLaMA 65B", 1_022_362, 400, 173),
]


@pytest.mark.parametrize(("name", "hours", "watts", "tonnes"), PUBLISHED)
def test_published_carbon_follows_from_published_hours(
    name: str, hours: int, watts: float, tonnes: float
) -> None:
    """Stated with them: PUE 1.1 and 0.385 kg CO2e per kWh."""
    device = choose_device("a100", 312, watts)
    flops = hours * 3600 * 312e12 * 0.4
    made = estimate(from_parameters(flops / 6e12, 1e12), device, assume(pue=1.1, grid=0.385))
    assert value(made, "device_hours") == pytest.approx(hours)
    rounding = 0.5 if name.startswith("LLaMA") else 0.01  # the other table cuts digits off
    assert value(made, "carbon") / 1000 == pytest.approx(tonnes, abs=rounding)


def test_llama_2_7b_by_parts(config: Path) -> None:
    """Its 184 320 hours on 2T tokens are an MFU of .39 by 6ND, .45 where scores are counted."""
    work = from_config(config, 2e12)
    assert work.six_nd == 6 * 6_738_415_616 * 2e12
    assert work.flops == pytest.approx(3 * 15_361_638_400 * 2e12)
    assert sum(work.parts.values()) == work.flops
    spent = 184_320 * 3600 * 312e12
    assert work.six_nd / spent == pytest.approx(0.3906, abs=1e-4)
    assert work.flops / spent == pytest.approx(0.4453, abs=1e-4)
    made = estimate(work, A100, assume(mfu=work.flops / spent))
    assert value(made, "six_nd") == work.six_nd
    assert value(made, "device_hours") == pytest.approx(184_320)
    shorter = from_config(config, 2e12, context=1024)
    gone = 1 - shorter.parts["attention_scores"] / work.parts["attention_scores"]
    assert gone == 0.75


def test_every_figure_is_marked_and_sourced(config: Path) -> None:
    data = estimate(from_config(config.parent, 1e12), A100, assume(price=1)).data()
    assert data["schema"] == "nucleate.cost/1"
    assert {row["mark"] for row in data["outputs"]} == {"modelled"}
    assert {row["mark"] for row in data["inputs"]} == {"assumed"}
    assert all(row["why"] for row in data["inputs"] + data["outputs"])
    assert {row["key"] for row in data["inputs"]} >= {"params", "tokens", "context", "peak", "mfu"}
    sources = {row["key"]: row["why"] for row in data["inputs"]}
    assert "data sheet" in sources["peak"]
    assert sources["price"] == "given"
    assert sources["mfu"].startswith("default")
    json.dumps(data, allow_nan=False)


def test_money_only_where_a_price_was_given() -> None:
    made = estimate(from_parameters(1e9, 1e9), A100, assume())
    assert find(made.outputs, "money") is None
    assert find(made.inputs, "price") is None


def test_power_of_a_device_and_its_host() -> None:
    """One hour of one device at 60 % of 400 W and 100 W of host: 340 Wh, and 1.1 of that."""
    work = from_parameters(312e12 * 0.4 * 3600 / 6, 1)
    made = estimate(work, A100, assume(load=0.6, host_watts=100))
    assert value(made, "device_hours") == pytest.approx(1)
    assert value(made, "energy") == pytest.approx(0.340 * 1.1)


def test_a_saving_goes_with_its_interval_and_a_warning() -> None:
    saving = read_saving(0.3, "-0.1,0.45")
    data = estimate(from_parameters(7e9, 1.4e11), A100, assume(), saving).data()["saving"]
    assert "not a result at this scale" in data["warning"]
    assert data["mark"] == "assumed"
    flops = next(row for row in data["rows"] if row["key"] == "flops")
    assert flops["without"] == 5.88e21
    assert [flops[k] for k in ("lo", "point", "hi")] == pytest.approx(
        [6.468e21, 4.116e21, 3.234e21]
    )
    assert read_saving(None, "") is None


@pytest.mark.parametrize(
    ("point", "interval", "says"),
    [
        (0.3, "", "a saving is only shown with its interval"),
        (None, "0.2,0.4", "a saving is only shown with its interval"),
        (0.3, "0.2", "is not an interval"),
        (0.3, "a,b", "is not an interval"),
        (0.3, "0.4,0.5", "the interval must hold the saving"),
        (30, "20,40", "the interval must hold the saving and end below 1"),
        (0.3, "0.2,nan", "the interval must hold the saving"),
    ],
)
def test_other_savings_are_refused(point: float | None, interval: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_saving(point, interval)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mfu": 40}, "--mfu: must be"),
        ({"pue": 0.9}, "--pue: must be"),
        ({"devices": 0}, "--devices: must be"),
        ({"grid": math.inf}, "--grid: must be"),
        ({"price": -1}, "--price: must be"),
    ],
)
def test_impossible_assumptions_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        assume(**given)


def test_devices_by_name_or_of_ones_own() -> None:
    with pytest.raises(UserError, match=r"not in the table .got 'gtx'.*; or give your own"):
        choose_device("gtx", None, None)
    with pytest.raises(UserError, match="go together"):
        choose_device("a100", 100, None)
    own = choose_device("a100", 100, 50)
    assert (own.peak, own.watts, own.source) == (1e14, 50, "given")
    assert all(0.3 < each.peak / each.watts / 1e12 < 2.5 for each in ACCELERATORS.values())


def test_the_articles_figures_held_against_each_other() -> None:
    data = claim.data()
    assert {row["name"]: round(row["saving"], 3) for row in data["rows"]} == {
        "money": 0.3, "energy": 0.298, "wall-clock": 0.278, "carbon": 0.296,
    }  # fmt: skip
    implied = {row["name"]: (row["before"], row["after"]) for row in data["implied"]}
    assert implied["carbon of the grid"] == pytest.approx((0.474, 0.475), abs=5e-4)
    assert implied["mean power"] == pytest.approx((131.9, 128.2), abs=0.05)
    assert implied["money for each kWh"] == pytest.approx((3.158, 3.15), abs=5e-4)


def test_inputs_that_would_give_the_articles_figures() -> None:
    """300 A100 for 90 days: 285 MWh at PUE 1.1, 135 t on the world's average grid, 1.39 USD/h."""
    made = estimate(
        from_parameters(7e9, 6.93e12), A100, assume(devices=300, price=1.39, mfu=0.4, grid=0.475)
    )
    assert value(made, "wall_hours") / 24 == pytest.approx(90, rel=0.01)
    assert value(made, "energy") / 1000 == pytest.approx(285, rel=0.01)
    assert value(made, "carbon") / 1000 == pytest.approx(135, rel=0.01)
    assert value(made, "money") == pytest.approx(900_000, rel=0.01)


def test_a_run_is_priced_by_its_ledger(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", Manifest("small")) as writer:
        folder = writer.checkpoints / "step5"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({**LLAMA_2_7B, "vocab_size": 100}))
        writer.ledger(
            [
                LedgerEntry("mlp", 3e15),
                LedgerEntry("optimiser", 1e15, 3.0),
                LedgerEntry("training", 0.0, 60.0, Mark.MEASURED),
                LedgerEntry("probes", 5e13),
            ]
        )
        writer.finish("finished", Step(5, 1000))
    work = from_run(tmp_path / "run")
    assert work.flops == 4.05e15
    assert work.parts == {"mlp": 3e15, "optimiser": 1e15, "probes": 5e13}
    params = 6_738_415_616 - 2 * 31_900 * 4096
    assert work.six_nd == 6 * params * 1000
    made = estimate(work, A100, assume(mfu=0.5))
    assert value(made, "device_hours") == pytest.approx(4.05e15 / 156e12 / 3600)
    tokens = find(made.inputs, "tokens")
    assert tokens is not None
    assert (tokens.value, tokens.mark) == (1000, Mark.MEASURED)


def test_a_run_without_a_ledger_is_refused(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path / "run", Manifest("empty")):
        pass
    with pytest.raises(RunFolderError, match="has no FLOPs in its ledger"):
        from_run(tmp_path / "run")


@pytest.mark.parametrize(
    ("content", "says"),
    [("[]", "is not the config"), ("{", "is not JSON"), ('{"model_type": "bert"}', "not known")],
)
def test_configs_that_cannot_be_read(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=says):
        from_config(tmp_path, 1e9)
    with pytest.raises(CheckpointError, match="no such config"):
        from_config(tmp_path / "none.json", 1e9)


def test_a_config_without_a_context_asks_for_it(config: Path) -> None:
    config.write_text(json.dumps({**LLAMA_2_7B, "max_position_embeddings": None}))
    with pytest.raises(UserError, match="names no context; pass --context"):
        from_config(config, 1e9)
    with pytest.raises(UserError, match="--tokens: must be a positive number"):
        from_config(config, 0, context=10)
