"""Procedural data: sequences that carry no language, only something to compute.

Shape legend: T tokens of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from nucleate.corpora.packing import Tokens
from nucleate.train.levers.base import Lever, Setting, give_rows, share_expected

if TYPE_CHECKING:
    from nucleate.train.training import Training

ROWS_PER_SHARD = 256


class Procedural(Lever):
    """Give a share of the rows to sequences that a rule makes from random tokens.

    Attributes:
        task: ``repeat`` (a random passage again and again, which is learnt by induction) or
            ``dyck`` (nested brackets of several kinds, closed in the right order).
        symbols: Number of different tokens used, drawn once from the vocabulary; all when left out.
        period: Shortest and longest passage of ``repeat``, in tokens.
        depth: Most brackets open at once in ``dyck``.
    """

    kind: Literal["procedural"] = "procedural"
    task: Literal["repeat", "dyck"] = "repeat"
    symbols: int | None = Field(default=None, ge=4)
    period: tuple[int, int] = (8, 48)
    depth: int = Field(default=8, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Procedural:
        if not 1 <= self.period[0] <= self.period[1]:
            raise ValueError(f"period {list(self.period)} is not shortest, longest")
        return self

    @property
    def stream(self) -> str:
        """One for each task."""
        return f"{self.kind} {self.task}"

    def expected(self, to: Setting) -> str:
        """Take a share of the rows."""
        return share_expected(to)

    def pull(self, training: Training, to: Setting) -> str:
        """Give procedural rows the share `to`.

        Raises:
            RecipeError: Other levers leave less than that.
        """
        recipe = training.recipe
        shards = ProceduralShards(self, training.vocabulary, recipe.context, recipe.seed)
        give_rows(self, training, shards, to)
        training.warm_streams.add(self.stream)
        return f"{to:.0%} of the rows are {self.task} sequences"


class ProceduralShards:
    """Endless procedural rows; shard `i` of a seed is always the same.

    Args:
        lever: Task and its numbers.
        vocabulary: Number of tokens of the tokenizer.
        context: Length of a row.
        seed: Seed of the symbols and of the rows.
    """

    def __init__(self, lever: Procedural, vocabulary: int, context: int, seed: int) -> None:
        self._lever, self._context, self._seed = lever, context, seed
        rng = np.random.default_rng([seed, vocabulary])
        num = min(lever.symbols or vocabulary, vocabulary)
        self._symbols = rng.permutation(vocabulary)[:num].astype(np.int64)

    def shard(self, index: int) -> Tokens:
        """Return `ROWS_PER_SHARD` rows as one run of tokens."""
        rng = np.random.default_rng([self._seed, 1, index])
        make: Any = {"repeat": self._repeat, "dyck": self._dyck}[self._lever.task]
        return np.concatenate([make(rng) for _ in range(ROWS_PER_SHARD)])

    def _repeat(self, rng: np.random.Generator) -> Tokens:
        low, high = self._lever.period
        period = int(rng.integers(low, min(high, self._context // 2) + 1))
        passage = rng.choice(self._symbols, period)
        return np.resize(passage, self._context)

    def _dyck(self, rng: np.random.Generator) -> Tokens:
        """Draw brackets: the first half of the symbols open, the second half close."""
        kinds = self._symbols.size // 2
        row: list[int] = []
        stack: list[int] = []
        for left in range(self._context, 0, -1):
            full = len(stack) >= min(self._lever.depth, left)
            if stack and (full or rng.random() < 0.5):
                row.append(self._symbols[kinds + stack.pop()])
            else:
                stack.append(int(rng.integers(kinds)))
                row.append(self._symbols[stack[-1]])
        return np.array(row, dtype=np.int64)
