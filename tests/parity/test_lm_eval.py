"""Scores equal those of lm-eval 0.4.13, request by request, and its accuracies exactly."""

import importlib
import warnings

import numpy as np
import pytest
from tokenizers.processors import TemplateProcessing

from nucleate.corpora.tokenizer import bpe_tokenizer
from nucleate.probes.requests import Requests
from nucleate.probes.view import ModelView
from tests.parity.families import WINDOW, family
from tests.parity.test_transformers import NAMED, REQUESTS
from tests.unit.corpora.prose import LINES, NAMES, stories

pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that lm-eval brings along


def tokenizer(adds_begin_token=False):
    made = bpe_tokenizer(stories(30), vocab_size=300)
    if adds_begin_token:
        made.backend_tokenizer.post_processor = TemplateProcessing(
            single="<eos> $A", special_tokens=[("<eos>", 0)]
        )
    return made


@pytest.fixture(scope="module")
def lm_eval():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("lm_eval", reason="lm-eval is in the extra `parity`")
        importlib.import_module("lm_eval.models.huggingface")
        importlib.import_module("lm_eval.tasks")
    if module.__version__ != "0.4.13":
        pytest.skip(f"numbers are compared with lm-eval 0.4.13, this is {module.__version__}")
    return module


def as_lm(lm_eval, model, tokenizer, **settings):
    model.config.name_or_path = model.name_or_path or "tiny"
    return lm_eval.models.huggingface.HFLM(
        pretrained=model, tokenizer=tokenizer, max_length=WINDOW, batch_size=3, **settings
    )


def asked(lm, requests):
    from lm_eval.api.instance import Instance

    made = [Instance("loglikelihood", {}, request, n) for n, request in enumerate(requests)]
    found = lm.loglikelihood(made, disable_tqdm=True)
    return np.array([value for value, _ in found]), [greedy for _, greedy in found]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize(("adds", "begin"), [(False, None), (True, None), (True, False)])
def test_requests_of_every_kind(lm_eval, name, adds, begin):
    words = tokenizer(adds)
    model = family(name, len(words))
    # A context of nothing but blanks stops lm-eval, unless the tokenizer begins every text.
    requests = [request for request in REQUESTS if request[0] != " " or (adds and begin is None)]
    # Its cache of logits mixes up borders, see below; it is off here and on everywhere else.
    lm = as_lm(lm_eval, model, words, add_bos_token=begin, logits_cache=False)
    expected, greedy = asked(lm, requests)
    scores = Requests(requests, words, context=WINDOW, begin=begin).score(ModelView(model))
    np.testing.assert_allclose(scores.log_prob, expected, atol=1e-4)
    assert scores.greedy.tolist() == greedy
    assert np.ptp(expected) > 5


def test_where_one_text_has_two_borders_we_follow_lm_eval_without_its_cache(lm_eval):
    """With its cache, 0.4.13 reads the log-probabilities of one of them at the wrong places."""
    words = tokenizer()
    model = family("llama", len(words))
    requests = [("Tom ran", " to the mill."), ("Tom", " ran to the mill.")]
    scores = Requests(requests, words, context=WINDOW).score(ModelView(model)).log_prob
    without, _ = asked(as_lm(lm_eval, model, words, logits_cache=False), requests)
    np.testing.assert_allclose(scores, without, atol=1e-4)
    cached, _ = asked(as_lm(lm_eval, model, words), requests)
    assert np.abs(cached - without).max() > 1


def documents(number=60):
    rng = np.random.default_rng(0)
    lines = [line.format(a=a, b=b, number=3) for line in LINES for a in NAMES for b in NAMES]
    ends = [" ".join(line.split()[-n:]) for line in lines for n in (1, 3)]
    return [
        {
            "query": str(rng.choice(lines)),
            "choices": [str(line) for line in rng.choice(ends, 4, replace=False)],
            "gold": int(rng.integers(4)),
        }
        for _ in range(number)
    ]


def task(name, docs, **settings):
    import datasets

    return {
        "task": name,
        "custom_dataset": lambda **_: {"test": datasets.Dataset.from_list(docs)},
        "test_split": "test",
        "doc_to_text": "{{query}}",
        **settings,
    }


def evaluated(lm_eval, model, words, *tasks):
    manager = lm_eval.tasks.TaskManager(include_defaults=False)
    found = lm_eval.simple_evaluate(
        as_lm(lm_eval, model, words), tasks=list(tasks), task_manager=manager, bootstrap_iters=0
    )
    return found["results"]


def test_accuracy_of_multiple_choice_raw_and_by_characters_is_the_same(lm_eval):
    words, docs = tokenizer(), documents()
    model = family("gpt_neox", len(words))
    settings = {"output_type": "multiple_choice", "doc_to_choice": "choices"}
    settings |= {
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    found = evaluated(lm_eval, model, words, task("four", docs, **settings))["four"]
    requests = [(doc["query"], f" {choice}") for doc in docs for choice in doc["choices"]]
    scores = Requests(requests, words, context=WINDOW).score(ModelView(model))
    gold = [doc["gold"] for doc in docs]
    raw = scores.log_prob.reshape(-1, 4).argmax(1) == gold
    normed = (scores.log_prob / (scores.characters - 1)).reshape(-1, 4).argmax(1) == gold
    assert (raw.mean(), normed.mean()) == (found["acc,none"], found["acc_norm,none"])
    assert 0 < raw.mean() < 1
    assert raw.tolist() != normed.tolist()


def test_greedy_accuracy_and_perplexity_of_cloze_items_are_the_same(lm_eval):
    words = tokenizer()
    model = family("llama", len(words))
    likely = greedy_words(model, words)
    docs = [{"query": context, "target": likely} for context in ("Tom", "Lily ran")]
    settings = {"output_type": "loglikelihood", "doc_to_target": "target", "target_delimiter": ""}
    settings |= {"metric_list": [{"metric": "acc"}, {"metric": "perplexity"}]}
    found = evaluated(lm_eval, model, words, task("cloze", docs, **settings))["cloze"]
    requests = [(doc["query"], doc["target"]) for doc in docs]
    scores = Requests(requests, words, context=WINDOW).score(ModelView(model))
    assert scores.greedy.tolist() == [True, False]
    assert scores.greedy.mean() == found["acc,none"] == 0.5
    perplexity = np.exp(-scores.log_prob.mean())
    assert perplexity == pytest.approx(found["perplexity,none"], rel=1e-4)


def greedy_words(model, words):
    """A continuation of ``Tom`` that is tokenised as the model would write it."""
    import torch

    start = words("Tom", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        order = model(torch.tensor([start])).logits[0, -1].argsort(descending=True)
    first = int(order[0])
    text = words.decode([*start, first])
    assert words(text, add_special_tokens=False)["input_ids"] == [*start, first]
    return text.removeprefix("Tom")
