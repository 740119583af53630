"""lm-eval tasks read: requests known beforehand, and one line for what is not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval_makers as makers
import pytest

from nucleate.bridges.lm_eval.functions import twin
from nucleate.bridges.lm_eval.suite import task_suite
from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.bridges.lm_eval.templates import render
from nucleate.bridges.lm_eval.yamls import Code, load_config
from nucleate.core import DataError, Level
from nucleate.corpora.items import Choice, Cloze

pytest.importorskip("datasets", reason="datasets is not installed")


def test_options_after_one_question(tmp_path: Path) -> None:
    (read,) = read_tasks(makers.letters(tmp_path, description="Sums.\n\n"))
    context = "Sums.\n\nQuestion: What is 1 + 1?\nAnswer:"
    options = ((context, " it is 2"), (context, " it is 3"), (context, " no number"))
    assert read.items[1] == Choice(options, 1)
    assert len(read.items) == 12
    assert (read.name, read.level) == ("letters", Level.SEMANTICS)


def test_whole_sentences_carry_the_delimiter_as_in_lm_eval(tmp_path: Path) -> None:
    (read,) = read_tasks(makers.pairs(tmp_path, "blimp_toy"))
    first = Choice((("", " Some dogs sleep 0 hours."), ("", " Some dogs sleeps 0 hours.")), 0)
    assert read.items[0] == first
    assert read.level is Level.SYNTAX


def test_one_continuation_after_several_contexts(tmp_path: Path) -> None:
    (read,) = read_tasks(makers.blanks(tmp_path), items=2)
    text = " is empty 1 times."
    assert read.items[1] == Choice((("The cup", text), ("The table", text)), 1)
    assert len(read.items) == 2


def test_the_last_word(tmp_path: Path) -> None:
    (read,) = read_tasks(makers.words(tmp_path))
    assert read.items[3] == Cloze(
        "Nobody had slept, and so after 3 hours the guard fell", " asleep"
    )


def test_first_examples(tmp_path: Path) -> None:
    path = makers.letters(tmp_path, fewshot_config={"sampler": "first_n"})
    (read,) = read_tasks(path, shots=1, items=2)
    assert isinstance(read.items[1], Choice)
    context = read.items[1].candidates[0][0]
    # No split for examples is named and none is asked: the question itself is then left out.
    first = "Question: What is 0 + 0?\nAnswer: it is 0\n\n"
    assert context == first + "Question: What is 1 + 1?\nAnswer:"


def test_a_task_without_examples_keeps_none(tmp_path: Path) -> None:
    (read,) = read_tasks(makers.pairs(tmp_path, num_fewshot=0), shots=3)
    assert read.items[0].candidates[0] == ("", " Some dogs sleep 0 hours.")  # type: ignore[union-attr]


def test_groups_and_folders(tmp_path: Path) -> None:
    makers.letters(tmp_path, "one")
    makers.pairs(tmp_path, "two")
    group = tmp_path / "all.yaml"
    group.write_text("group: all\ntask: [two, one]\n")
    assert [read.name for read in read_tasks(group)] == ["two", "one"]
    assert [read.name for read in read_tasks(tmp_path)] == ["one", "two"]
    group.write_text("group: all\ntask: [three]\n")
    with pytest.raises(DataError, match="folder lacks"):
        read_tasks(group)


def test_includes_are_merged_and_own_keys_win(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("a: 1\nb: 1\n")
    (tmp_path / "own.yaml").write_text("include: base.yaml\nb: 2\n")
    assert load_config(tmp_path / "own.yaml") == {"a": 1, "b": 2}
    (tmp_path / "base.yaml").write_text("include: own.yaml\n")
    with pytest.raises(DataError, match="circle"):
        load_config(tmp_path / "own.yaml")


REFUSED: dict[str, tuple[Callable[..., Path], dict[str, Any], str]] = {
    "generated text": (makers.letters, {"output_type": "generate_until"}, "output_type"),
    "rolling": (makers.words, {"output_type": "loglikelihood_rolling"}, "output_type"),
    "promptsource": (makers.letters, {"use_prompt": "promptsource:x"}, "use_prompt"),
    "missing field": (makers.letters, {"doc_to_text": "{{nothing}}"}, "nothing"),
    "several targets": (makers.letters, {"doc_to_target": "{{[0, 1]}}"}, "right answer"),
    "no list": (makers.letters, {"doc_to_choice": "{{question}}"}, "makes no value"),
    "no split": (makers.letters, {"test_split": None}, "test_split"),
    "no such split": (makers.letters, {"test_split": "dev"}, "cannot be loaded"),
    "sampler": (makers.letters, {"num_fewshot": 1, "fewshot_config": {"sampler": "x"}}, "sampler"),
    "filter": (
        makers.letters,
        {"filter_list": [{"name": "x", "filter": [{"function": "map"}]}]},
        "filters",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, keys, words = REFUSED[case]
    with pytest.raises(DataError) as caught:
        read_tasks(make(tmp_path, "refused", **keys))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_functions_are_named_and_not_run(tmp_path: Path) -> None:
    path = makers.letters(tmp_path)
    path.write_text(path.read_text() + "process_docs: !function utils.process\n")
    (tmp_path / "utils.py").write_text("raise SystemExit('was run')\n")
    with pytest.raises(DataError, match=r"function utils\.process"):
        read_tasks(path)
    with pytest.raises(DataError, match="not run here"):
        twin(Code("utils.process_docs", tmp_path / "utils.py"), "task")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ 'a' * 10**10 }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ doc.append(1) }}",
    ],
)
def test_templates_stay_in_their_sandbox(template: str) -> None:
    with pytest.raises(DataError, match="template fails"):
        render(template, {"doc": [1]}, "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "not valid YAML"), ("- a", "not a mapping"), ("a: 1", "no task"), ("", "mapping")],
)
def test_files_that_are_no_task(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_tasks(path)


def test_a_group_of_lists_is_refused(tmp_path: Path) -> None:
    group = tmp_path / "all.yaml"
    group.write_text("group: all\ntask:\n  - {group: inner, task: [a]}\n")
    with pytest.raises(DataError, match="folder lacks"):
        read_tasks(group)


def test_a_suite_of_tasks_asks_what_the_sets_hold(tmp_path: Path) -> None:
    tokenizer = makers.tokenizer()
    sets = read_tasks([makers.letters(tmp_path), makers.words(tmp_path), makers.blanks(tmp_path)])
    suite = task_suite(sets, tokenizer, context=64)
    assert [probe.name for probe, _ in suite.parts] == ["letters", "words", "blanks"]
    assert [len(items.requests) for _, items in suite.parts] == [36, 8, 12]
    assert suite.primary == {Level.SEMANTICS: "letters"}
    assert [getattr(items, "normalise", None) for _, items in suite.parts] == [True, None, False]
