"""Continuations after contexts, as text: tokenised once, scored for any model of one tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nucleate.core import DataError
from nucleate.corpora.tokenizer import begin_token, encode
from nucleate.probes.plan import make_plan, sequence_query
from nucleate.probes.view import ModelView

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Scores:
    """What a model says of every request, in the order of the requests; all of shape ``(n,)``.

    Attributes:
        log_prob: log p(continuation | context), in nats.
        greedy: Is every token of the continuation the model's first choice?
        tokens: Tokens of the continuation.
        characters: Characters of the continuation as it was given.
        bytes: Bytes of the continuation as it was given, in UTF-8.
    """

    log_prob: NDArray[np.float64]
    greedy: NDArray[np.bool_]
    tokens: NDArray[np.int64]
    characters: NDArray[np.int64]
    bytes: NDArray[np.int64]


class Requests:
    """Continuations after contexts; what stands in several requests is asked about once.

    Text becomes tokens as in lm-eval's ``loglikelihood`` for causal models, so that its numbers are
    met: blanks at the end of the context go to the continuation, context and whole are encoded,
    and the tokens of the whole that go beyond those of the context are the continuation. An empty
    context is the begin token. What does not fit the window is cut from the left.

    Args:
        requests: ``(context, continuation)`` of each.
        tokenizer: Any `transformers` tokenizer.
        context: Tokens that the model may see at once.
        begin: Whether the tokenizer adds its special tokens to a text that has a context
            (None leaves that to the tokenizer, whose default is to add what it has).

    Attributes:
        plan: What is asked, for `ModelView.answers`.

    Raises:
        DataError: A continuation has no tokens, or more than the window holds.

    Example:
        >>> Requests([("The cat", " sat")], tokenizer).score(ModelView(model))  # doctest: +SKIP
    """

    def __init__(
        self,
        requests: Sequence[tuple[str, str]],
        tokenizer: Any,
        *,
        context: int = 2048,
        begin: bool | None = None,
    ) -> None:
        texts = [continuation for _, continuation in requests]
        self._characters = np.array([len(text) for text in texts], dtype=np.int64)
        self._bytes = np.array([len(text.encode()) for text in texts], dtype=np.int64)
        places: dict[tuple[int, Ids], int] = {}
        self._place = np.empty(len(texts), dtype=np.int64)
        for number, (before, asked) in enumerate(_tokenised(requests, tokenizer, begin)):
            if not 0 < len(asked) <= context:
                raise DataError(
                    "continuation cannot be asked: it has no tokens, or more than the context",
                    where=f"request {number}",
                    got=f"{len(asked)} tokens ({texts[number][:40]!r})",
                    expected=f"1 to {context}",
                )
            # The last token is asked about and never fed, so one more than the window fits.
            ids = (*before, *asked)[-(context + 1) :]
            self._place[number] = places.setdefault((len(ids) - len(asked), ids), len(places))
        self.plan = make_plan([sequence_query(ids, start) for start, ids in places])

    def __len__(self) -> int:
        return len(self._place)

    @property
    def cost(self) -> int:
        """Tokens that one pass over the requests sends through the model."""
        return self.plan.forward_tokens

    def score(self, view: ModelView) -> Scores:
        """Ask a model; a view asked twice computes once."""
        starts, place = self.plan.offsets[:-1], self._place
        if not len(place):
            nothing = np.zeros(0, dtype=np.int64)
            return Scores(np.zeros(0), np.zeros(0, dtype=bool), nothing, nothing, nothing)
        return Scores(
            log_prob=np.add.reduceat(view.answers(self.plan), starts)[place],
            greedy=np.logical_and.reduceat(view.greedy(self.plan), starts)[place],
            tokens=np.diff(self.plan.offsets)[place],
            characters=self._characters,
            bytes=self._bytes,
        )


def _tokenised(
    requests: Sequence[tuple[str, str]], tokenizer: Any, begin: bool | None
) -> list[tuple[list[int], list[int]]]:
    """Return the tokens of context and continuation of each request."""
    prefix = begin_token(tokenizer)
    spelled = tokenizer.decode(prefix)

    def wants_special(text: str) -> bool:
        # A text that spells the begin token out is not given a second one.
        return begin if begin is not None else not text.startswith(spelled)

    contexts = [context.rstrip() for context, _ in requests]
    wholes = [context + continuation for context, continuation in requests]
    bare = [context == "" for context, _ in requests]
    before = _encoded(tokenizer, contexts, wants_special)
    whole = _encoded(tokenizer, _pick(wholes, bare, False), wants_special)
    alone = _encoded(tokenizer, _pick(wholes, bare, True), lambda _: False)
    pairs = []
    for context, text, empty in zip(contexts, wholes, bare, strict=True):
        if empty:
            head, tail = [prefix], alone[text]
            if tail[:1] == head:
                head, tail = tail[:1], tail[1:]
        else:
            head = before[context]
            tail = whole[text][len(head) :]
        # A context of nothing but blanks has no tokens of its own.
        pairs.append((head or [prefix], tail))
    return pairs


def _pick(texts: list[str], flags: list[bool], wanted: bool) -> list[str]:
    return [text for text, flag in zip(texts, flags, strict=True) if flag is wanted]


def _encoded(
    tokenizer: Any, texts: Sequence[str], special: Callable[[str], bool]
) -> dict[str, list[int]]:
    """Encode every distinct text once."""
    found: dict[str, list[int]] = {}
    for wanted in (True, False):
        group = [text for text in dict.fromkeys(texts) if special(text) is wanted]
        found.update(zip(group, encode(tokenizer, group, special=wanted), strict=True))
    return found
