"""What the map of heads needs to be moved by a reader: every look at every head, as compact JSON.

Shape legend: T looks, L layers, H heads.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from nucleate.core.heads import label, unlabel
from nucleate.core.units import tokens
from nucleate.store.heads import HeadHistory

MOST = 60_000
"""Cells (looks × roles × heads) beyond which the page would become too heavy to carry them."""


def head_data(history: HeadHistory, axis: str) -> str:
    """Return the looks of a run as JSON; empty where there are too many, or too few to move.

    Keys: ``at`` (tokens of each look), ``shown`` (the same in words), ``axis``, ``heads`` (labels),
    ``layers``, ``roles``: of each its ``name``, ``unit``, ``chance``, ``v`` (scores, look by look,
    head by head; null where unknown), ``e`` (what is lost without the head, nats), ``s`` and ``f``
    (their standard errors) and ``held`` (numbers of the heads that have the role at each look);
    ``story``, where one was looked at: ``words``, ``answer``, ``a`` (attention in hundredths).
    """
    if not history.tables:
        return ""
    last = history.tables[-1]
    layers, heads = history.values(history.names[0]).shape[1:]
    if len(history.steps) < 2 or len(history.steps) * len(last.asked) * layers * heads > MOST:
        return ""
    roles = [_role(history, role, heads) for role in last.asked]
    content = {
        "at": [step.tokens for step in history.steps],
        "shown": [tokens(step.tokens) for step in history.steps],
        "axis": axis,
        "layers": layers,
        "heads": [label(layer, head) for layer in range(layers) for head in range(heads)],
        "roles": [role for role in roles if role],
        "story": _story(history),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) if roles else ""


def _role(history: HeadHistory, role: str, heads: int) -> dict[str, Any]:
    score, effect = history.tables[-1].asked[role]
    about = history.tables[-1].scores[score]
    held = [
        [layer * heads + head for layer, head in map(unlabel, holders)]
        for holders in history.holders(role)
    ]
    return {
        "name": role,
        "unit": about.unit,
        "chance": _short(about.chance),
        "v": _rows(history.values(score)),
        "s": _rows(history.se(score)),
        "e": _rows(history.values(effect)),
        "f": _rows(history.se(effect)),
        "held": held,
    }


def _story(history: HeadHistory) -> dict[str, Any] | None:
    seen = [table.example for table in history.tables]
    first = next((one for one in seen if one is not None), None)
    if first is None:
        return None
    return {
        "words": list(first.words),
        "answer": first.answer,
        "a": [
            None
            if one is None or one.words != first.words
            else np.rint(100 * one.attention_LHT).astype(int).reshape(-1, len(one.words)).tolist()
            for one in seen
        ],
    }


def _rows(values_TLH: np.ndarray[Any, Any]) -> list[list[float | None]]:
    return [[_short(float(x)) for x in look.ravel()] for look in values_TLH]


def _short(value: float) -> float | None:
    """Return three significant digits, and never an exponent's worth of noise."""
    return float(f"{value:.3g}") if math.isfinite(value) else None
