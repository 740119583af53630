"""What a run has cost, by part: modelled FLOPs, and wall-clock time that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nucleate.core import LedgerEntry, Mark
from nucleate.models import flops_per_token
from nucleate.train.recipe import OptimizerSettings

WARM_UP = "warm-up data"
"""Part that forward and backward pass of procedural data are booked on."""

_ADAMW_PER_PARAMETER = 14
"""Elementwise operations of one AdamW update: two moments, bias correction, root, decay, step."""
_NEWTON_SCHULZ_STEPS = 5


@dataclass(frozen=True)
class Costs:
    """What one token and one optimiser step cost in the present configuration, in FLOPs.

    Attributes:
        forward: Of one token of the data, by part.
        backward: Of one token.
        optimizer: Of one optimiser step.
        extra: Of one token, forward and backward, beside the model's own passes, by part.
    """

    forward: Mapping[str, float]
    backward: float
    optimizer: float
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_token(self) -> float:
        """Forward and backward pass of one token, with all that is beside them."""
        return sum(self.forward.values()) + self.backward + sum(self.extra.values())


class Ledger:
    """Adds up FLOPs by part, through every change of what a token costs.

    Args:
        costs: What training costs at first.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._closed: dict[str, float] = {}
        self._tokens = self._warm = self._steps = 0

    @property
    def costs(self) -> Costs:
        """What training costs now."""
        return self._costs

    @property
    def total(self) -> float:
        """FLOPs of training so far, probes left out."""
        now = self._costs.per_token * self._tokens + self._costs.optimizer * self._steps
        return sum(self._closed.values()) + now

    def change(self, costs: Costs) -> None:
        """Book what comes from now on at other costs."""
        if costs != self._costs:
            self._closed = self.parts()
            self._costs, self._tokens, self._warm, self._steps = costs, 0, 0, 0

    def add(self, tokens: int, warm: int = 0) -> None:
        """Book one optimiser step on a batch.

        Args:
            tokens: Tokens of the data in the batch.
            warm: How many of them are warm-up data.
        """
        self._tokens += tokens
        self._warm += warm
        self._steps += 1

    def spend(self, part: str, flops: float) -> None:
        """Book FLOPs that are spent once."""
        self._closed[part] = self._closed.get(part, 0.0) + flops

    def planned(self, tokens: int, steps: int) -> float:
        """FLOPs of training on so many tokens at the present costs."""
        return self._costs.per_token * tokens + self._costs.optimizer * steps

    def parts(self) -> dict[str, float]:
        """FLOPs so far, by part."""
        costs, plain = self._costs, self._tokens - self._warm
        now = {f"{part} (forward)": flops * plain for part, flops in costs.forward.items() if flops}
        now["backward"] = costs.backward * plain
        now |= {part: flops * plain for part, flops in costs.extra.items() if flops}
        now["optimiser"] = costs.optimizer * self._steps
        if self._warm:
            now[WARM_UP] = costs.per_token * self._warm
        return {part: self._closed.get(part, 0.0) + now.get(part, 0.0) for part in _keys(now, self)}

    def entries(self, probe_flops: float, seconds: dict[str, float]) -> list[LedgerEntry]:
        """Return every part with its FLOPs; `seconds` gives measured times by part."""
        entries = [LedgerEntry(part, flops) for part, flops in self.parts().items()]
        entries.append(LedgerEntry("probes", probe_flops, seconds.get("probes", float("nan"))))
        timed = [
            LedgerEntry(part, 0.0, spent, Mark.MEASURED)
            for part, spent in seconds.items()
            if part != "probes"
        ]
        return entries + timed

    def state(self) -> dict[str, Any]:
        """Return what was booked so far, ready for JSON."""
        counts = {"tokens": self._tokens, "warm": self._warm, "steps": self._steps}
        return {"closed": dict(self._closed), **counts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state returned by `state`, at the costs that hold now."""
        self._closed = dict(state["closed"])
        self._tokens, self._warm, self._steps = state["tokens"], state["warm"], state["steps"]


def _keys(now: Mapping[str, float], ledger: Ledger) -> list[str]:
    return list(dict.fromkeys([*ledger._closed, *now]))


def costs(
    model: Any,
    context: int,
    settings: OptimizerSettings,
    *,
    coarse: int = 1,
    frozen: int = 0,
    extra: Mapping[str, float] | None = None,
) -> Costs:
    """Model what training costs from the architecture alone.

    Args:
        model: The model in training.
        context: Length of the sequences, in tokens of the data.
        settings: Which optimiser runs.
        coarse: Tokens of the data that are one position of the model.
        frozen: Lowest layers that are not trained: no gradient passes them.
        extra: FLOPs of a token beside the model's, forward and backward together, by part.
    """
    positions = -(-context // coarse)
    share = positions / context  # positions of the model per token of the data
    forward = {k: v * share for k, v in flops_per_token(model.config, positions).items()}
    layers = model.config.num_hidden_layers
    inner = sum(forward.values()) - forward["head"]
    backward = 2 * (forward["head"] + inner * (layers - frozen) / layers)
    return Costs(forward, backward, optimizer_flops(model, settings), extra or {})


def optimizer_flops(model: Any, settings: OptimizerSettings) -> float:
    """Model the FLOPs of one optimiser step over the parameters that are trained.

    AdamW: `_ADAMW_PER_PARAMETER` elementwise operations a parameter. Muon, for an m × n matrix with
    m ≤ n: five Newton-Schulz iterations of three products, 2(m²n + m³ + m²n) each.
    """
    embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    total = 0.0
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if settings.kind == "muon" and parameter.ndim == 2 and id(parameter) not in embeddings:
            m, n = sorted(parameter.shape)
            total += _NEWTON_SCHULZ_STEPS * 2.0 * (2 * m * m * n + m**3) + 4 * parameter.numel()
        else:
            total += _ADAMW_PER_PARAMETER * parameter.numel()
    return total
