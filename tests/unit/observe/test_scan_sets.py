"""A scan of item sets: what lm-eval task files ask, of every checkpoint, sent to any process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nucleate.bridges.lm_eval.export import write_tasks
from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.core import Level, RunFolderError, UserError
from nucleate.corpora.items import Choice
from nucleate.corpora.itemsets import ItemSet
from nucleate.observe.scan import scan
from nucleate.observe.scanning.job import Job
from nucleate.observe.scanning.work import Outcome, Task, pack_job, unpack_job, work_here
from nucleate.store import Run

NAMES = "anna tom lily max nora ben rosa finn".split()
THINGS = "lantern key drum map rope coin bell flute".split()


def gifts(number: int = 40) -> ItemSet:
    """Which thing was given: three things stand against each other."""
    rng = random.Random(0)
    items = []
    for _ in range(number):
        things = rng.sample(THINGS, 3)
        context = f"{rng.choice(NAMES)} gave {rng.choice(NAMES)} the"
        options = tuple((context, f" {thing}") for thing in things)
        items.append(Choice(options, rng.randrange(3)))
    return ItemSet("gifts", Level.SEMANTICS, "this test", "CC0", tuple(items))


def accuracy(folder: Path, item_set: ItemSet) -> float:
    """Share of items answered rightly, by transformers alone: one sequence at a time."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder.parent)
    right = []
    for item in item_set.items:
        assert isinstance(item, Choice)
        scores = []
        for context, continuation in item.candidates:
            before, after = tokenizer(context)["input_ids"], tokenizer(continuation)["input_ids"]
            with torch.no_grad():
                logits = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
            places = range(len(before) - 1, len(before) + len(after) - 1)
            scores.append(sum(float(logits[p, t]) for p, t in zip(places, after, strict=True)))
        right.append(scores.index(max(scores)) == item.gold)
    return sum(right) / len(right)


@pytest.fixture
def folder(tmp_path: Path, make_series: Callable[..., Path]) -> Path:
    return make_series(tmp_path / "series")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    write_tasks([gifts()], tmp_path / "tasks")
    return tmp_path / "tasks"


def test_tasks_give_the_accuracies_that_transformers_gives(
    folder: Path, tasks: Path, tmp_path: Path
) -> None:
    sets = read_tasks(tasks)
    out = scan(folder, out=tmp_path / "out", sets=sets, revisions="step[19]")
    run = Run.open(out)
    curve = run.curves()["nucleate_gifts.accuracy"]
    expected = [accuracy(folder / f"step{step}", gifts()) for step in (1, 9)]
    assert len(set(expected)) == 2  # the checkpoints differ, so that a mix-up would be seen
    assert list(curve.values) == pytest.approx(expected, abs=1e-12)
    assert run.manifest.recipe["suite"] == "sets"
    assert run.manifest.recipe["sets"] == ["nucleate_gifts"]
    assert run.manifest.primary == {"semantics": "nucleate_gifts"}


def test_what_is_asked_can_be_sent_to_other_processes(
    folder: Path, tasks: Path, tmp_path: Path
) -> None:
    def sent(job: Job, todo: Iterator[Task]) -> Iterator[Outcome]:
        return work_here(unpack_job(pack_job(job)), todo)

    sets = read_tasks(tasks)
    one = scan(folder, out=tmp_path / "one", sets=sets)
    two = scan(folder, out=tmp_path / "two", sets=sets, worker=sent)
    values = [[(step, repr(r)) for step, r in Run.open(path).readings()] for path in (one, two)]
    assert values[0] == values[1]
    assert len(values[0]) >= 8


def test_a_run_of_other_items_is_not_gone_on_with(folder: Path, tmp_path: Path) -> None:
    item_set = gifts()
    scan(folder, out=tmp_path / "out", sets=[item_set], revisions="step1")
    first = item_set.items[0]
    assert isinstance(first, Choice)
    changed = replace(
        item_set, items=(replace(first, gold=(first.gold + 1) % 3), *item_set.items[1:])
    )
    with pytest.raises(RunFolderError, match="content is not the same"):
        scan(folder, out=tmp_path / "out", sets=[changed], revisions="step1")


def test_the_first_items_of_a_set_are_asked(folder: Path, tmp_path: Path) -> None:
    out = scan(folder, out=tmp_path / "out", sets=[gifts()], items=10, revisions="step1")
    assert {reading.n for _, reading in Run.open(out).readings()} == {10}


def test_what_stands_for_a_level_is_measured(folder: Path, tmp_path: Path) -> None:
    """A set whose items share a condition, as one paradigm of BLiMP does; and one of two."""
    one = replace(gifts(), items=tuple(replace(item, condition="p") for item in gifts().items))
    halves = [replace(item, condition="pq"[n % 2]) for n, item in enumerate(gifts().items)]
    two = replace(gifts(), name="halves", level=Level.NARRATIVE, items=tuple(halves))
    out = scan(folder, out=tmp_path / "out", sets=[one, two], revisions="step1")
    run = Run.open(out)
    assert run.manifest.primary == {"semantics": "gifts", "narrative": "halves.all"}
    stems = {reading.metric.rsplit(".", 1)[0] for _, reading in run.readings()}
    assert stems == {"gifts", "halves.all", "halves.p", "halves.q"}


def test_sets_and_suites_are_not_mixed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="go together"):
        scan(folder, out=tmp_path / "out", sets=[gifts()], suite="story")
    with pytest.raises(UserError, match="go together"):
        scan(folder, out=tmp_path / "out", suite="sets")
    with pytest.raises(UserError, match="--text goes with"):
        scan(folder, out=tmp_path / "out", sets=[gifts()], texts=["a.txt"])
