"""The one engine that turns questions about tokens into log-probabilities.

A `Plan` is made once per tokenizer: sequences are sorted by length and padded into batches, and
only the positions that somebody asks about reach the output head. Padding stands on the right,
where a causal model cannot see it, so no mask is needed.

Shape legend: B sequences, T tokens, A asked positions, K asked tokens, V vocabulary, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

HEAD_CHUNK = 2**22
"""Most logits held at once, as floats."""

_SPLIT_HEAD = ("llama", "gpt_neox", "mixtral")
"""Model types whose logits are exactly ``head(last hidden state)``."""


@dataclass(frozen=True, slots=True)
class Query:
    """Ask for log p(token | ids[:position]) of some tokens at some positions of a sequence.

    Attributes:
        ids: The sequence; must be at least as long as the largest position.
        asks: ``(position, tokens)`` pairs, positions ≥ 1.
    """

    ids: tuple[int, ...]
    asks: tuple[tuple[int, tuple[int, ...]], ...]


def sequence_query(ids: Sequence[int], start: int) -> Query:
    """Ask for every token of ``ids[start:]``, so that their sum is log p(ids[start:] | before)."""
    return Query(tuple(ids), tuple((p, (ids[p],)) for p in range(start, len(ids))))


@dataclass(frozen=True)
class _Batch:
    ids_BT: torch.Tensor
    asked_A: torch.Tensor
    row_K: torch.Tensor
    token_K: torch.Tensor
    target_K: NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """Queries packed into batches.

    Attributes:
        offsets: Query `q` owns answers ``offsets[q]:offsets[q + 1]``, in the order of its asks.
        forward_tokens: Tokens that one pass over the plan processes, padding included.
    """

    batches: tuple[_Batch, ...]
    offsets: NDArray[np.int64]
    forward_tokens: int


def make_plan(queries: Sequence[Query], *, batch_tokens: int = 8192) -> Plan:
    """Pack queries into length-bucketed batches of at most `batch_tokens` tokens."""
    counts = [sum(len(tokens) for _, tokens in query.asks) for query in queries]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    lengths = [max(position for position, _ in query.asks) for query in queries]
    order = sorted(range(len(queries)), key=lambda q: lengths[q])
    batches, group, forward_tokens = [], list[int](), 0
    for q in order:
        if group and (len(group) + 1) * lengths[q] > batch_tokens:
            batches.append(_make_batch(queries, group, lengths, offsets))
            group = []
        group.append(q)
    if group:
        batches.append(_make_batch(queries, group, lengths, offsets))
    forward_tokens = sum(batch.ids_BT.numel() for batch in batches)
    return Plan(tuple(batches), offsets, forward_tokens)


def _make_batch(
    queries: Sequence[Query], group: list[int], lengths: list[int], offsets: NDArray[np.int64]
) -> _Batch:
    width = max(lengths[q] for q in group)
    ids_BT = torch.zeros(len(group), width, dtype=torch.long)
    asked: list[int] = []
    rows: list[int] = []
    tokens: list[int] = []
    targets: list[int] = []
    for b, q in enumerate(group):
        # The last asked position needs only what stands before it.
        seen = queries[q].ids[: lengths[q]]
        ids_BT[b, : len(seen)] = torch.tensor(seen)
        target = int(offsets[q])
        for position, candidates in queries[q].asks:
            for token in candidates:
                rows.append(len(asked))
                tokens.append(token)
                targets.append(target)
                target += 1
            asked.append(b * width + position - 1)
    return _Batch(
        ids_BT,
        torch.tensor(asked),
        torch.tensor(rows),
        torch.tensor(tokens),
        np.array(targets, dtype=np.int64),
    )


@dataclass(frozen=True)
class Answers:
    """What a model says of every asked token, shape ``(plan.offsets[-1],)``.

    Attributes:
        log_prob: In nats.
        greedy: Is it the likeliest token of all?
    """

    log_prob: NDArray[np.float64]
    greedy: NDArray[np.bool_]


def answer(model: Any, plan: Plan) -> NDArray[np.float64]:
    """Return the log-probability (nats) of every asked token, shape ``(plan.offsets[-1],)``."""
    return answer_fully(model, plan).log_prob


@torch.no_grad()
def answer_fully(model: Any, plan: Plan) -> Answers:
    """Return log-probability and rank of every asked token, from one pass."""
    out = np.full(int(plan.offsets[-1]), np.nan)
    greedy = np.zeros(len(out), dtype=bool)
    device = next(model.parameters()).device
    for batch in plan.batches:
        rows_AV = asked_rows(model, batch.ids_BT.to(device), batch.asked_A.to(device))
        vocabulary = model.config.vocab_size
        step = max(1, HEAD_CHUNK // vocabulary)
        for start in range(0, len(batch.asked_A), step):
            log_probs_AV = torch.log_softmax(rows_AV(start, start + step).float(), -1)
            wanted = (batch.row_K >= start) & (batch.row_K < start + step)
            row_K, token_K = batch.row_K[wanted] - start, batch.token_K[wanted]
            picked_K = log_probs_AV[row_K.to(device), token_K.to(device)]
            targets = batch.target_K[wanted.numpy()]
            out[targets] = picked_K.double().cpu().numpy()
            first_K = log_probs_AV.argmax(-1).cpu()[row_K]
            greedy[targets] = (first_K == token_K).numpy()
    return Answers(out, greedy)


def asked_rows(model: Any, ids_BT: torch.Tensor, asked_A: torch.Tensor) -> Any:
    """Run the model once; return a function ``(start, stop) -> logits`` over asked positions.

    Where the architecture allows it, only the asked rows reach the output head.
    """
    if model.config.model_type in _SPLIT_HEAD and type(model).__name__.endswith("ForCausalLM"):
        hidden_BTD = model.base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
        hidden_AD = hidden_BTD.flatten(0, 1)[asked_A]
        head = model.get_output_embeddings()
        return lambda start, stop: head(hidden_AD[start:stop])
    logits_AV = model(input_ids=ids_BT, use_cache=False).logits.flatten(0, 1)[asked_A]
    return lambda start, stop: logits_AV[start:stop]
