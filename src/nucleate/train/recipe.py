"""A recipe: everything that decides a training run, as one frozen, strict settings tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nucleate.core import RecipeError
from nucleate.core.settings import Settings, load_yaml, validate
from nucleate.corpora.blend import CORPUS
from nucleate.corpora.storyworld import Mixture, Split
from nucleate.models import ModelSettings
from nucleate.observe.schedule import HEADS_CONTEXT, ProbeSettings
from nucleate.train.control.rules import Rule, problems
from nucleate.train.levers import AnyLever

MAX_BATCH = 2**24
"""Most tokens of one step on one process: more is a slip of the pen, and would fill the memory."""


class StoryWorldCorpus(Settings):
    """Endless stories of the built-in world.

    Attributes:
        world: Seed of the world's facts.
        mixture: How often each kind of sentence is told.
        probes: Which probe set the observer asks.
    """

    kind: Literal["story_world"] = "story_world"
    world: int = Field(default=0, ge=0, lt=2**63)
    mixture: Mixture = Mixture()
    probes: Split = Split.CONTROL


class TextCorpus(Settings):
    """Documents of one's own, in epochs.

    Attributes:
        paths: Files, folders, or ``hf:NAME[:SPLIT]``.
        field: Key of the text in JSON lines and datasets.
        vocab_size: Size of the byte-level BPE that is trained on the training documents.
        held_out_share: Share of the documents that only probes see.
        blimp: Folder with BLiMP's minimal pairs; ``auto`` looks for one, ``none`` leaves it out.
        probes: Which third of the held-out documents and pairs the observer asks, where others are
            kept for later; all of them when left out.
    """

    kind: Literal["text"]
    paths: tuple[str, ...] = Field(min_length=1)
    field: str = "text"
    vocab_size: int = Field(default=4096, ge=257, le=8192)
    held_out_share: float = Field(default=0.02, gt=0, lt=0.5)
    blimp: str = "auto"
    probes: Literal["all", "control", "development", "sealed"] = "all"


Corpus = Annotated[StoryWorldCorpus | TextCorpus, Field(discriminator="kind")]


Share = Annotated[float, Field(ge=0, lt=1)]


class OptimizerSettings(Settings):
    """AdamW for everything, or Muon for the matrices between embedding and head.

    Attributes:
        lr: Peak learning rate of AdamW.
        matrix_lr: Peak learning rate of Muon (``muon`` only).
        weight_decay: Decoupled weight decay of the matrices; vectors are not decayed.
        clip: Largest norm of the gradient.
    """

    kind: Literal["adamw", "muon"] = "muon"
    lr: float = Field(default=3e-3, gt=0)
    matrix_lr: float = Field(default=0.02, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    betas: tuple[Share, Share] = (0.9, 0.95)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    clip: float = Field(default=1.0, gt=0)


class ScheduleSettings(Settings):
    """Learning rate over tokens, as a share of its peak.

    Attributes:
        kind: ``wsd`` (warm-up, constant, linear decay), ``cosine`` or ``constant``.
        warmup_tokens: Length of the linear warm-up; 100,000, or a tenth of a short run, when left
            out.
        decay_share: Last share of the run in which ``wsd`` decays.
        final: Share of the peak at the very end.
    """

    kind: Literal["wsd", "cosine", "constant"] = "wsd"
    warmup_tokens: int | None = Field(default=None, ge=0)
    decay_share: float = Field(default=0.2, ge=0, le=1)
    final: float = Field(default=0.0, ge=0, le=1)


_SECTIONS: dict[str, dict[str, Any]] = {
    "model": {"size": "tiny", "tie_embeddings": True},
    "probes": {"cost_cap": 0.1, "items": 128},
}
"""What recipes have where a section, or a part of it, is left out; elsewhere defaults differ."""


class Recipe(Settings):
    """Everything that decides a run.

    Attributes:
        tokens: Length of the run; rounded up to whole batches.
        rows, context: Shape of a batch, in sequences and tokens.
        probes: Density and cost of probing. The cap is 10 % here (2 % elsewhere): the reference
            models are so small that looking at them closely costs a visible share.
        seed: Seed of the initial weights and, together with its use, of the data order.
        precision: ``bf16`` runs the forward pass under autocast.
        compile: Whether to pass the model through `torch.compile`.
        device: ``auto`` takes CUDA, then Apple's MPS, then the CPU.
        checkpoints_per_decade: Density of the checkpoints that are kept.
        resume_every: Tokens between the states from which a run can go on.
        energy: Whether codecarbon watches the energy of the machine (extra ``energy``).
        levers: What may be changed on the way, by the names that `policy` calls them.
        policy: When which levers are pulled.
    """

    name: str = Field(default="run", pattern=r"^[\w .+-]*\w$", max_length=80)
    corpus: Corpus = StoryWorldCorpus()
    model: ModelSettings = ModelSettings(**_SECTIONS["model"])
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    probes: ProbeSettings = ProbeSettings(**_SECTIONS["probes"])
    tokens: int = Field(default=4_000_000, ge=1, le=10**15)
    rows: int = Field(default=16, ge=1)
    context: int = Field(default=128, ge=16)
    seed: int = Field(default=0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    checkpoints_per_decade: float = Field(default=4, ge=0, le=100)
    resume_every: int = Field(default=500_000, ge=1)
    energy: bool = False
    levers: dict[str, AnyLever] = Field(default_factory=dict)
    policy: tuple[Rule, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _partial_sections(cls, given: Any) -> Any:
        """Let a section that says one thing keep what recipes have for the rest of it."""
        if not isinstance(given, dict):
            return given
        kept = {key: own for key, own in _SECTIONS.items() if isinstance(given.get(key), dict)}
        return {**given, **{key: {**own, **given[key]} for key, own in kept.items()}}

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.rows * self.context > MAX_BATCH:
            batch = self.rows * self.context
            raise ValueError(f"rows × context is {batch:,} tokens a step; at most {MAX_BATCH:,}")
        longest = self.model.resolved().context
        if longest is not None and self.context > longest:
            raise ValueError(f"context {self.context} exceeds the model's context {longest}")
        if self.probes.heads_per_decade and self.context < HEADS_CONTEXT:
            raise ValueError(
                f"probes.heads_per_decade needs a context of {HEADS_CONTEXT} or more, for a string "
                f"that is repeated; got {self.context}"
            )
        if "routers" in self.probes.inside and not self.model.resolved().experts:
            raise ValueError("probes.inside asks routers, and the model has no experts")
        warmup = self.schedule.warmup_tokens or 0
        if warmup > self.tokens:
            raise ValueError(f"schedule.warmup_tokens {warmup} exceeds tokens {self.tokens}")
        for problem in (*self._shared_streams(), *problems(self.policy), *self._bad_pulls()):
            raise ValueError(problem)
        return self

    def _shared_streams(self) -> Iterator[str]:
        owners = {CORPUS: CORPUS}
        for name, lever in self.levers.items():
            if lever.stream in owners:
                others = "the corpus" if lever.stream == CORPUS else repr(owners[lever.stream])
                yield f"lever {name!r} would share its rows, {lever.stream!r}, with {others}"
            if lever.stream:
                owners[lever.stream] = name

    def _bad_pulls(self) -> Iterator[str]:
        for rule in self.policy:
            for name, to in rule.pull.items():
                if name not in self.levers:
                    there = ", ".join(self.levers) or "none"
                    yield f"rule {rule.name!r} pulls {name!r}, which is no lever; there: {there}"
                elif expected := self.levers[name].expected(to):
                    yield f"rule {rule.name!r} pulls {name} to {to!r}; expected {expected}"

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return -(-self.tokens // (self.rows * self.context))


def load_recipe(path: str | Path, **changes: Any) -> Recipe:
    """Read a recipe from strict YAML; `changes` replace its top-level keys.

    Raises:
        RecipeError: The file is missing, not strict YAML, or not a recipe.
    """
    content = load_yaml(path)
    if not content:
        raise RecipeError("is empty", where=path, expected="key: value lines such as tokens: 4e6")
    if "workloads" in content:
        raise RecipeError("is a study, no recipe", where=path, fix="nucleate study FILE runs it")
    return validate(Recipe, {**content, **changes}, where=str(path))
