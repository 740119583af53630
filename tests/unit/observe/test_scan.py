"""A scan gives what each checkpoint gives on its own, once, in one process or several."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from nucleate.core import Level, RunFolderError, Step, UserError
from nucleate.corpora.storyworld import Mixture, make_world
from nucleate.observe.scan import scan
from nucleate.observe.scanning.done import KIND
from nucleate.observe.scanning.work import ProcessWorkers, pack_job, unpack_job
from nucleate.probes.suites import Suite, story_suite
from nucleate.probes.view import ModelView
from nucleate.store import LogReader, Run

ASK = {"suite": "story", "items": 8, "context": 64}


class Watcher:
    """Notes what it is told; can stop a scan as Ctrl-C does."""

    def __init__(self, stop_after=None):
        self.scored, self.notes, self.checked, self.left = [], [], [], None
        self.parts = 0
        self._stop_after = stop_after

    def on_check(self, name, done, total):
        self.checked.append(name)

    def on_start(self, series, suite, left):
        self.left = [member.name for member in left]

    def on_note(self, text):
        self.notes.append(text)

    def on_part(self, member, part, parts):
        self.parts += 1
        if self.parts == self._stop_after:
            raise KeyboardInterrupt

    def on_scored(self, member, readings, seconds):
        self.scored.append(member.name)


def values(folder):
    run = Run.open(folder)
    return [
        (step, repr(reading), run.items(reading.metric, step.step).tobytes())
        for step, reading in run.readings()
    ]


@pytest.fixture(autouse=True)
def _few_ngrams(monkeypatch):
    """Counting n-grams takes most of the time of a small suite."""
    monkeypatch.setattr("nucleate.probes.suites._NGRAM_SHARDS", 2)


@pytest.fixture
def folder(tmp_path, make_series):
    return make_series(tmp_path / "series")


def test_every_checkpoint_gives_what_it_gives_alone(tmp_path, folder):
    out = scan(folder, out=tmp_path / "out", **ASK)
    run = Run.open(out)
    assert str(run.status) == "finished"
    from nucleate.models.series import find_series, load_tokenizer

    tokenizer = load_tokenizer(find_series(str(folder)))
    suite = story_suite(make_world(0), Mixture(), tokenizer, stories=8, context=64)
    assert run.manifest.primary == {str(level): stem for level, stem in suite.primary.items()}
    for step in (1, 9, 20):
        model = AutoModelForCausalLM.from_pretrained(folder / f"step{step}").eval()
        view, alone = ModelView(model), {}
        with torch.no_grad():
            for probe, items in suite.parts:
                alone |= {reading.metric: reading for reading in probe.measure(view, items)}
        for metric, curve in run.curves().items():
            at = [s.step for s in curve.steps].index(step)
            assert curve.values[at] == pytest.approx(alone[metric].value, abs=1e-12, nan_ok=True)
            assert curve.steps[at] == Step(step, 1000 * step)
            assert len(run.items(metric, step)) == len(alone[metric].items)


def test_several_processes_give_the_same_bytes(tmp_path, folder):
    one = scan(folder, out=tmp_path / "one", **ASK)
    two = scan(folder, out=tmp_path / "two", worker=ProcessWorkers(2), threads=1, **ASK)
    assert values(one) == values(two)


@pytest.mark.parametrize("after", [1, 5, 13])
def test_interrupted_and_called_again_nothing_is_asked_twice(tmp_path, folder, after):
    whole = scan(folder, out=tmp_path / "whole", **ASK)
    with pytest.raises(KeyboardInterrupt):
        scan(folder, out=tmp_path / "cut", listener=Watcher(stop_after=after), **ASK)
    assert str(Run.open(tmp_path / "cut").status) == "interrupted"
    watcher = Watcher()
    scan(folder, out=tmp_path / "cut", listener=watcher, **ASK)
    assert values(whole) == values(tmp_path / "cut")
    asked = [
        (record.data["checkpoint"], record.data["part"])
        for record in LogReader(tmp_path / "cut" / "log").read()
        if record.kind == KIND
    ]
    assert len(asked) == len(set(asked)) == 8 * 9
    assert watcher.parts == 8 * 9 - after


def test_a_finished_scan_does_nothing_and_a_grown_series_only_the_rest(tmp_path, folder):
    (folder / "step20").rename(tmp_path / "step20")
    out = scan(folder, out=tmp_path / "out", **ASK)
    before, watcher = values(out), Watcher()
    scan(folder, out=out, listener=watcher, **ASK)
    assert (watcher.left, watcher.scored) == ([], [])
    assert values(out) == before
    (tmp_path / "step20").rename(folder / "step20")
    scan(folder, out=out, listener=watcher, **ASK)
    assert watcher.scored == ["step20"]
    whole = scan(folder, out=tmp_path / "whole", **ASK)
    assert values(out) == values(whole)


def test_another_scan_in_the_folder_is_refused(tmp_path, folder):
    out = scan(folder, out=tmp_path / "out", revisions="step1", **ASK)
    with pytest.raises(RunFolderError, match="holds another scan: items is not the same"):
        scan(folder, out=out, revisions="step1", **{**ASK, "items": 9})
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(RunFolderError, match="is not empty"):
        scan(folder, out=tmp_path / "taken", **ASK)


def test_a_failing_probe_ends_after_three_failures_and_stops_nothing(tmp_path, folder, monkeypatch):
    from nucleate.probes import suites
    from nucleate.probes.registry import Probe

    def broken(view, items):
        raise ValueError("no such thing")
        yield

    bad = Probe("bad", Level.SYNTAX, "nats", lambda items: 0, broken)
    real = story_suite

    def with_bad(*args, **more):
        suite = real(*args, **more)
        return Suite(suite.name, (*suite.parts, (bad, None)), suite.primary)

    monkeypatch.setattr(suites, "story_suite", with_bad)
    out = scan(folder, out=tmp_path / "out", **ASK)
    events = [event.kind for event in Run.open(out).events()]
    assert events.count("probe failed") in (3, 4)  # the next checkpoint was already begun
    assert events.count("probe disabled") == 1
    assert all(len(curve.steps) == 8 for curve in Run.open(out).curves().values())


def test_jobs_travel_between_processes(folder):
    from nucleate.models.series import find_series
    from nucleate.observe.scanning.job import prepare
    from nucleate.observe.scanning.settings import ScanSettings

    wish = ScanSettings(source=str(folder), **ASK)
    job, _ = prepare(wish, find_series(str(folder)), "cpu")
    back = unpack_job(pack_job(job))
    for (probe, _), (sent, _) in zip(job.suite.parts, back.suite.parts, strict=True):
        assert (probe.name, probe.level, probe.measure) == (sent.name, sent.level, sent.measure)
    shared = [len({id(items) for _, items in each.suite.parts}) for each in (job, back)]
    assert shared[0] == shared[1] < len(job.suite.parts)
    from nucleate.probes.registry import Probe

    local = Probe("x", Level.SYNTAX, "nats", lambda items: 0, lambda view, items: [])
    with pytest.raises(UserError, match="cannot be sent to another process"):
        pack_job(type(job)(Suite("x", ((local, lambda: 0),), {})))


def test_bfloat16_is_near_float32(tmp_path, folder):
    ask = {**ASK, "revisions": "step20"}
    fine = Run.open(scan(folder, out=tmp_path / "a", **ask)).curves()
    coarse = Run.open(scan(folder, out=tmp_path / "b", bf16=True, **ask)).curves()
    loss = "loss.held_out.nll"
    name = loss if loss in fine else next(name for name in fine if name.startswith("loss.held_out"))
    assert coarse[name].values[0] != fine[name].values[0]
    assert coarse[name].values[0] == pytest.approx(fine[name].values[0], rel=0.02)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"suite": "nosuch"}, "suite"),
        ({"texts": ("a.txt",)}, "--text goes with --suite text"),
        ({"suite": "mechanism", "texts": ("no-such.txt",)}, "no-such.txt"),
        ({"levels": ("syntax",)}, "--levels goes with --suite coherence"),
        ({"suite": "text"}, "needs texts"),
        ({"device": "cuda:9"}, "no such device here"),
        ({"levels": ("sintax",)}, "levels"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_folder(tmp_path, folder, more, message):
    with pytest.raises(UserError, match=message) as caught:
        scan(folder, out=tmp_path / "out", **{**ASK, **more})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_models_of_other_words_cannot_be_asked_about_the_story_world(tmp_path, folder):
    from nucleate.corpora.tokenizer import word_tokenizer

    word_tokenizer(["a", "b"]).save_pretrained(folder)
    with pytest.raises(UserError, match="a word is no token"):
        scan(folder, out=tmp_path / "out", **ASK)


def test_the_run_folder_says_what_was_done(tmp_path, folder):
    out = scan(folder, out=tmp_path / "out", command=["nucleate", "scan", "x"], **ASK)
    run = Run.open(out)
    recipe = json.loads((out / "run.json").read_text())["recipe"]
    assert recipe["scan"] == str(folder)
    assert recipe["axis"] == "tokens"
    parts = {entry.part: entry for entry in run.ledger()}
    assert parts["scoring, matrix products"].flops > 0
    assert parts["scoring, matrix products"].seconds > 0
    assert (out / "tokenizer" / "tokenizer.json").exists()
    assert run.losses() == ([], [])


def test_revisions_of_the_hub(tmp_path, folder, monkeypatch):
    """A hub that serves the folder's checkpoints: fetched one by one, judged at the end."""
    from types import SimpleNamespace

    import huggingface_hub

    for path in folder.glob("step*"):
        (path / "manifest.json").unlink()
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (path / name).write_bytes((folder / name).read_bytes())
    (folder / "step4").rename(tmp_path / "x")
    (folder / "step9").rename(folder / "step4")
    (tmp_path / "x").rename(folder / "step9")
    fetched = []
    branches = [SimpleNamespace(name=path.name) for path in folder.glob("step*")]

    def snapshot_download(repo, *, revision, allow_patterns, **_):
        fetched.append((revision, "*.safetensors" in allow_patterns))
        return str(folder / revision)

    refs = SimpleNamespace(branches=branches, tags=[])
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_refs", lambda self, repo: refs)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    watcher = Watcher()
    out = scan("org/model", out=tmp_path / "out", listener=watcher, **ASK)
    steps = [1, 2, 4, 6, 9, 12, 16, 20]
    assert fetched == [("step20", False), *((f"step{step}", True) for step in steps)]
    assert watcher.scored == [f"step{step}" for step in steps]
    assert [event.kind for event in Run.open(out).events()].count("swapped") == 1
    assert any("step4 and step9 look exchanged" in note for note in watcher.notes)


