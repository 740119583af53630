"""The one engine that turns questions about tokens into log-probabilities.

Sequences that begin alike share what they begin with (`forest`), equal ones are run once, rows
of about one length form a batch (`plan`), and only the places that somebody asks about reach the
output head, a few at a time. Padding stands on the right, where a causal model cannot see it.

Shape legend: B rows, T tokens, A asked places, K asked tokens, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nucleate.core.families import FAMILIES
from nucleate.models.output import logits_of
from nucleate.probes.plan import BATCH_TOKENS, Batch, Plan, Query, make_plan, sequence_query

__all__ = ["Answers", "Plan", "Query", "answer", "answer_fully", "asked_rows", "make_plan"]
__all__ += ["sequence_query"]

HEAD_CHUNK = {"cpu": 2**20}
"""Logits held at once, by device: on a processor they should stay in its caches."""
_HEAD_CHUNK = 2**26
_HEAD_ROWS = 64
"""Rows of logits held at least, however large the vocabulary: the head is read for each chunk."""
_BATCH_TOKENS = 4 * BATCH_TOKENS
"""Tokens of a batch on other devices."""
_WHOLE_LOGITS = 2**27
"""Logits held at once, as floats, of a model whose every place goes through the head."""

_KNOWN = {*FAMILIES, "opt", "phi"}
"""Model types found to take mask and positions from outside, and whose logits are `logits_of` the
last hidden state (`tests/parity/test_transformers.py`); all others are asked in rows without
branches, every place through the head."""


@dataclass(frozen=True)
class Answers:
    """What a model says of every asked token, shape ``(plan.offsets[-1],)``.

    Attributes:
        log_prob: In nats.
        greedy: Is it the likeliest token of all (the first of them, where several tie)?
    """

    log_prob: NDArray[np.float64]
    greedy: NDArray[np.bool_]


def answer(model: Any, plan: Plan) -> NDArray[np.float64]:
    """Return the log-probability (nats) of every asked token, shape ``(plan.offsets[-1],)``."""
    return answer_fully(model, plan).log_prob


@torch.no_grad()  # not inference_mode: what a model caches here must still train afterwards
def answer_fully(model: Any, plan: Plan, *, dtype: torch.dtype | None = None) -> Answers:
    """Return log-probability and rank of every asked token, from one pass.

    Args:
        model: A causal `transformers` model in evaluation mode, on any device.
        plan: What to ask.
        dtype: Run matrix products in this type (``torch.bfloat16``: faster, and off by about
            0.01 nats a token); None keeps the weights' own.
    """
    device = next(model.parameters()).device
    size = BATCH_TOKENS if device.type == "cpu" else _BATCH_TOKENS
    if not _known(model):
        size = min(size, max(1, _WHOLE_LOGITS // model.config.vocab_size))
    while True:
        try:
            return _run(model, plan, device, size, dtype)
        except torch.OutOfMemoryError:
            if plan.batch_tokens or size <= plan.longest:
                raise
            size //= 2


def _run(
    model: Any, plan: Plan, device: torch.device, size: int, dtype: torch.dtype | None
) -> Answers:
    count = int(plan.offsets[-1])
    answers = Answers(np.full(count, np.nan), np.zeros(count, dtype=bool))
    room = _Room()
    with torch.autocast(device.type, dtype, enabled=dtype is not None):
        for batch in plan.packed(size, branching=_sees_branches(model, plan)):
            _answer_batch(model, batch, device, answers, room)
    return answers


class _Room:
    """Room for the log-probabilities of some rows, which those of the next rows are written into.

    Blocks of this size that come and go between those of the model would leave holes in the heap
    that glibc does not fill again.
    """

    def __init__(self) -> None:
        self._kept_AV: torch.Tensor | None = None

    def log_softmax(self, logits_AV: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities of rows of logits; good until the next call."""
        kept_AV, (rows, vocabulary) = self._kept_AV, logits_AV.shape
        if kept_AV is None or len(kept_AV) < rows or kept_AV.shape[1] != vocabulary:
            self._kept_AV = kept_AV = torch.empty_like(logits_AV)
        return torch.log_softmax(logits_AV, -1, out=kept_AV[:rows])


