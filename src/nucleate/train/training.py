"""The moving parts of a run: everything that a step uses and that a lever may change.

Shape legend: B rows of a batch, T tokens of a row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch.nn.functional import cross_entropy

from nucleate.corpora.blend import Blend
from nucleate.models import build, flops_per_token
from nucleate.train.ledger import Ledger, costs
from nucleate.train.optimizers import make_optimizers, peak_rates
from nucleate.train.recipe import Recipe
from nucleate.train.schedule import Clock
from nucleate.train.workload import Workload

Objective = Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor | float]]
"""From a model and token ids, shape ``(B, T)``, to the loss (nats per token) and what is added."""


class Wrapper(Protocol):
    """Something that goes around the objective: it may add to it, or change how it is computed."""

    def around(self, objective: Objective) -> Objective:
        """Return the objective with this around it; called at every step."""

    def flops(self) -> float:
        """FLOPs that it adds to a token of the data, in the present configuration."""


class Training:
    """Model, optimisers, data and bookkeeping of one run.

    Args:
        recipe: What to train.
        workload: Its corpus and probes.
        device: Where.

    Attributes:
        model: The model itself, never wrapped; levers change it in place or through `replace`.
        optimizers: By name; see `renew_optimizers`.
        stream: Where batches come from.
        clock: Learning rate and end of the run.
        objective: What is minimised.
        wrappers: What goes around the objective, by name; the first is the innermost.
        rate: Factor on every peak learning rate.
        ledger: What it costs.
        coarse: Tokens of the data that are one position of the model.
        frozen: Lowest layers that are not trained.
        warm_streams: Streams whose tokens are booked as warm-up data.
        tokens: Tokens trained on so far.
    """

    def __init__(self, recipe: Recipe, workload: Workload, device: torch.device) -> None:
        self.recipe, self.workload, self.device = recipe, workload, device
        eos = workload.tokenizer.eos_token_id
        self.vocabulary = len(workload.tokenizer)
        self.model: Any = build(
            recipe.model, self.vocabulary, recipe.seed, bos_token_id=eos, eos_token_id=eos
        ).to(device)
        self.model.train()
        self.optimizers = make_optimizers(self.model, recipe.optimizer)
        self.stream = Blend(workload.shards, recipe.rows, recipe.context)
        self.clock = Clock(recipe.schedule, recipe.steps * recipe.rows * recipe.context)
        self.objective: Objective = next_token_loss
        self.wrappers: dict[str, Wrapper] = {}
        self.rate = 1.0
        self.coarse, self.frozen = 1, 0
        self.warm_streams: set[str] = set()
        self.ledger = Ledger(costs(self.model, recipe.context, recipe.optimizer))
        self._refresh()

    @property
    def tokens(self) -> int:
        """Tokens of the data trained on so far."""
        return self.stream.tokens_served

    def step(self) -> tuple[float, float, float]:
        """Do one optimiser step; return the loss, the gradient's norm and the learning rate."""
        share = self.clock.share(self.tokens) * self.rate
        for group, peak in self._peaks:
            group["lr"] = peak * share
        before, warm = self.tokens, self._warm
        ids_BT = torch.from_numpy(self.stream.next()).to(self.device)
        self.ledger.add(self.tokens - before, self._warm - warm)
        loss, extra = self.loss(ids_BT)
        (loss + extra).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self.recipe.optimizer.clip)
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item(), norm.item(), self._peaks[-1][1] * share

    def loss(self, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
        """Return the loss of a batch in nats per token, and what is minimised beside it."""
        objective = self.objective
        for wrapper in self.wrappers.values():
            objective = wrapper.around(objective)
        with self._autocast():
            return objective(self._forward, ids_BT)

    def recost(self) -> None:
        """Book at new costs; call it after anything that changes what a token costs."""
        self.ledger.change(
            costs(
                self.model,
                self.stream.context,
                self.recipe.optimizer,
                coarse=self.coarse,
                frozen=self.frozen,
                extra={name: wrapper.flops() for name, wrapper in self.wrappers.items()},
            )
        )

    @property
    def probe_flops(self) -> float:
        """FLOPs of one token that a probe asks about: plain tokens at the recipe's context."""
        return sum(flops_per_token(self.model.config, self.recipe.context).values())

    def replace(self, model: Any, parents: Mapping[Any, Any]) -> None:
        """Train another model from now on.

        Args:
            model: The other model.
            parents: As `renew_optimizers` takes them.
        """
        self.model = model.to(self.device)
        self.model.train()
        self.renew_optimizers(parents)

    def renew_optimizers(self, parents: Mapping[Any, Any] | None = None) -> None:
        """Make the optimisers again, for the parameters that are now there and trained.

        Args:
            parents: From a new parameter to the one whose moments it takes over; parameters that
                stay keep theirs, all others begin without any.
        """
        states = {
            p: s for optimizer in self.optimizers.values() for p, s in optimizer.state.items()
        }
        held = {id(parameter) for parameter in _lowest(self.model, self.frozen)}
        for parameter in self.model.parameters():
            parameter.requires_grad_(id(parameter) not in held)
        self.optimizers = make_optimizers(self.model, self.recipe.optimizer)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    source = parameter if parameter in states else (parents or {}).get(parameter)
                    if source in states:
                        optimizer.state[parameter] = _copied(states[source], source is parameter)
        self._refresh()

    def _refresh(self) -> None:
        """Follow a change of model or optimisers."""
        self._peaks = peak_rates(self.optimizers)
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._forward = torch.compile(self.model) if self.recipe.compile else self.model

    def reloaded(self) -> None:
        """Follow optimisers whose state was just loaded: groups are new, peak rates are not."""
        peaks = [peak for _, peak in self._peaks]
        groups = [group for group, _ in peak_rates(self.optimizers)]
        self._peaks = list(zip(groups, peaks, strict=True))

    def state(self) -> dict[str, Any]:
        """Return everything beside weights, optimisers and pulls, ready for JSON."""
        return {
            "stream": self.stream.state(),
            "clock": self.clock.state(),
            "ledger": self.ledger.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state returned by `state`, after the same levers have been pulled."""
        self.stream.restore(state["stream"])
        self.clock.restore(state["clock"])
        self.ledger.restore(state["ledger"])

    @property
    def _warm(self) -> int:
        served = self.stream.served if self.warm_streams else {}
        return sum(served[name] for name in self.warm_streams)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.recipe.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def next_token_loss(model: Any, ids_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float]:
    """Return the mean next-token loss in nats, and what the router's balance adds to the objective.

    The second is 0 for models without experts; it is trained on but not reported as loss.
    """
    output, extra = model_outputs(model, input_ids=ids_BT)
    logits_BTV = output.logits[:, :-1]
    loss = cross_entropy(logits_BTV.flatten(0, 1).float(), ids_BT[:, 1:].flatten())
    return loss, extra


def model_outputs(model: Any, **inputs: torch.Tensor) -> tuple[Any, torch.Tensor | float]:
    """Return what a model answers, and what the balance of its router adds to the objective."""
    config = model.config
    routed = getattr(config, "num_local_experts", 0) > 0
    output = model(use_cache=False, **inputs, **({"output_router_logits": True} if routed else {}))
    return output, config.router_aux_loss_coef * output.aux_loss if routed else 0.0


def _lowest(model: Any, frozen: int) -> list[Any]:
    """Return the parameters of the lowest layers, with the embedding where the head has its own."""
    layers = [p for layer in model.base_model.layers[:frozen] for p in layer.parameters()]
    embedding = model.get_input_embeddings().weight
    tied = model.get_output_embeddings().weight is embedding
    return layers if tied or not frozen else [embedding, *layers]


def _copied(state: Mapping[str, Any], own: bool) -> dict[str, Any]:
    """Return an optimiser's state of one parameter: itself, or a copy for another parameter."""
    return {
        key: value if own or not torch.is_tensor(value) else value.clone()
        for key, value in state.items()
    }
