"""What a probe sees of a model at one Step: questions in, log-probabilities out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core.heads import HeadTable
from nucleate.probes.plan import Plan
from nucleate.probes.scorer import Answers, answer_fully, asked_rows

if TYPE_CHECKING:
    from nucleate.probes.generation.sampling import Decoding

Found = TypeVar("Found")


class ModelView:
    """A model at one Step; probes that share a `Plan` share its one pass over the model.

    Args:
        model: A causal `transformers` model in evaluation mode.
        dtype: See `scorer.answer_fully`.
    """

    def __init__(self, model: Any, *, dtype: torch.dtype | None = None) -> None:
        self._model, self._dtype = model, dtype
        self._answers: dict[int, tuple[Plan, Answers]] = {}
        self._found: dict[tuple[int, str], tuple[Any, Any]] = {}
        self._heads = HeadTable()
        self._remarks: list[str] = []

    @property
    def model(self) -> Any:
        """The model itself, for probes that look inside; they must leave it as it is."""
        return self._model

    def once(self, about: Any, name: str, compute: Callable[[], Found]) -> Found:
        """Return what a computation finds about some items; probes that share it share one run."""
        key = (id(about), name)
        if key not in self._found:
            self._found[key] = (about, compute())
        found: Found = self._found[key][1]
        return found

    def keep(self, table: HeadTable) -> None:
        """Hand over arrays of layer × head that whoever looks may keep beside the Readings."""
        self._heads = self._heads.joined(table)

    @property
    def heads(self) -> HeadTable:
        """The arrays that were handed over so far."""
        return self._heads

    def remark(self, text: str) -> None:
        """Say, in one line, why a number is missing; whoever looks records it as an event."""
        self._remarks.append(text)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was said so far."""
        return tuple(self._remarks)

    def answers(self, plan: Plan) -> NDArray[np.float64]:
        """Return the log-probability (nats) of every token the plan asks for; computed once."""
        return self._ask(plan).log_prob

    def greedy(self, plan: Plan) -> NDArray[np.bool_]:
        """Return whether each asked token is the model's first choice; from the same pass."""
        return self._ask(plan).greedy

    def _ask(self, plan: Plan) -> Answers:
        if id(plan) not in self._answers:
            self._answers[id(plan)] = (plan, answer_fully(self._model, plan, dtype=self._dtype))
        return self._answers[id(plan)][1]

    @torch.no_grad()
    def log_probs(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the whole next-token distribution after every position of some rows.

        Args:
            rows: Token ids, shape ``(R, T)``.

        Returns:
            Natural log-probabilities, shape ``(R, T, V)``; entry ``t`` is about token ``t + 1``.
        """
        device = next(self._model.parameters()).device
        ids_BT = torch.from_numpy(rows).to(device)
        every = torch.arange(ids_BT.numel(), device=device)
        logits = asked_rows(self._model, ids_BT, every)(0, len(every))
        out: NDArray[np.float32] = torch.log_softmax(logits.float(), -1).cpu().numpy()
        return out.reshape(*rows.shape, -1)

    def continuations(
        self, prompts: Sequence[Sequence[int]], decoding: Decoding
    ) -> list[list[int]]:
        """Return sampled tokens after each prompt; equal seeds give equal tokens."""
        from nucleate.probes.generation.sampling import sample

        return sample(self._model, prompts, decoding)
