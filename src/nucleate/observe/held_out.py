"""What is asked of a model that somebody else trains: suites made of held-out texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nucleate.core import UserError
from nucleate.corpora.text import Documents
from nucleate.corpora.tokenizer import begin_token
from nucleate.models.heads import attention_parts
from nucleate.observe.schedule import HEADS_CONTEXT, ProbeSettings
from nucleate.probes.geometry.moe import has_routers
from nucleate.probes.suites import Suite

MIN_TEXTS = 50


def need_texts(texts: Sequence[str], tokenizer: Any) -> None:
    """Refuse to make a suite of nothing.

    Raises:
        UserError: No tokenizer, too few texts, or something else than texts.
    """
    whole = isinstance(texts, str)
    kinds = {type(text).__name__ for text in texts if whole or not isinstance(text, str)}
    if kinds:
        raise UserError("held-out texts are a list of strings", where="texts", got=min(kinds))
    if tokenizer is None:
        raise UserError("watch needs the model's tokenizer", fix="pass it (tokenizer=…)")
    if len(texts) < MIN_TEXTS:
        raise UserError(
            "watch needs something to probe with",
            got=len(texts),
            expected=f"at least {MIN_TEXTS} held-out texts, or a suite",
            fix="pass texts=[…] or suite=…",
        )


def suite_of_texts(
    texts: Sequence[str], tokenizer: Any, settings: ProbeSettings, context: int
) -> Suite:
    """Build the suite that `watch` asks when it is given texts.

    Raises:
        UserError: No tokenizer, or too few texts.
    """
    from nucleate.corpora.blimp import find_blimp
    from nucleate.probes.text_suite import text_suite

    need_texts(texts, tokenizer)
    # One half stands for the corpus in the n-gram models, the other half is asked about.
    documents = Documents(tuple(texts[::2]), tuple(texts[1::2]), key="")
    encoded = tokenizer(list(documents.train), add_special_tokens=False)["input_ids"]
    end = begin_token(tokenizer)
    sample = [token for ids in encoded for token in (*ids, end)]
    return text_suite(
        documents,
        tokenizer,
        training_sample=np.array(sample, dtype=np.int64),
        items=settings.items,
        context=context,
        blimp=find_blimp(),
    )


def looks_at_texts(
    texts: Sequence[str], tokenizer: Any, settings: ProbeSettings, context: int, model: Any
) -> Suite | None:
    """Build what `watch` asks inside the model at its looks; None where none are wished for.

    Raises:
        UserError: There are no texts to look at, rows are too short for a string that is repeated,
            or heads of this architecture are not known.
    """
    if not settings.heads_per_decade:
        return None
    from nucleate.probes.looks import text_looks, with_inside
    from nucleate.probes.text_suite import document_rows

    if len(texts) < MIN_TEXTS or tokenizer is None:
        raise UserError(
            "looks at heads need held-out texts and a tokenizer",
            where="heads_per_decade",
            got=f"{len(texts)} texts",
            expected=f"at least {MIN_TEXTS}",
            fix="pass texts=[…] and tokenizer=…, or leave heads_per_decade out",
        )
    if context < HEADS_CONTEXT:
        raise UserError(
            "looks at heads need room for a string that is repeated",
            where="context",
            got=context,
            expected=f"{HEADS_CONTEXT} or more",
        )
    layers, heads = len(attention_parts(model)), int(model.config.num_attention_heads)
    if "routers" in settings.inside and not has_routers(model):
        raise UserError("inside asks routers, and the model has no experts", where="inside")
    asked = texts[1::2]
    looks = text_looks(asked, tokenizer, layers=layers, heads=heads, context=context)
    rows, _ = document_rows(asked, tokenizer, max(8, settings.items // 4), context, seed=0)
    return with_inside(looks, settings.inside, rows, model.config, context)
