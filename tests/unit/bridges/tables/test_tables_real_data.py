"""Every file of the real data: curves as its description says, or one line that helps."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nucleate.bridges.tables import read_book
from nucleate.core import UserError

DATA = Path(os.environ.get("NUCLEATE_DATA", Path(__file__).parents[4].parent / "shared" / "data"))

CURVES = {
    # file: axis, runs, metrics, curves, readings
    "behavioral_phases/correlations.parquet": ("step", 50, 28, 1400, 24_528),
    "behavioral_phases/regressions.parquet": ("step", 50, 16, 800, 14_016),
    "bigscience_1b3/evals.parquet": ("tokens", 3, 42, 126, 6_678),
    "dev_landscape_lm/curves.parquet": ("step", 1, 43, 43, 21_539),
    "nanogpt_speedrun_logs/logs.parquet": ("step", 189, 2, 199, 46_537),
    "olmo_ladder/curves.parquet": ("step", 20, 114, 1918, 214_076),
    "polypythia_train_loss/train_loss.parquet": ("step", 14, 1, 14, 624_400),
    "polypythia_weight_stats/weight_stats.parquet": ("step", 5, 14, 70, 10_780),
    "polypythia_weight_stats/weight_stats_concept_erased.parquet": ("step", 5, 13, 65, 10_010),
    "pythia_evals/pythia_evals.parquet": ("tokens", 22, 845, 6871, 125_127),
    "pythia_head_motifs/motifs.csv": ("step", 1, 5, 5, 30),
    "sample_trajectories/samples.jsonl": ("step", 2, 2, 3, 74),
    "tinyllama_evals/evals.csv": ("tokens", 1, 7, 7, 49),
    "torus_markov_ckpts/series.npz": ("step", 1, 2, 2, 82),
    "word_acquisition/curves.parquet": ("step", 2, 13, 26, 5_410),
}

NO_STEPS = (
    "babi/babi_test.jsonl.gz",
    "bigbench_coherence/tasks.jsonl.gz",
    "blimp/blimp.parquet",
    "cloze_benchmarks/cloze.jsonl.gz",
    "coherence_human_ratings/cohesentia.jsonl.gz",
    "corpora/classic_en.jsonl.gz",
    "corpora/llm_knowledge.jsonl.gz",
    "corpora/llm_stories.jsonl.gz",
    "corpora/llm_word_usage.jsonl.gz",
    "corpora/storybooks_multilingual.jsonl.gz",
    "corpora/tinystories.jsonl.gz",
    "corpora/wikitext2_valid.jsonl.gz",
    "mc_benchmarks/mc.jsonl.gz",
    "minimal_pairs_multilingual/pairs.parquet",
    "pararel/pararel.jsonl.gz",
    "sentence_order/pairs.jsonl.gz",
    "tiny_models/babyllama_tok105.vocab",
    "word_acquisition/word_sigmoids.parquet",
    "xcopa/xcopa.jsonl.gz",
)

REFUSED = {
    "polypythia_weight_stats/final_evals.parquet": "column 'step' holds text (got 'final'",
    "tiny_models/babyllama_tok105_step5000.bin": "binary, and no format that is known",
    "tiny_models/stories260K.bin": "binary, and no format that is known",
    "tiny_models/stories260K_tok512.bin": "binary, and no format that is known",
    **dict.fromkeys(NO_STEPS, "no column of training steps"),
}


@pytest.fixture
def real():
    """Return a function from a name to a path, or skip."""

    def find(name):
        if name.endswith(".parquet"):
            pytest.importorskip("pyarrow", reason="pyarrow reads the published table")
        if not (DATA / name).exists():
            pytest.skip(f"{DATA / name} is not there; set NUCLEATE_DATA to the real data")
        return DATA / name

    return find


@pytest.mark.parametrize("name", CURVES)
def test_curves(real, name):
    book = read_book(real(name))
    metrics = {curve.metric for _, curve in book.curves()}
    readings = sum(len(curve.values) for _, curve in book.curves())
    assert (book.axis, len(book.runs), len(metrics), len(book), readings) == CURVES[name]
    for _, curve in book.curves():
        assert (np.diff(curve.tokens) > 0).all()
        assert np.isfinite(curve.values).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_curves_says_what_it_lacks(real, name):
    with pytest.raises(UserError) as caught:
        read_book(real(name))
    assert REFUSED[name] in str(caught.value)
    assert len(str(caught.value)) <= 200


def test_every_file_is_judged_here():
    if not DATA.exists():
        pytest.skip(f"{DATA} is not there; set NUCLEATE_DATA to the real data")
    files = {path.relative_to(DATA).as_posix() for path in DATA.glob("*/*") if path.is_file()}
    assert files == {*CURVES, *REFUSED}


def test_pythia_curves_are_the_published_numbers(real):
    pandas = pytest.importorskip("pandas")
    path = real("pythia_evals/pythia_evals.parquet")
    book = read_book(path, runs=["v1/pythia-2.8b/standard"])
    (curves,) = book.runs.values()
    curve = curves["lambada_openai.zero-shot.shots=0.acc"]
    table = pandas.read_parquet(path)
    rows = table[
        (table.suite == "v1") & (table.model == "pythia-2.8b") & (table.variant == "standard")
        & (table.condition == "zero-shot") & (table.task == "lambada_openai")
        & (table.metric == "acc")
    ].sort_values("step")  # fmt: skip
    assert len(curve.values) == 27
    assert curve.values == tuple(rows.value)
    assert curve.se == pytest.approx(tuple(rows.stderr), nan_ok=True)
    assert [step.step for step in curve.steps] == list(rows.step)
    assert [step.tokens for step in curve.steps] == list(rows.tokens_seen)


def test_polypythia_losses_are_the_published_numbers(real):
    pandas = pytest.importorskip("pandas")
    path = real("polypythia_train_loss/train_loss.parquet")
    book = read_book(path)
    table = pandas.read_parquet(path)
    rows = table[(table.model == "pythia-70m") & (table.seed == 9)].sort_values("step")
    curve = book.runs["pythia-70m/seed=9"]["loss"]
    assert np.array_equal(curve.values, rows.loss)
    assert np.array_equal(curve.tokens, rows.step)


def test_olmo_logs_keep_tokens_and_learning_rate_beside_steps(real):
    book = read_book(real("olmo_ladder/curves.parquet"), runs=["1B-1xC"])
    curve = book.runs["1B-1xC"]["c4_en-validation/CrossEntropyLoss"]
    assert curve.steps[0].tokens == 314_572_800
    assert curve.steps[0].lr > 0


def test_folders_of_real_data(real):
    book = read_book(real("polypythia_weight_stats"))
    assert len(book.runs) == 10
    assert "weight_stats/seed=0" in book.runs
    assert any(note.startswith("final_evals.parquet was left out") for note in book.notes)
    assert read_book(real("tinyllama_evals")).axis == "tokens"
    with pytest.raises(UserError, match="no column of training steps"):
        read_book(real("xcopa"))
