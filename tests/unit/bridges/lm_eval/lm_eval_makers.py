"""Tasks of lm-eval as they are found in the wild, written into a folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

QUESTIONS = [
    {
        "question": f"What is {n} + {n}?",
        "options": {
            "text": [f"it is {2 * n}", f"it is {2 * n + 1}", "no number"],
            "label": ["A", "B", "C"],
        },
        "answerKey": "ABC"[n % 3],
        "label": n % 3,
        "hint": "Think" if n % 2 else "Think ",
    }
    for n in range(12)
]
SENTENCES = [
    {
        "sentence_good": f"Some dogs sleep {n} hours.",
        "sentence_bad": f"Some dogs sleeps {n} hours.",
        "text": f"Nobody had slept, and so after {n} hours the guard fell asleep",
    }
    for n in range(8)
]
BLANKS = [
    {"before": ["The cup", "The table"], "rest": f"is empty {n} times.", "right": n % 2}
    for n in range(6)
]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_task(folder: Path, name: str, rows: Iterable[Mapping[str, Any]], **keys: Any) -> Path:
    data = write_rows(folder / f"{name}.jsonl", rows)
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        **keys,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({key: config[key] for key in config if config[key] is not None}))
    return path


def letters(folder: Path, name: str = "letters", **keys: Any) -> Path:
    """Question and answers from templates, as ARC writes them."""
    settings = {
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{options.text}}",
        "doc_to_target": "{{options.label.index(answerKey)}}",
    }
    return write_task(folder, name, QUESTIONS, **(settings | keys))


def pairs(folder: Path, name: str = "pairs", **keys: Any) -> Path:
    """Whole sentences after nothing, as BLiMP is written."""
    settings = {
        "doc_to_text": "",
        "doc_to_choice": "{{[sentence_good, sentence_bad]}}",
        "doc_to_target": 0,
    }
    return write_task(folder, name, SENTENCES, **(settings | keys))


def blanks(folder: Path, name: str = "blanks", **keys: Any) -> Path:
    """One continuation after several contexts, as Winogrande is written."""
    settings = {"doc_to_text": "right", "doc_to_choice": "before", "doc_to_target": "rest"}
    return write_task(folder, name, BLANKS, **(settings | keys))


def words(folder: Path, name: str = "words", **keys: Any) -> Path:
    """The last word of a text, as LAMBADA is written."""
    settings = {
        "output_type": "loglikelihood",
        "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}",
        "doc_to_target": "{{' '+text.split(' ')[-1]}}",
    }
    return write_task(folder, name, SENTENCES, **(settings | keys))


def tokenizer() -> Any:
    """A byte-level tokenizer without merges: a token for every byte."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|end|>": 0, **{letter: n for n, letter in enumerate(letters, start=1)}}
    bare = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<|end|>", eos_token="<|end|>")
