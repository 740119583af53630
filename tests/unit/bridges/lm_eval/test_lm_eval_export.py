"""Item sets written as lm-eval tasks: what the files say, and that they read back the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from nucleate.bridges.lm_eval.export import write_tasks
from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.core import DataError, Level
from nucleate.corpora.items import Choice, Cloze, ContextPair, MinimalPair
from nucleate.corpora.itemsets import Item, ItemSet

CHOICES = (
    Choice((("The cup broke because", " it fell."), ("The cup broke because", " I slept.")), 0),
    Choice((("He ate, therefore", " he ran."), ("He ate, therefore", " he was full.")), 1),
)
SCHEMAS = (
    Choice((("The cup", " is empty."), ("The table", " is empty.")), 1, document=4),
    Choice((("A man", " sings."), ("A stone", " sings."), ("A cup", " sings.")), 0, document=4),
)
PAIRS = (
    MinimalPair("The dogs sleep.", "The dogs sleeps.", "agreement/plain"),
    MinimalPair("No dog ever slept.", "A dog ever slept.", "npi"),
)
CLOZES = (Cloze("One, two,", " three"), Cloze("Paris is the capital of", " France"))
REGIONS = (ContextPair("Anna has it.", "Bob has it.", "So Anna has it.", "swap"),)


def item_set(name: str, items: tuple[Item, ...]) -> ItemSet:
    return ItemSet(name, Level.SYNTAX, "us, here", "CC0", items, ("A trap.",))


def test_options_are_written_as_lm_eval_writes_them(tmp_path: Path) -> None:
    (written,) = write_tasks([item_set("copa", CHOICES)], tmp_path)
    assert (written.name, written.items) == ("nucleate_copa", 2)
    config = yaml.safe_load(written.path.read_text())
    assert config["output_type"] == "multiple_choice"
    assert config["target_delimiter"] == " "
    assert config["num_fewshot"] == 0
    assert [metric["metric"] for metric in config["metric_list"]] == ["acc", "acc_norm"]
    (data,) = config["dataset_kwargs"]["data_files"].values()
    first = json.loads(Path(data).read_text().split("\n")[0])
    assert first["context"] == "The cup broke because"
    assert first["choices"] == ["it fell.", "I slept."]
    assert first["gold"] == 0


def test_conditions_become_tasks_of_a_group(tmp_path: Path) -> None:
    (written,) = write_tasks([item_set("blimp", PAIRS)], tmp_path)
    group = yaml.safe_load(written.path.read_text())
    assert group["group"] == written.name == "nucleate_blimp"
    assert group["task"] == ["nucleate_blimp_agreement_plain", "nucleate_blimp_npi"]
    assert group["aggregate_metric_list"][0]["weight_by_size"] is True


@pytest.mark.parametrize("items", [CHOICES, SCHEMAS, CLOZES], ids=["choices", "schemas", "clozes"])
def test_a_set_reads_back_as_it_was(items: tuple[Item, ...], tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    own = item_set("own", items)
    (written,) = write_tasks([own], tmp_path)
    (back,) = read_tasks(written.path)
    assert back.items == own.items
    assert (back.level, back.source, back.licence) == (own.level, own.source, own.licence)
    assert back.notes == own.notes


def test_pairs_and_regions_read_back_as_the_same_questions(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is not installed")
    pairs, regions = write_tasks([item_set("p", PAIRS), item_set("r", REGIONS)], tmp_path)
    first, second = read_tasks(pairs.path)
    assert first.items == (
        Choice((("", "The dogs sleep."), ("", "The dogs sleeps.")), 0, "agreement/plain"),
    )
    assert second.items[0].condition == "npi"
    (region,) = read_tasks(regions.path)
    candidates = (("Anna has it.", " So Anna has it."), ("Bob has it.", " So Anna has it."))
    assert region.items == (Choice(candidates, 0, "swap"),)
    assert "tokenises" in regions.notes[0]


def test_what_lm_eval_has_no_form_for_is_counted(tmp_path: Path) -> None:
    both_differ = Choice((("A", " b"), ("C", " d")), 0)
    (written,) = write_tasks([item_set("mixed", (*CHOICES, both_differ))], tmp_path)
    assert written.items == 2
    assert written.notes == ("1 items are left out: lm-eval has no form for them.",)
    with pytest.raises(DataError, match="cannot be asked by lm-eval"):
        write_tasks([item_set("none", (both_differ,))], tmp_path)


def test_texts_that_would_be_read_as_dates_are_left_out(tmp_path: Path) -> None:
    dates = tuple(Cloze("It was on", "2015-01-0" + day) for day in "123")
    with pytest.raises(DataError, match="cannot be asked by lm-eval"):
        write_tasks([item_set("dates", dates)], tmp_path)


def test_mixed_forms_are_two_tasks(tmp_path: Path) -> None:
    (written,) = write_tasks([item_set("both", (*CHOICES, *SCHEMAS))], tmp_path)
    group = yaml.safe_load(written.path.read_text())
    assert group["task"] == ["nucleate_both_options", "nucleate_both_contexts"]
