"""The observer: on time, within its cap, and never in the way."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.observe.texts import TEXTS

from nucleate.core import Level, Reading, RunFolderError, Step, UserError
from nucleate.models import ModelSettings, build
from nucleate.observe.neutral import undisturbed
from nucleate.observe.observer import Observer
from nucleate.observe.processes import bare
from nucleate.observe.schedule import Due, ProbeSettings, log_spaced, make_schedule
from nucleate.observe.watch import watch
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite
from nucleate.store import Manifest, Run, RunWriter

pytestmark = pytest.mark.filterwarnings("ignore:nucleate. probe")


def test_log_spacing_is_even_in_the_logarithm() -> None:
    points = log_spaced(1_000, 1_000_000, 12)
    assert points[0] == 1_000
    assert points[-1] == 1_000_000
    assert len(points) == 3 * 12 + 1
    assert np.diff(np.log10(points)) == pytest.approx(1 / 12, abs=1e-3)


def test_cost_cap_thins_the_schedule_and_says_so() -> None:
    wish = ProbeSettings(per_decade=12, first_tokens=1_000, cost_cap=0.02)
    free = make_schedule(wish, 1_000_000, training_flops=1e12, probe_flops=1e6)
    assert len(free.points) == 37
    assert free.note == ""
    # 2 % of 1e12 pays for 20 readings of 1e9.
    capped = make_schedule(wish, 1_000_000, training_flops=1e12, probe_flops=1e9)
    assert 15 <= len(capped.points) <= 20
    assert "2.0%" in capped.note


def test_a_cap_that_pays_for_nothing_is_refused() -> None:
    wish = ProbeSettings(per_decade=12, first_tokens=1_000, cost_cap=0.02)
    # 2 % of 1e12 pays for 5 readings of 4e9; eight need 3.2 %.
    with pytest.raises(UserError, match=r"0\.032 or more for 8 readings"):
        make_schedule(wish, 1_000_000, training_flops=1e12, probe_flops=4e9)


@pytest.mark.parametrize(
    ("probe_flops", "said"), [(4e9, "0.032"), (4.1e9, "0.033"), (1e12, "8"), (1.27e13, "110")]
)
def test_the_cap_that_is_named_is_enough(probe_flops: float, said: str) -> None:
    """Eight readings at 1.27e13 FLOPs of 1e12 for training are a share of 101.6."""
    with pytest.raises(UserError, match=f"expected {said} or more for 8 readings"):
        make_schedule(ProbeSettings(), 10**6, training_flops=1e12, probe_flops=probe_flops)
    enough = ProbeSettings(cost_cap=float(said), first_tokens=1)
    assert len(make_schedule(enough, 10**6, 1e12, probe_flops).points) >= 8


def test_without_a_plan_the_cap_is_kept_as_it_goes(tmp_path: Path) -> None:
    points = (100, 1000, 10_000)
    with RunWriter.create(tmp_path / "run", Manifest("test")) as writer:
        # Two forward tokens a reading at 100 FLOPs; a cap of 10 % of 3 FLOPs a token.
        observer = Observer(
            _model(),
            _suite(_fine),
            points,
            writer,
            flops_per_token=100,
            budget=lambda step, _: 0.1 * step.flops,
        )
        taken = [bool(observer.after_step(Step(t, t, flops=3.0 * t))) for t in points]
    assert observer.flops <= 0.1 * 3 * 10_000
    # 100 tokens pay for 30 of the FLOPs that a reading costs.
    assert taken == [False, True, True]
    (event,) = Run.open(tmp_path / "run").events()
    assert (event.kind, event.step.tokens) == ("reading skipped", 100)


def test_a_resumed_watch_earns_its_looks_from_where_it_goes_on(tmp_path: Path) -> None:
    """A look costs as much as one token forward; a cap of .1 % pays one look every 333⅓ tokens."""
    cap = ProbeSettings(per_decade=200, first_tokens=100, cost_cap=0.001)
    options: dict[str, Any] = {"suite": _one(), "probes": cap, "run": tmp_path / "run"}
    with watch(_model(), None, **options) as first:
        first.step(tokens=10_000)  # pays for 30 looks, and is one point of the schedule
        first.step(tokens=5_000)
    before = Run.open(tmp_path / "run")
    trained = {entry.part: entry.flops for entry in before.ledger()}["training, matrix products"]
    each = trained / 3 / 15_000
    with watch(_model(), None, start=Step(1, 10_000), **options) as second:
        taken = [bool(second.step(tokens=n)) for n in (200, 200, 200, 200, 3000, 200)]
    # At 10,400 tokens 1.2 looks are earned, at 10,800 2.4, at 13,800 11.4 and at 14,000 12.
    assert taken == [False, True, False, True, True, True]
    run = Run.open(tmp_path / "run")
    parts = {entry.part: entry for entry in run.ledger()}
    assert parts["probes"].flops == pytest.approx((2 + 4) * each)  # of both attempts
    assert parts["training, matrix products"].flops == pytest.approx(3 * 14_000 * each)
    assert run.discarded_flops == pytest.approx(3 * 5_000 * each)
    walls = [step.wall for step, _ in run.readings()]
    assert walls == sorted(walls)


def test_a_watch_that_is_killed_has_told_its_costs(tmp_path: Path) -> None:
    probes = ProbeSettings(per_decade=200, first_tokens=100, cost_cap=0.001)
    watched = watch(_model(), None, run=tmp_path / "run", suite=_one(), probes=probes)
    assert watched.step(tokens=10_000)
    ledger = {entry.part: entry.flops for entry in Run.open(tmp_path / "run").ledger()}
    assert ledger["training, matrix products"] == 30_000 * ledger["probes"] > 0
    watched.close()


def test_due_passes_each_point_once() -> None:
    due = Due((100, 200, 300))
    assert [due.pop(t) for t in (50, 100, 150, 320, 400)] == [False, True, False, True, False]
    again = Due((100, 200, 300), done=1)
    assert again.pop(210)
    assert not again.pop(250)


def _suite(measure: Any) -> Suite:
    probe = Probe("broken", Level.SYNTAX, "nats", lambda items: 1, measure)
    fine = Probe("fine", Level.SYNTAX, "nats", lambda items: 1, _fine)
    return Suite("test", ((probe, None), (fine, None)), {})


def _one() -> Suite:
    return Suite("one", ((Probe("fine", Level.SYNTAX, "nats", lambda items: 1, _fine), None),), {})


def _fine(view: Any, items: Any) -> Iterable[Reading]:
    yield Reading("fine.value", 1.0)


def _model() -> Any:
    return build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)


def test_a_failing_probe_is_disabled_after_three_failures(tmp_path: Path) -> None:
    calls = itertools.count()

    def broken(view: Any, items: Any) -> Iterable[Reading]:
        next(calls)
        raise ValueError("no such word")

    with RunWriter.create(tmp_path / "run", Manifest("test")) as writer:
        observer = Observer(_model(), _suite(broken), (), writer)
        for number in range(1, 6):
            readings = observer.measure(Step(number, number))
            assert [reading.metric for reading in readings] == ["fine.value"]
    assert next(calls) == 3
    kinds = [event.kind for event in Run.open(tmp_path / "run").events()]
    assert kinds == ["probe failed", "probe failed", "probe failed", "probe disabled"]


def test_rough_probes_leave_no_trace(tmp_path: Path) -> None:
    model = _model()
    model.train()
    model.model.layers[0].eval()
    ids = torch.arange(12).view(1, 12)
    model(input_ids=ids).logits.sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    modes = [module.training for module in model.modules()]
    rng = torch.get_rng_state()

    def rough(view: Any, items: Any) -> Iterable[Reading]:
        torch.rand(100)
        np.random.rand(10)  # noqa: NPY002
        torch.manual_seed(3)
        assert not view._model.training
        assert not torch.is_grad_enabled()
        raise RuntimeError("half way")

    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    with RunWriter.create(tmp_path / "run", Manifest("test")) as writer:
        Observer(model, _suite(rough), (), writer).measure(Step(1, 1))
    assert torch.equal(rng, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(gradients[name], p.grad) for name, p in model.named_parameters())


@pytest.mark.parametrize("value", [None, "high"])
def test_a_probe_that_yields_nonsense_fails_alone(tmp_path: Path, value: Any) -> None:
    def nonsense(view: Any, items: Any) -> Iterable[Reading]:
        yield Reading("nonsense.value", value)

    with RunWriter.create(tmp_path / "run", Manifest("test")) as writer:
        readings = Observer(_model(), _suite(nonsense), (), writer).measure(Step(1, 1))
    assert [reading.metric for reading in readings] == ["fine.value"]
    assert Run.open(tmp_path / "run").events()[0].kind == "probe failed"


def test_a_look_does_not_shorten_what_rotary_embeddings_remember(tmp_path: Path) -> None:
    model = _model()
    rotary = model.model.rotary_emb
    config = model.config.__class__(
        **{**model.config.to_dict(), "max_position_embeddings": 16},
    )
    config.rope_parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    model.model.rotary_emb = type(rotary)(config)
    model(input_ids=torch.arange(24)[None])  # beyond the original length: frequencies are stretched
    rotary = model.model.rotary_emb
    frequencies = rotary.inv_freq
    assert rotary.max_seq_len_cached == 24

    def short(view: Any, items: Any) -> Iterable[Reading]:
        view._model(input_ids=torch.arange(8)[None])
        assert rotary.max_seq_len_cached == 16  # forgotten, and a step of 20 would stretch less
        yield Reading("short.value", 1.0)

    with RunWriter.create(tmp_path / "run", Manifest("test")) as writer:
        readings = Observer(model, _suite(short), (), writer).measure(Step(1, 1))
    assert [reading.metric for reading in readings] == ["short.value", "fine.value"]
    assert rotary.max_seq_len_cached == 24
    assert rotary.inv_freq is frequencies


def test_a_run_folder_that_cannot_be_written_warns_once(tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path / "run", Manifest("test"))

    def full(*_: Any) -> None:
        raise RunFolderError("no space left")

    writer.readings = full  # type: ignore[method-assign]
    observer = Observer(_model(), _suite(_fine), (), writer)
    with pytest.warns(UserWarning, match="gaps from here on, training goes on: no space"):
        observer.measure(Step(1, 1))
    observer.measure(Step(2, 2))  # a second warning would be an error here
    writer.close()


def test_sharded_weights_are_refused() -> None:
    model = _model()
    next(model.parameters()).ds_id = 0  # how ZeRO-3 marks its parameters
    with pytest.raises(UserError, match="sharded"):
        watch(model, None, run="never", suite=_suite(_fine))


@pytest.mark.parametrize("model", ["gpt2", torch.nn.Linear(2, 2)])
def test_what_is_no_model_of_transformers_is_refused(tmp_path: Path, model: Any) -> None:
    named = rf"needs a causal model of transformers .got '{type(model).__name__}'"
    with pytest.raises(UserError, match=named):
        watch(model, None, run=tmp_path / "run", suite=_suite(_fine))


@pytest.mark.parametrize(
    ("texts", "kind"), [("one text " * 60, "str"), ([*TEXTS[:60], None], "NoneType")]
)
def test_what_are_no_texts_is_refused(tmp_path: Path, texts: Any, kind: str) -> None:
    with pytest.raises(UserError, match=f"texts: .* are a list of strings .got '{kind}'"):
        watch(_model(), object(), run=tmp_path / "run", texts=texts)


def test_watch_with_texts_changes_nothing_under_dropout(tmp_path: Path) -> None:
    from nucleate.corpora.tokenizer import bpe_tokenizer

    texts = TEXTS
    tokenizer = bpe_tokenizer(texts, vocab_size=300)

    def train(watched: bool) -> tuple[list[torch.Tensor], torch.Tensor]:
        torch.manual_seed(5)
        model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), len(tokenizer), 0)
        model.train()
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = 0.3
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        session = None
        if watched:
            probes = ProbeSettings(first_tokens=1, items=16, cost_cap=10)
            session = watch(
                model, tokenizer, run=tmp_path / "run", texts=texts, context=64, probes=probes
            )
        for _ in range(4):
            ids = torch.randint(0, 300, (2, 16))
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if session:
                session.step(loss=loss.item(), tokens=100_000)
        if session:
            session.close()
        return [p.detach().clone() for p in model.parameters()], torch.rand(3)

    plain, plain_next = train(watched=False)
    observed, observed_next = train(watched=True)
    assert all(torch.equal(a, b) for a, b in zip(plain, observed, strict=True))
    assert torch.equal(plain_next, observed_next)
    run = Run.open(tmp_path / "run")
    assert {"ngram.bigram.kl", "loss.held_out.nll"} <= run.curves().keys()
    assert {entry.part for entry in run.ledger()} >= {"probes", "training"}


def test_bare_unwraps() -> None:
    model = _model()

    class DataParallel:
        def __init__(self, module: Any) -> None:
            self.module = module

    assert bare(DataParallel(model)) is model
    with undisturbed(DataParallel(model)) as inner:
        assert inner is model


def test_watch_attaches_to_a_hand_written_loop(tmp_path: Path) -> None:
    def train(watched: bool) -> tuple[list[torch.Tensor], torch.Tensor]:
        torch.manual_seed(5)
        model = _model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        suite = _suite(_fine)
        session = watch(model, None, run=tmp_path / "run", suite=suite) if watched else None
        for _ in range(20):
            ids = torch.randint(0, 50, (2, 16))
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if session:
                session.step(loss=loss.item(), tokens=50_000)
        if session:
            session.__exit__(None, None, None)
        return [p.detach().clone() for p in model.parameters()], torch.get_rng_state()

    plain, plain_rng = train(watched=False)
    observed, observed_rng = train(watched=True)
    assert all(torch.equal(a, b) for a, b in zip(plain, observed, strict=True))
    assert torch.equal(plain_rng, observed_rng)
    found = Run.open(tmp_path / "run")
    assert str(found.status) == "finished"
    # 50k to 1M tokens in steps of 50k, 12 points a decade: 50k … and every later point passed.
    assert len(found.curves()["fine.value"].values) >= 10
