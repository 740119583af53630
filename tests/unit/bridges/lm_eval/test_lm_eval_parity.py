"""The same requests as lm-eval builds: compared with the package itself where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval_makers as makers
import pytest

from nucleate.bridges.lm_eval.export import write_tasks
from nucleate.bridges.lm_eval.suite import task_suite
from nucleate.bridges.lm_eval.tasks import read_tasks
from nucleate.core import Level
from nucleate.corpora.itemsets import ItemSet
from nucleate.corpora.sets.sample import texts_of
from nucleate.probes.view import ModelView

pytest.importorskip("lm_eval", reason="lm-eval is not installed")
pytest.importorskip("datasets", reason="datasets is not installed")

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "templates": (makers.letters, {}),
    "field names": (makers.letters, {"doc_to_text": "question", "doc_to_target": "label"}),
    "constants": (makers.letters, {"doc_to_choice": ["a", "b", "c"], "doc_to_target": "label"}),
    "mapping": (makers.letters, {"doc_to_choice": {"A": "x", "B": "y", "C": "z"}}),
    "text target": (makers.letters, {"doc_to_target": "{{options.text[label]}}"}),
    "description": (makers.letters, {"description": "Sums up to {{label}}.\n\n"}),
    "description by name": (makers.letters, {"description": "hint"}),
    "delimiter": (makers.letters, {"target_delimiter": "\n"}),
    "no delimiter": (makers.letters, {"target_delimiter": ""}),
    "prefix": (makers.letters, {"gen_prefix": "It is"}),
    "prefix by name": (makers.letters, {"gen_prefix": "hint", "doc_to_text": "question"}),
    "regex": (makers.letters, {"doc_to_text": "{{question|regex_replace('[0-9]+', 'n')}}"}),
    "trailing line": (makers.letters, {"doc_to_text": "{{question}}\n"}),
    "two shots": (makers.letters, {"num_fewshot": 2}),
    "shots from the test split": (makers.letters, {"num_fewshot": 3, "fewshot_split": "test"}),
    "first shots": (makers.letters, {"num_fewshot": 2, "fewshot_config": {"sampler": "first_n"}}),
    "shots of their own": (
        makers.letters,
        {
            "num_fewshot": 2,
            "description": "Sums.\n",
            "fewshot_delimiter": "\n###\n",
            "target_delimiter": ": ",
            "fewshot_config": {
                "samples": makers.QUESTIONS[:4],
                "doc_to_text": "Q {{question}}",
                "fewshot_delimiter": "\n--\n",
            },
        },
    ),
    "shots with prefix": (makers.letters, {"num_fewshot": 1, "gen_prefix": "It is"}),
    "pairs": (makers.pairs, {"num_fewshot": 0}),
    "blanks": (makers.blanks, {}),
    "blanks with shots": (makers.blanks, {"num_fewshot": 2, "description": "Fill.\n"}),
    "words": (makers.words, {}),
    "words with shots": (makers.words, {"num_fewshot": 2, "description": "End it.\n"}),
}


@pytest.mark.parametrize("case", CASES)
def test_requests_are_those_of_lm_eval(case: str, tmp_path: Path) -> None:
    make, keys = CASES[case]
    path = make(tmp_path, "parity", **keys)
    (item_set,) = read_tasks(path)
    assert requests(item_set) == theirs(tmp_path)


def requests(item_set: ItemSet) -> list[tuple[str, str]]:
    return [request for item in item_set.items for request in texts_of(item)]


@pytest.mark.filterwarnings("ignore")
def theirs(folder: Path) -> list[tuple[str, str]]:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    task = manager.load(["parity"])["tasks"]["parity"]
    if task.config.num_fewshot is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(1234)
    task.build_all_requests()
    return [tuple(instance.args) for instance in task.instances]


TWINS: dict[str, list[dict[str, Any]]] = {
    "hellaswag/hellaswag.yaml": [
        {
            "activity_label": "Making tea",
            "ctx_a": "[header] How to make tea [title] Boil water.",
            "ctx_b": "she Pours",
            "endings": ["it [substeps] out.", " it  in.", "tea", "[step] no [title] end"],
            "label": "2",
        }
    ],
    "winogrande/default.yaml": [
        {"sentence": "Ann met Bo as _ was late. ", "option1": "Ann", "option2": "Bo", "answer": "2"}
    ],
    "super_glue/copa/default.yaml": [
        {
            "premise": "The cup broke. ",
            "question": question,
            "choice1": "It fell.",
            "choice2": "I slept.",
            "label": label,
        }
        for question, label in (("cause", 0), ("effect", 1))
    ],
    "wsc273/default.yaml": [
        {
            "text": text,
            "pronoun": pronoun,
            "pronoun_loc": text.index(f" {pronoun} ") + 1,
            "options": ["The guard", "A thief"],
            "label": 1,
        }
        for text, pronoun in (
            ("The guard  saw a thief as he ran away.", "he"),
            ("A thief ran. He was gone.", "He"),
            ("The guard took a thief by his arm.", "his"),
        )
    ],
}


@pytest.mark.parametrize("name", TWINS)
def test_functions_of_known_tasks_have_twins(name: str, tmp_path: Path) -> None:
    import lm_eval

    own = Path(lm_eval.__file__).parent / "tasks" / name
    path = makers.write_task(tmp_path, "parity", TWINS[name], include=str(own), output_type=None)
    nothing = ("dataset_name", "training_split", "validation_split")
    path.write_text(path.read_text() + "".join(f"{key}: null\n" for key in nothing))
    (item_set,) = read_tasks(path)
    assert requests(item_set) == theirs(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_accuracies_and_log_likelihoods_are_those_of_lm_eval(tmp_path: Path) -> None:
    import torch
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    tokenizer = makers.tokenizer()
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=len(tokenizer), intermediate_size=64, max_position_embeddings=256, **size
        )
    ).eval()
    model.config.pad_token_id = tokenizer.eos_token_id
    level = Level.SEMANTICS
    own = [
        ItemSet(name, level, "here", "CC0", read_tasks(make(tmp_path))[0].items)
        for name, make in (("a", makers.letters), ("b", makers.blanks), ("c", makers.words))
    ]
    write_tasks(own, tmp_path / "tasks")
    asked = [f"nucleate_{item_set.name}" for item_set in own]
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    wrapped = HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=4)
    theirs = simple_evaluate(wrapped, tasks=asked, task_manager=manager, bootstrap_iters=0)
    view = ModelView(model)
    ours = {
        reading.metric: reading
        for probe, items in task_suite(own, tokenizer, context=256).parts
        for reading in probe.measure(view, items)
    }
    for name, measure, theirs_name in (
        ("a", "accuracy", "acc"),
        ("a", "acc_norm", "acc_norm"),
        ("b", "accuracy", "acc"),
        ("c", "accuracy", "acc"),
    ):
        expected = theirs["results"][f"nucleate_{name}"][f"{theirs_name},none"]
        assert ours[f"{name}.{measure}"].value == expected
    logged = [sample["perplexity"] for sample in theirs["samples"]["nucleate_c"]]
    assert ours["c.log_prob"].items == pytest.approx(logged, abs=1e-4)