def _answer_batch(
    model: Any, batch: Batch, device: torch.device, answers: Answers, room: _Room
) -> None:
    rows_AV = _asked_rows(model, batch, device)
    vocabulary = model.config.vocab_size
    step = max(_HEAD_ROWS, HEAD_CHUNK.get(device.type, _HEAD_CHUNK) // vocabulary)
    order = torch.argsort(batch.row_K)
    row_K, token_K = batch.row_K[order], batch.token_K[order]
    starts = range(0, len(batch.asked_A), step)
    bounds = torch.searchsorted(row_K, torch.tensor([*starts, len(batch.asked_A)])).tolist()
    picked_K = torch.empty(len(row_K), device=device)
    first_K = torch.empty(len(row_K), dtype=torch.bool, device=device)
    for start, low, high in zip(starts, bounds[:-1], bounds[1:], strict=True):
        own = slice(low, high)
        picked_K[own], first_K[own] = _pick(
            rows_AV(start, start + step), row_K[own] - start, token_K[own], room
        )
    targets = batch.target_K[order.numpy()]
    answers.log_prob[targets] = picked_K.double().cpu().numpy()
    answers.greedy[targets] = first_K.cpu().numpy()


def _pick(
    logits_AV: torch.Tensor, row_K: torch.Tensor, token_K: torch.Tensor, room: _Room
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the log-probability of each asked token, and whether it is the first choice."""
    row_K, token_K = (x.to(logits_AV.device, non_blocking=True) for x in (row_K, token_K))
    logits_AV = logits_AV.float()
    top_K = logits_AV.amax(-1)[row_K]
    first_K = logits_AV[row_K, token_K] == top_K
    if len(ties := first_K.nonzero()[:, 0]):
        first_K[ties] = logits_AV[row_K[ties]].argmax(-1) == token_K[ties]
    return room.log_softmax(logits_AV)[row_K, token_K], first_K


def _known(model: Any) -> bool:
    # A model with a head of its own on a known body is not one of them.
    whole = type(model).__name__.endswith(("ForCausalLM", "LMHeadModel"))
    return whole and model.config.model_type in _KNOWN


def _sees_branches(model: Any, plan: Plan) -> bool:
    """Return whether rows with branches can be given to a model."""
    config = model.config
    if not _known(model) or config._attn_implementation not in ("sdpa", "eager"):
        return False
    window = getattr(config, "sliding_window", None)
    return not (window and getattr(config, "use_sliding_window", True) and window < plan.longest)


def _mask(model: Any, end_BT: torch.Tensor) -> torch.Tensor:
    """Return what each token of a row with branches may see, shape ``(B, 1, T, T)``."""
    place_T = torch.arange(end_BT.shape[1], device=end_BT.device)
    sees_BTT = (place_T < end_BT[:, :, None]).transpose(1, 2) & (place_T <= place_T[:, None])
    if model.config._attn_implementation == "sdpa":
        return sees_BTT[:, None]
    barred = torch.zeros_like(sees_BTT, dtype=model.dtype)
    return barred.masked_fill_(~sees_BTT, torch.finfo(model.dtype).min)[:, None]


def _asked_rows(
    model: Any, batch: Batch, device: torch.device
) -> Callable[[int, int], torch.Tensor]:
    extra = {}
    if batch.end_BT is not None and batch.depth_BT is not None:
        extra["attention_mask"] = _mask(model, batch.end_BT.to(device, non_blocking=True))
        extra["position_ids"] = batch.depth_BT.to(device, non_blocking=True)
    ids_BT, asked_A = (x.to(device, non_blocking=True) for x in (batch.ids_BT, batch.asked_A))
    return asked_rows(model, ids_BT, asked_A, **extra)


def asked_rows(
    model: Any, ids_BT: torch.Tensor, asked_A: torch.Tensor, **extra: torch.Tensor
) -> Callable[[int, int], torch.Tensor]:
    """Run the model once; return a function ``(start, stop) -> logits`` over asked places.

    Where the architecture allows it, only the asked rows reach the output head.

    Args:
        ids_BT: What is fed.
        asked_A: Places in the flattened rows.
        extra: More arguments of the model.
    """
    if _known(model):
        hidden = model.base_model(input_ids=ids_BT, use_cache=False, **extra).last_hidden_state
        hidden_AD = hidden.flatten(0, 1)[asked_A]
        return lambda start, stop: logits_of(model, hidden_AD[start:stop])
    logits_AV = model(input_ids=ids_BT, use_cache=False, **extra).logits.flatten(0, 1)[asked_A]
    return lambda start, stop: logits_AV[start:stop]
