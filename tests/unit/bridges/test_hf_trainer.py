"""The Trainer callback: two lines, and not one bit of difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from nucleate.core import Level, Reading, UserError
from nucleate.models import ModelSettings, build
from nucleate.observe.schedule import ProbeSettings
from nucleate.probes.registry import Probe
from nucleate.probes.suites import Suite
from nucleate.store import Run

pytest.importorskip("accelerate", reason="the Trainer needs accelerate")


def _probe(view: Any, items: Any) -> Iterable[Reading]:
    torch.rand(7)  # a careless probe
    yield Reading("test.value", 1.0)


SUITE = Suite("test", ((Probe("test", Level.SYNTAX, "nats", lambda items: 1, _probe), None),), {})


def _train(
    folder: Path,
    callbacks: list[Any],
    seed: int = 3,
    small: Callable[..., None] | None = None,
    resume: str | None = None,
    **settings: Any,
) -> dict[str, torch.Tensor]:
    from transformers import Trainer, TrainingArguments

    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny"), 50, 0)
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.3  # so that every step draws random numbers
    if small:
        model.register_forward_pre_hook(small, with_kwargs=True)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 50, (64, 16), generator=generator)
    data = [{"input_ids": row, "labels": row} for row in rows]
    arguments = TrainingArguments(
        **{
            "output_dir": str(folder),
            "per_device_train_batch_size": 4,
            "max_steps": 12,
            "logging_steps": 2,
            "report_to": [],
            "save_strategy": "no",
            "use_cpu": True,
            "disable_tqdm": True,
            "seed": seed,
            **settings,
        }
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=data, callbacks=callbacks)
    trainer.train(resume_from_checkpoint=resume)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.filterwarnings("ignore")
def test_weights_are_bit_identical(tmp_path: Path) -> None:
    from nucleate.bridges.hf_trainer import NucleateCallback

    callback = NucleateCallback(
        tmp_path / "run",
        suite=SUITE,
        tokens_per_step=64,
        probes=ProbeSettings(first_tokens=64, cost_cap=10),
    )
    watched = _train(tmp_path / "a", [callback])
    plain = _train(tmp_path / "b", [])
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    other = _train(tmp_path / "c", [], seed=4)
    assert not all(torch.equal(other[name], plain[name]) for name in plain)
    run = Run.open(tmp_path / "run")
    assert str(run.status) == "finished"
    assert [step.tokens for step in run.losses()[0]] == [128 * i for i in range(1, 7)]
    assert len(run.curves()["test.value"].values) >= 8


@pytest.mark.filterwarnings("ignore")
def test_a_loss_stands_where_the_trainer_logged_it_and_nowhere_else(tmp_path: Path) -> None:
    from transformers import TrainerCallback

    from nucleate.bridges.hf_trainer import NucleateCallback

    logged: list[dict[str, float]] = []

    class Keep(TrainerCallback):  # type: ignore[misc]
        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            logged.extend(entry for entry in state.log_history if "loss" in entry)

    probes = ProbeSettings(first_tokens=64, cost_cap=10)
    callback = NucleateCallback(tmp_path / "run", suite=SUITE, tokens_per_step=64, probes=probes)
    _train(tmp_path / "a", [callback, Keep()], logging_steps=5)
    run = Run.open(tmp_path / "run")
    steps, losses = run.losses()
    assert [(step.step, step.tokens) for step in steps] == [(5, 320), (10, 640)]
    assert losses == [entry["loss"] for entry in logged]
    assert run.grad_norms()[1] == [entry["grad_norm"] for entry in logged]
    # Linear decay from 5e-5 over 12 steps: each Step has the rate of its own update.
    rates = {step.step: step.lr for step, _ in run.readings()}
    assert {1, 2, 12} <= set(rates)
    assert rates == pytest.approx({n: 5e-5 * (13 - n) / 12 for n in rates})


@pytest.mark.filterwarnings("ignore")
def test_where_the_trainer_logs_nothing_there_is_no_loss(tmp_path: Path) -> None:
    from nucleate.bridges.hf_trainer import NucleateCallback

    probes = ProbeSettings(first_tokens=64, cost_cap=10)
    callback = NucleateCallback(tmp_path / "run", suite=SUITE, tokens_per_step=64, probes=probes)
    _train(tmp_path / "a", [callback], logging_strategy="no")
    run = Run.open(tmp_path / "run")
    assert run.losses() == ([], [])
    assert run.last is not None
    assert run.last.tokens == 12 * 64


class _Small:
    """Runs out of memory in step 4 with batches of 4 rows, in its first with batches of 3."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    def __call__(self, model: Any, args: Any, kwargs: Any) -> None:
        rows = len(kwargs["input_ids"])
        self.seen[rows] = self.seen.get(rows, 0) + 1
        if model.training and (rows == 3 or (rows == 4 and self.seen[rows] == 4)):
            raise RuntimeError("CUDA out of memory.")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("told", [True, False], ids=["told tokens", "counted tokens"])
