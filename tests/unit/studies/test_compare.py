"""Two sets of run folders: pairing, differences, and a saving only where there is a frontier."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from typer.testing import CliRunner

import nucleate
from nucleate.core import LedgerEntry, Level, Reading, Step, UserError
from nucleate.store import Manifest, RunWriter
from nucleate.views.savings.compared import lines, print_comparison


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nucleate.studies.savings.paired.RESAMPLES", 199)


def write(
    path: Path,
    *,
    seed: int,
    tokens: int = 1000,
    flops: float | None = None,
    loss: float = 2.0,
    accuracy: float = 0.5,
    kind: str = "plain",
    status: Any = "finished",
) -> Path:
    recipe = {"name": path.name, "seed": seed, "tokens": tokens, "optimizer": {"kind": kind}}
    manifest = Manifest(name=path.name, recipe=recipe, seeds={"model": seed})
    with RunWriter.create(path, manifest) as writer:
        end = Step(10, tokens)
        for step in range(1, 11):
            writer.loss(Step(step, step * tokens // 10), loss + 10 - step, 1.0)
        fraction = {"se": 0.01, "n": 10, "chance": 0.5, "unit": "fraction", "level": Level.SYNTAX}
        writer.reading(end, Reading("agreement.all.accuracy", accuracy, **fraction))
        writer.reading(end, Reading("loss.held_out.nll", loss, unit="nats/token"))
        spent = flops or 1e6 * tokens
        writer.ledger([LedgerEntry("backward", 0.9 * spent), LedgerEntry("probes", 0.1 * spent)])
        writer.finish(status, end)
    return path


def pairs(folder: Path, gains: list[float]) -> tuple[list[Path], list[Path]]:
    base = [write(folder / f"a{s}", seed=s) for s in range(len(gains))]
    treated = [
        write(folder / f"b{s}", seed=s, loss=2.0 - gain, flops=5e8, kind="other")
        for s, gain in enumerate(gains)
    ]
    return base, treated


def test_differences_are_paired_by_seed(tmp_path: Path) -> None:
    gains = [0.1, 0.2, 0.15, 0.12]
    base, treated = pairs(tmp_path, gains)
    found = nucleate.compare(base, treated[::-1])
    assert found["seeds"] == [0, 1, 2, 3]
    rows = {row["metric"]: row for row in found["rows"]}
    row = rows["loss.held_out.nll"]
    assert row["differences"] == pytest.approx([-gain for gain in gains])
    student = stats.ttest_1samp(gains, 0.0).confidence_interval()
    assert (row["student"]["lo"], row["student"]["hi"]) == pytest.approx(
        (-student.high, -student.low)
    )
    assert row["p"] == 2 / 16
    assert rows["agreement.all.accuracy"]["p"] == 1.0
    assert rows["train.loss"]["base"] == 2.0  # the last two per cent of a run, not its beginning
    assert found["cost"]["value"] == pytest.approx(0.5)


def test_two_recipes_need_not_be_told_apart(tmp_path: Path) -> None:
    base, treated = pairs(tmp_path, [0.1, 0.2])
    mixed = nucleate.compare([base[0], treated[1], treated[0], base[1]])
    assert mixed["base"] == [str(path) for path in base]
    assert mixed["treated"] == [str(path) for path in treated]


def test_without_a_frontier_no_saving_is_given(tmp_path: Path) -> None:
    found = nucleate.compare(*pairs(tmp_path, [0.1, 0.2]))
    assert "1 length that all seeds share" in found["saving"]["problem"]
    assert lines(found)[1].startswith("saving: none can be given")


def test_five_lengths_of_the_base_give_the_saving_that_was_put_in(tmp_path: Path) -> None:
    def law(flops: float) -> float:
        return 5.0 - 0.5 * math.log(flops / 1e8)

    base = [
        write(tmp_path / f"a{tokens}-{seed}", seed=seed, tokens=tokens, loss=law(1e6 * tokens))
        for seed in range(6)
        for tokens in (500, 700, 1000, 1400, 2000)
    ]
    rng = np.random.default_rng(0)
    treated = [
        write(
            tmp_path / f"b{seed}",
            seed=seed,
            flops=0.6e9 * math.exp(0.02 * rng.standard_normal()),
            loss=law(1e9),
            kind="other",
        )
        for seed in range(6)
    ]
    found = nucleate.compare(base, treated)
    assert found["saving"]["saving"]["value"] == pytest.approx(0.4, abs=0.02)
    assert found["saving"]["saving"]["lo"] < 0.4 < found["saving"]["saving"]["hi"]
    assert found["base"][0].endswith("a2000-0")  # differences are to the longest
    assert any(line.startswith("at equal loss.held_out.nll: ") for line in lines(found))


@pytest.mark.parametrize(
    ("treated", "message"),
    [
        ({"seed": 7}, "two seeds or more must be in both sets"),
        ({"seed": 1, "status": "interrupted"}, "has not finished"),
    ],
)
def test_mistakes(tmp_path: Path, treated: dict[str, Any], message: str) -> None:
    base = [write(tmp_path / f"a{s}", seed=s) for s in (0, 1)]
    other = [write(tmp_path / "b0", seed=0), write(tmp_path / "b1", **treated)]
    with pytest.raises(UserError, match=message):
        nucleate.compare(base, other)
    with pytest.raises(UserError, match="the runs are not of two recipes"):
        nucleate.compare(base)


def test_two_recipes_for_one_seed_are_not_one_set(tmp_path: Path) -> None:
    base, treated = pairs(tmp_path, [0.1, 0.2])
    longer = write(tmp_path / "c0", seed=0, tokens=2000, kind="third", loss=1.0)
    with pytest.raises(UserError, match="the base set holds two recipes for seed 0"):
        nucleate.compare([*base, longer], treated)
    with pytest.raises(UserError, match="the treated set holds two recipes for seed 0"):
        nucleate.compare(base, [longer, *treated])


def test_runs_without_a_ledger_have_no_cost(tmp_path: Path) -> None:
    base, treated = pairs(tmp_path, [0.1, 0.2])
    with RunWriter.create(tmp_path / "bare", Manifest(name="bare", seeds={"model": 1})) as writer:
        writer.finish("finished", Step(10, 1000))
    with pytest.raises(UserError, match="has no ledger of FLOPs"):
        nucleate.compare(base, [treated[0], tmp_path / "bare"])


def test_more_than_twenty_pairs_are_tested_with_random_signs(tmp_path: Path) -> None:
    found = nucleate.compare(*pairs(tmp_path, [0.1] * 21))
    rows = {row["metric"]: row for row in found["rows"]}
    assert rows["loss.held_out.nll"]["p"] == 1 / (1 + 2**17)
    assert lines(found)[-1] == "p over 131,072 random signs"


def test_in_a_terminal_and_as_json(tmp_path: Path) -> None:
    from nucleate.cli import app

    base, treated = pairs(tmp_path, [0.1, 0.2])
    folders = [str(path) for path in (*base, *treated)]
    answer = CliRunner().invoke(app, ["compare", *folders, "--json", "--metric", "loss.*"])
    found = json.loads(answer.stdout)
    assert [row["metric"] for row in found["rows"]] == ["loss.held_out.nll"]
    out = io.StringIO()
    print_comparison(found, Console(file=out, width=100))
    assert "2 paired seeds: 0, 1" in out.getvalue()
    assert "a ratio of 0.5 at whatever quality" in out.getvalue()


def test_no_name_and_no_number_is_cut_off_at_80_columns(tmp_path: Path) -> None:
    base, treated = pairs(tmp_path, [0.1, 0.2])
    found = nucleate.compare(base, treated)
    row = dict(found["rows"][0], metric="agreement.relative_matched.accuracy")
    out = io.StringIO()
    print_comparison({**found, "rows": [row]}, Console(file=out, width=80))
    table = out.getvalue().split("metric ")[1]
    assert "…" not in table
    assert "agreement.relative_matched" in table
    assert "\n .accuracy" in table
    assert table.splitlines()[0].split()[-2:] == ["p", "Holm"]


def test_a_quality_that_was_not_measured_is_refused(tmp_path: Path) -> None:
    base, treated = pairs(tmp_path, [0.1, 0.2])
    with pytest.raises(UserError, match="--quality: not every run has measured it"):
        nucleate.compare(base, treated, quality="nope")
    with pytest.raises(UserError, match="--metric: no metric that every run has measured"):
        nucleate.compare(base, treated, metrics=["nope"])
