"""Differences between scanned models: only where the same was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from nucleate.core import Event, Level, Reading, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.scan_page import render_comparison
from nucleate.views.scan_scores import score_rows
from nucleate.views.scan_terminal import event_lines


def scanned(path: Path, values: tuple[float, float], **recipe: object) -> Run:
    """A scan of one checkpoint: an accuracy, each item right or wrong, and a loss per token."""
    ask = {"scan": path.name, "suite": "coherence", "content": "same", **recipe}
    accuracy, loss = values
    items = tuple(float(n < 10 * accuracy) for n in range(10))
    with RunWriter.create(path, Manifest(path.name, ask, {}, {})) as writer:
        for reading in (
            Reading("copa.accuracy", accuracy, 0.1, 10, 0.5, "fraction", Level.SEMANTICS, items),
            Reading("loss.held_out.nll", loss, 0.2, 10, unit="nats", level=Level.COOCCURRENCE),
        ):
            writer.reading(Step(1, 1000), reading)
    return Run.open(path)


def differences(first: Run, second: Run) -> dict[str, float | None]:
    """The second model's difference to the first, by metric."""
    out: dict[str, float | None] = {}
    for row in score_rows([first, second], ["*"]):
        cell = row.cells[1]
        assert cell is not None
        out[row.metric] = cell.difference[0] if cell.difference else None
    return out


def test_a_reason_is_told_once() -> None:
    why = "UserError: heads of this architecture are not known"
    events = [
        Event(Step(step, 0), "probe failed", f"{probe}: {why}")
        for step in (1, 2)
        for probe in ("heads", "roles")
    ]
    events += [
        Event(Step(1, 0), "note", "word 'Box' is unknown"),
        Event(Step(2, 0), "probe failed", "lens: ValueError: no rows"),
        Event(Step(3, 0), "damaged", "step3: truncated"),
    ]
    assert event_lines(events) == [
        f"probe failed: heads, roles: {why} (2 checkpoints)",
        "probe failed: lens: ValueError: no rows",
        "damaged: step3: truncated",
    ]


@pytest.mark.parametrize(
    ("recipe", "accuracy", "loss"),
    [
        ({}, -0.2, 0.5),
        ({"content": "other tokens"}, -0.2, None),  # nats per token of other tokens
        ({"suite": "text"}, None, None),
        ({"data": "elsewhere"}, -0.2, None),
        ({"texts": ["a.txt"]}, None, None),
    ],
)
def test_a_difference_is_told_where_the_same_was_asked(
    tmp_path: Path, recipe: dict[str, object], accuracy: float | None, loss: float | None
) -> None:
    first = scanned(tmp_path / "a", (0.8, 1.5))
    second = scanned(tmp_path / "b", (0.6, 2.0), **recipe)
    found = differences(first, second)
    assert found["copa.accuracy"] == pytest.approx(accuracy)
    assert found["loss.held_out.nll"] == pytest.approx(loss)


def test_a_score_that_is_no_mean_of_its_items_is_compared_as_it_is(tmp_path: Path) -> None:
    runs = []
    for name, value, items in (
        ("a", 0.45, (1.0, 0.0, 1.0, 0.0)),
        ("b", 0.55, (1.0, 1.0, 1.0, 0.0)),
    ):
        ask = {"scan": name, "suite": "story"}
        with RunWriter.create(tmp_path / name, Manifest(name, ask, {}, {})) as writer:
            reading = Reading(
                "state.holder.accuracy", value, 0.3, 4, 0.5, "fraction", Level.NARRATIVE, items
            )
            writer.reading(Step(1, 1000), reading)
        runs.append(Run.open(tmp_path / name))
    (row,) = score_rows(runs)
    cell = row.cells[1]
    assert cell is not None
    assert cell.difference == pytest.approx((0.1, 0.3 * 2**0.5))  # the items differ by .25


@pytest.mark.parametrize(("second", "bold"), [(0.7, 0), (0.0, 1)])
def test_only_a_clear_difference_is_bold(tmp_path: Path, second: float, bold: int) -> None:
    page = render_comparison(
        [scanned(tmp_path / "a", (0.8, 1.0)), scanned(tmp_path / "b", (second, 1.0))], ["copa*"]
    )
    assert page.count('class="difference') == 1
    assert page.count('class="difference clear"') == bold


def test_the_page_names_axis_chance_and_metrics_in_words(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        ask = {"scan": name, "suite": "coherence", "axis": "step"}
        manifest = Manifest(name, ask, {}, {}, primary={"syntax": "blimp.beyond_ngrams"})
        with RunWriter.create(tmp_path / name, manifest) as writer:
            for step in (10, 100):
                reading = Reading(
                    "blimp.beyond_ngrams.accuracy", 0.6, 0.1, 9, 0.5, "fraction", Level.SYNTAX
                )
                writer.reading(Step(step, step), reading)
        runs.append(Run.open(tmp_path / name))
    page = render_comparison(runs)
    assert "<h4>BLiMP · beyond n-grams</h4>" in page
    assert "a log axis of training steps" in page
    assert page.count('class="chance"') == 1
    assert page.count("<circle") == 4


def test_the_learning_coefficient_stands_in_the_table_and_not_how_many_chains_were_refused(
    tmp_path: Path,
) -> None:
    with RunWriter.create(tmp_path / "a", Manifest("a", {"scan": "a"}, {}, {})) as writer:
        for measure, value in (("refused", 0.0), ("rhat", 1.01), ("value", 8.3)):
            reading = Reading(f"llc.all.{measure}", value, level=Level.LANDSCAPE)
            writer.reading(Step(1, 1000), reading)
    assert [row.metric for row in score_rows([Run.open(tmp_path / "a")])] == ["llc.all.value"]