def test_a_trainer_that_finds_its_batch_goes_on_in_its_folder(tmp_path: Path, told: bool) -> None:
    from transformers import TrainerCallback

    from nucleate.bridges.hf_trainer import NucleateCallback

    weights: list[torch.Tensor] = []

    class Keep(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            weights.append(now["model"].lm_head.weight.detach().clone())

        def on_step_end(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            if len(weights) == 1:
                self.last = now["model"].lm_head.weight.detach().clone()

    def train(name: str, *callbacks: Any) -> dict[str, torch.Tensor]:
        counts = {} if told else {"include_num_input_tokens_seen": True}
        settings = {"auto_find_batch_size": True, "max_steps": 6, **counts}
        return _train(tmp_path / name, list(callbacks), small=_Small(), **settings)

    probes = ProbeSettings(first_tokens=32, cost_cap=10)
    given = {"tokens_per_step": 64} if told else {}
    keep = Keep()
    watched = train(
        "a", NucleateCallback(tmp_path / "run", suite=SUITE, probes=probes, **given), keep
    )
    plain = train("b")
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    run = Run.open(tmp_path / "run")
    assert str(run.status) == "finished"
    assert [attempt.start.step for attempt in run.attempts()] == [0, 0, 0]
    # Two rows of 16 tokens a step, and nothing left of the three steps of four rows.
    assert [(step.step, step.tokens) for step in run.losses()[0]] == [(2, 64), (4, 128), (6, 192)]
    assert [step.tokens for step, _ in run.readings()] == [32, 64, 96, 128, 160, 192]
    assert [event.text for event in run.events() if event.kind == "note"] == [
        "out of memory with batches of 4: training began again at step 0 with 3; "
        "weights went on from step 3, what was recorded up to it is superseded",
        "out of memory with batches of 3: training began again at step 0 with 2",
    ]
    # Three steps of 64 tokens before, six of 32 after: the same FLOPs, and none of them discarded.
    costs = {entry.part: entry.flops for entry in run.ledger()}
    assert costs["training begun again"] == pytest.approx(costs["training, matrix products"])
    assert costs["training begun again"] > 0
    assert "discarded work" not in costs
    # And so it is: the Trainer resets no weights.
    assert torch.equal(weights[1], keep.last)
    assert not torch.equal(weights[1], weights[0])


@pytest.mark.filterwarnings("ignore")
def test_a_resumed_trainer_that_runs_out_of_memory_again_counts_its_smaller_batch(
    tmp_path: Path,
) -> None:
    """The Trainer's state goes on saying the batch of the checkpoint; its data are what counts."""
    from nucleate.bridges.hf_trainer import NucleateCallback

    def callback() -> NucleateCallback:
        probes = ProbeSettings(first_tokens=16, cost_cap=10)
        return NucleateCallback(tmp_path / "run", suite=SUITE, probes=probes, tokens_per_step=64)

    def first(model: Any, args: Any, kwargs: Any) -> None:
        if model.training and len(kwargs["input_ids"]) == 4:
            raise RuntimeError("CUDA out of memory.")

    def second(model: Any, args: Any, kwargs: Any) -> None:
        rows = len(kwargs["input_ids"])
        seen.append(rows)
        if model.training and rows == 3 and seen.count(3) == 3:
            raise RuntimeError("CUDA out of memory.")

    seen: list[int] = []
    settings = {"auto_find_batch_size": True, "save_strategy": "steps", "save_steps": 4}
    _train(tmp_path / "a", [callback()], small=first, max_steps=6, **settings)
    checkpoint = str(tmp_path / "a" / "checkpoint-4")
    _train(tmp_path / "a", [callback()], small=second, resume=checkpoint, max_steps=8, **settings)
    run = Run.open(tmp_path / "run")
    assert seen == [3, 3, 3, 2, 2, 2, 2]
    steps = {step.step: step.tokens for step in run.losses()[0]}
    # Steps 1 to 4 had 3 rows of 16 tokens, 5 to 8 had 2.
    assert [steps[n] for n in (4, 6, 8)] == [192, 256, 320]
    notes = [event.text for event in run.events() if event.kind == "note"]
    assert notes[-1].startswith("out of memory with batches of 3: training began again at step 4")
    costs = {entry.part: entry.flops for entry in run.ledger()}
    per_token = costs["training, matrix products"] / steps[8]
    # Two steps of 3 rows went on in the weights; two of the first process were done again.
    assert costs["training begun again"] == pytest.approx(per_token * 2 * 48)
    assert costs["discarded work"] == pytest.approx(per_token * 2 * 48)


@pytest.mark.filterwarnings("ignore")
def test_the_trainers_own_count_is_used(tmp_path: Path) -> None:
    from nucleate.bridges.hf_trainer import NucleateCallback

    callback = NucleateCallback(tmp_path / "run", suite=SUITE)
    _train(tmp_path / "a", [callback], include_num_input_tokens_seen=True)
    steps, _ = Run.open(tmp_path / "run").losses()
    assert steps[-1].tokens == 12 * 4 * 16


@pytest.mark.filterwarnings("ignore")
def test_uncounted_tokens_are_one_line(tmp_path: Path) -> None:
    from nucleate.bridges.hf_trainer import NucleateCallback

    with pytest.raises(UserError, match="include_num_input_tokens_seen"):
        _train(tmp_path / "a", [NucleateCallback(tmp_path / "run", suite=SUITE)])


@pytest.mark.filterwarnings("ignore")
def test_heads_are_looked_at_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nucleate.corpora.blimp.find_blimp", lambda: None)
    from nucleate.bridges.hf_trainer import NucleateCallback
    from nucleate.corpora.tokenizer import word_tokenizer

    words = "Anna saw a dog . Tom ran to the road It rained again".split()
    words += [f"thing{n}" for n in range(20)]
    texts = [f"Anna saw a dog . Tom ran to the road {n} . It rained . " * 6 for n in words * 2]
    callback = NucleateCallback(
        tmp_path / "run",
        tokenizer=word_tokenizer(words),
        texts=texts,
        tokens_per_step=64,
        context=64,
        probes=ProbeSettings(first_tokens=64, items=16, cost_cap=1000, heads_per_decade=6),
    )
    watched, plain = _train(tmp_path / "a", [callback]), _train(tmp_path / "b", [])
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    assert len(Run.open(tmp_path / "run").heads().steps) >= 5


def test_a_look_is_in_full_precision_whatever_accelerate_has_put_around_the_model() -> None:
    """Under ``bf16`` the Trainer's model computes in bfloat16; what a look reads is in float32."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    from nucleate.models.evaluation import evaluating

    AcceleratorState._reset_state(reset_partial_state=True)  # of the Trainers before
    model = build(ModelSettings(layers=1, width=16, heads=2, size="tiny", init_std=0.5), 50, 0)
    ids = torch.arange(12).view(1, 12)
    with torch.no_grad():
        exact = model.eval()(input_ids=ids).logits
    model.train()
    prepared = Accelerator(mixed_precision="bf16", cpu=True).prepare_model(model)
    AcceleratorState._reset_state(reset_partial_state=True)
    forward = prepared.forward
    with torch.no_grad():
        assert not torch.equal(prepared(input_ids=ids).logits, exact)
    with evaluating(prepared) as lent:
        assert torch.equal(lent(input_ids=ids).logits, exact)
    assert prepared.forward is forward
    with torch.no_grad():
        assert not torch.equal(prepared(input_ids=ids).logits, exact)