def test_a_scan_keeps_what_it_finds_of_every_head(tmp_path, folder):
    asked = {"suite": "mechanism", "items": 10, "context": 64}
    run = Run.open(scan(folder, out=tmp_path / "out", **asked))
    history = run.heads()
    assert not history.damaged
    assert history.steps == run.curves()["heads.induction.max"].steps
    assert {"entity_link", "induction", "ablation.state"} <= set(history.names)
    curves = run.curves()
    best = history.values("induction").max((1, 2))
    assert curves["heads.induction.max"].values == pytest.approx(best)
    assert curves["geometry.L1.rankme"].tokens.tolist() == curves["lens.L0.kl"].tokens.tolist()
    apart = Run.open(
        scan(folder, out=tmp_path / "apart", worker=ProcessWorkers(1), threads=1, **asked)
    )
    for name in history.names:
        np.testing.assert_array_equal(apart.heads().values(name), history.values(name))


@pytest.mark.parametrize("diverges", [False, True])
def test_a_scan_of_the_landscape(tmp_path, folder, monkeypatch, diverges):
    from nucleate.models.series import find_series, load_tokenizer
    from nucleate.probes.landscape import SGLD, llc, token_loss
    from nucleate.probes.suites import story_rows

    step_size, nbeta, pull = (1.0, 300, 0) if diverges else (1e-3, 0.01, 100)
    chains = SGLD(step_size, nbeta, pull, chains=2, draws=8, burn_in=2, batch_size=8)
    monkeypatch.setattr("nucleate.probes.inside.LIGHT", chains)
    asked = {"suite": "landscape", "items": 16, "context": 32, "revisions": "step20"}
    run = Run.open(scan(folder, out=tmp_path / "out", **asked))
    read = {reading.metric: reading for _, reading in run.readings()}
    assert set(read) == {
        *("llc.all.value", "llc.all.rhat", "llc.all.refused"),
        *("hessian.all.trace", "hessian.all.top", "noise_scale.all.tokens"),
    }
    events = [event for event in run.events() if event.kind == "no estimate"]
    if diverges:
        assert np.isnan(read["llc.all.value"].value)
        assert read["llc.all.refused"].value == 1
        assert [event.text[:28] for event in events] == ["llc: 2 of 2 chains refused, "]
        return
    model = AutoModelForCausalLM.from_pretrained(folder / "step20").eval()
    tokenizer = load_tokenizer(find_series(str(folder)))
    rows = story_rows(make_world(0), Mixture(), tokenizer, context=32, rows=16)
    alone = llc(model, token_loss, torch.from_numpy(rows), chains)
    assert alone.llc > 0
    assert read["llc.all.value"].value == pytest.approx(alone.llc, rel=1e-6)
    assert read["llc.all.refused"].value == 0
    assert not events
