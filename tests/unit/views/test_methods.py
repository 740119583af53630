"""The paragraphs for a paper: what the record holds is said, what it lacks is not."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nucleate.core import Decision, Level, Reading, Step
from nucleate.core.families import FAMILIES
from nucleate.core.units import tokens as in_tokens
from nucleate.detect import ALPHA, MAX_WIDTH
from nucleate.models.families import FAMILIES as WITH_HEADS
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views import downloads as downloads_module
from nucleate.views.analysis import analyse
from nucleate.views.cite import bibtex
from nucleate.views.downloads import downloads
from nucleate.views.methods import paper

ROOT = Path(__file__).parents[3]
RECIPE = {
    "corpus": {"kind": "story_world", "world": 7, "probes": "control"},
    "model": {"family": "llama"},
    "optimizer": {
        "kind": "adamw",
        "lr": 0.001,
        "betas": [0.9, 0.95],
        "weight_decay": 0.1,
        "clip": 1,
    },
    "rows": 8,
    "context": 64,
    "precision": "bf16",
    "policy": [{"name": "grow"}],
}
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 10,
    "tie_word_embeddings": True,
}
# Embedding 10 × 8; in each layer 4 projections of 8 × 8, 3 matrices of 8 × 16 and 2 norms of 8;
# the last norm 8.
PARAMETERS = 80 + 2 * (256 + 384 + 16) + 8


def write(path: Path, *, jump: bool = True, readings: int = 30, **manifest) -> Run:
    own = {"recipe": RECIPE, "seeds": {"model": 3, "data": 3}, "nucleate": "0.0.9", **manifest}
    own.setdefault("environment", {"torch": "2.0", "transformers": "5.0", "device": "cpu"})
    with RunWriter.create(path, Manifest("made up", **own)) as writer:
        for k in range(readings):
            tokens = round(1e4 * 10 ** (k / 10))
            lr = 1e-3 * min(1.0, (k + 1) / 5, (readings - k) / 5)
            step = Step(k + 1, tokens, lr=lr)
            high = 0.9 * (k >= readings // 2) if jump else 0.0
            noise = 0.004 * ((k * 7) % 5 - 2)
            for metric, unit in (("probe.accuracy", "fraction"), ("probe.margin", "nats")):
                reading = Reading(metric, 0.05 + high + noise, 0.01, 100, 0.0, unit, Level.SYNTAX)
                writer.reading(step, reading)
            writer.loss(step, 3.0, 1.0)
        writer.decision(Decision(Step(3, 30_000), "grow", {"depth": 2}, {}))
        writer.finish("finished", step)
    (path / "resume").mkdir()
    (path / "resume" / "config.json").write_text(json.dumps(CONFIG))
    return Run.open(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write(tmp_path_factory.mktemp("paper") / "run")


@pytest.fixture(scope="module")
def written(run):
    return paper(run, analyse(run))


@pytest.mark.parametrize(
    "words",
    [
        f"a Llama model (2 layers, width 8, 2 heads, vocabulary 10, {PARAMETERS / 1000:.2f}".rstrip(
            "0"
        ),
        "the story world of nucleate (world 7; probes ask its control split)",
        "for 7.94M tokens (30 optimiser steps of 8 sequences of 64 tokens)",
        "AdamW (peak learning rate 0.001, betas 0.9 and 0.95, weight decay 0.1, gradients clipped",
        "reached its peak at 25.1k tokens and fell after 3.16M tokens",
        "seed 3, bfloat16 autocast on cpu with torch 2.0, transformers 5.0",
        "steered by 1 rule written down beforehand, which fired 1 time.",
        "nucleate 0.0.9 read 2 metrics 30 times each between 10k and 7.94M tokens, over 100 items.",
        f"p ≤ {ALPHA:g} and its 10–90 % width is below {MAX_WIDTH:g} decades",
    ],
)
def test_methods_say_what_was_done(written, words):
    assert words in written.methods


AN = {"apertus", "olmo", "olmo2", "olmo3", "olmoe"}
"""Architectures whose names begin with the sound of a vowel."""


@pytest.mark.parametrize("family", sorted({*FAMILIES, *WITH_HEADS}))
def test_every_known_architecture_has_its_name_and_article(tmp_path, family):
    run = write(tmp_path / "run", readings=1)
    (tmp_path / "run" / "resume" / "config.json").write_text(
        json.dumps({**CONFIG, "model_type": family, "n_embd": 8, "n_layer": 2, "n_head": 2})
    )
    said = paper(run, analyse(run)).methods
    article, name = re.match(r"We trained (an?) (\S.*?) model\b", said).groups()
    assert article == ("an" if family in AN else "a")
    spelt = re.sub(r"\W", "", name.lower())  # OLMo 2 is olmo2
    assert spelt == family.replace("_", "").removesuffix("text")


@pytest.mark.parametrize(
    ("family", "words"),
    [("bloom", "a model of type bloom"), ("neox", "a GPT-NeoX model"), (None, "a model")],
)
def test_a_model_whose_config_is_lost_is_called_what_the_recipe_calls_it(tmp_path, family, words):
    run = write(tmp_path / "run", readings=1, recipe={**RECIPE, "model": {"family": family}})
    (tmp_path / "run" / "resume" / "config.json").unlink()
    assert paper(run, analyse(run)).methods.startswith(f"We trained {words} on text")


def test_results_are_those_of_the_table(run, written):
    found = analyse(run)
    [change] = found.assessments["probe.accuracy"].transitions
    assert "Of 2 curves: transition candidate 2." in written.results
    assert 10**5.4 <= change.at <= 10**5.5  # the two readings that the jump lies between
    assert f"probe: transition candidate at {in_tokens(change.at)} tokens (95 % " in written.results
    assert change.amplitude == pytest.approx(0.9, abs=0.02)
    assert "amplitude +0.9," in written.results
    assert written.results.endswith("This is one run.")


def test_what_was_not_recorded_is_not_said(tmp_path):
    run = write(tmp_path / "run", recipe={}, environment={}, seeds={}, jump=False, readings=5)
    (tmp_path / "run" / "resume" / "config.json").unlink()
    said = paper(run, analyse(run))
    assert said.results == "There were too few readings to judge any curve."
    assert said.methods.startswith("We trained a model for 25.1k tokens (5 optimiser steps).")
    for word in ("None", "nan", "seed", "Adam", "detector", "p ≤"):
        assert word not in said.methods


def test_smooth_curves_prove_nothing(tmp_path):
    run = write(tmp_path / "run", jump=False)
    said = paper(run, analyse(run)).results
    assert (
        said == "Of 2 curves: smooth 2. This is one run, and no proof that nothing changes sharply."
    )


def test_a_scan_was_not_trained_here(tmp_path):
    run = write(tmp_path / "run", recipe={"scan": "somewhere"})
    assert paper(run, analyse(run)).methods.startswith("We measured 30 checkpoints of made up.")


@pytest.mark.parametrize("junk", [3, None, "x", [1], {"kind": ["y"]}, {"kind": None, "paths": 4}])
def test_a_recipe_of_another_shape_breaks_nothing(tmp_path, junk):
    keys = ("corpus", "model", "optimizer", "policy", "rows", "precision")
    run = write(tmp_path / "run", recipe=dict.fromkeys(keys, junk), readings=3)
    (tmp_path / "run" / "resume" / "config.json").write_text(json.dumps(junk))
    assert paper(run, analyse(run)).methods.startswith("We trained a")


def test_the_citation_is_that_of_the_project():
    import yaml

    stated = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    entry = bibtex()
    assert stated["title"] in entry
    assert stated["authors"][0]["name"] in entry
    assert f"year    = {{{stated['date-released'].year}}}" in entry
    assert stated["license"] in entry
    assert f"{{{stated['version']}}}" in entry


def saved(run: Run) -> dict[str, bytes]:
    out = {}
    for one in downloads(run, analyse(run)):
        content = base64.b64decode(one.href.partition(",")[2])
        out[one.name] = gzip.decompress(content) if one.name.endswith(".gz") else content
        assert one.size == len(content)
    return out


def test_what_is_saved_is_what_was_read(run):
    files = saved(run)
    assert set(files) == {
        *("made-up.readings.csv", "made-up.verdicts.csv", "made-up.loss.csv"),
        *("made-up.ladder.svg", "made-up.loss.svg"),
    }
    rows = list(csv.DictReader(io.StringIO(files["made-up.readings.csv"].decode())))
    assert [(row["metric"], int(row["tokens"]), float(row["value"])) for row in rows] == [
        (reading.metric, step.tokens, reading.value) for step, reading in run.readings()
    ]
    verdicts = list(csv.DictReader(io.StringIO(files["made-up.verdicts.csv"].decode())))
    assert [row["verdict"] for row in verdicts] == ["transition candidate"] * 2
    assert files["made-up.ladder.svg"].startswith(b"<svg ")


def test_large_tables_are_compressed_and_huge_ones_left_out(run, monkeypatch):
    plain = saved(run)["made-up.readings.csv"]
    monkeypatch.setattr(downloads_module, "PLAIN", 1000)
    assert saved(run)["made-up.readings.csv.gz"] == plain
    monkeypatch.setattr(downloads_module, "MOST", 10)
    assert {one.href for one in downloads(run, analyse(run))} == {""}


@pytest.mark.parametrize("evil", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(tmp_path, evil):
    with RunWriter.create(tmp_path / "run", Manifest("r")) as writer:
        writer.reading(Step(1, 1000), Reading(evil, 0.5, unit=evil))
    rows = list(
        csv.DictReader(io.StringIO(saved(Run.open(tmp_path / "run"))["r.readings.csv"].decode()))
    )
    assert rows[0]["metric"] == rows[0]["unit"] == f"'{evil}"


def test_the_name_of_a_file_is_only_a_name(run):
    found = replace(analyse(run), name='../../etc/<b>"x')
    assert {one.name for one in downloads(run, found)} >= {"etc-b-x.readings.csv"}
    assert all(re.fullmatch(r"[\w.-]+", one.name) for one in downloads(run, found))


def test_a_run_that_another_tool_kept_is_not_said_to_be_trained_here(tmp_path):
    manifest = Manifest("seed 3", {"imported": {"source": "curves.csv"}})
    with RunWriter.create(tmp_path / "run", manifest) as writer:
        for step in (1, 2):
            writer.readings(Step(step, 1000 * step), [Reading("a.accuracy", 0.5)])
    run = Run.open(tmp_path / "run")
    said = paper(run, analyse(run)).methods
    assert said.startswith("We read the curves of seed 3 from curves.csv. nucleate")
    assert "trained" not in said
