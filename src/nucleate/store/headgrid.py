"""Scores of all heads as one xarray Dataset: look × layer × head, with labels and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.core import UserError
from nucleate.core.heads import unlabel

if TYPE_CHECKING:
    from nucleate.store.heads import HeadHistory


def dataset_of_heads(history: HeadHistory) -> Any:
    """Return the Dataset; see `HeadHistory.to_xarray`."""
    try:
        import xarray as xr
    except ImportError:
        raise UserError(
            "labelled arrays need the package xarray", fix="pip install 'nucleate[xarray]'"
        ) from None
    dims = ("step", "layer", "head")
    values: dict[str, Any] = {}
    shape = (len(history.steps), 0, 0)
    for name in history.names:
        scores_TLH = history.values(name)
        shape = scores_TLH.shape
        known = next(table.scores[name] for table in history.tables if name in table.scores)
        about = {"unit": known.unit, "chance": known.chance, "n": known.n}
        values[name] = (dims, scores_TLH, about)
        values[f"{name}.se"] = (dims, history.se(name), {"unit": known.unit})
    for role in history.roles:
        held_TLH = np.zeros(shape, dtype=bool)
        for look, holders in enumerate(history.holders(role)):
            for head in holders:
                held_TLH[(look, *unlabel(head))] = True
        values[f"role.{role}"] = (dims, held_TLH)
    coords = {
        "step": [step.step for step in history.steps],
        "tokens": ("step", [step.tokens for step in history.steps]),
        "layer": np.arange(shape[1]),
        "head": np.arange(shape[2]),
    }
    return xr.Dataset(values, coords=coords)
