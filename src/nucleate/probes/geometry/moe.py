"""Mixtures of experts: how sure the router is, how load is spread, and who reads which tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError
from nucleate.models import layer_modules
from nucleate.probes.rest import at_rest

# Suffixes: L layers, B rows, T tokens, N positions, E experts, C classes of tokens.

Array = NDArray[np.float64]

ROUTED = ("mixtral", "olmoe", "flex_olmo", "qwen2_moe", "qwen3_moe")
"""Model types whose routers choose the experts of the largest logits, by a softmax over all."""


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """What one router does.

    Attributes:
        entropy: Mean entropy of a token's probabilities over the experts, nats; at most ``ln E``.
        load_E: Share of all assignments that each expert gets.
        effective_experts: exp of the entropy of the load; E when balanced, 1 when collapsed.
        load_CE: The same share among the tokens of each class, classes sorted (empty without).
        specialization: Mutual information of a token's class and expert, nats, less what shuffled
            classes show (NaN without classes); what the class adds where something is given.
        by_chance: What shuffled classes show, nats.
        se: Standard errors by attribute (``entropy``, ``largest_load``, ``effective_experts``,
            ``specialization``), by the jackknife over rows; empty without rows.
    """

    entropy: float
    load_E: Array
    effective_experts: float
    load_CE: Array
    specialization: float
    by_chance: float
    se: Mapping[str, float] = field(default_factory=dict)


@torch.no_grad()
def router_logits(model: Any, ids_BT: torch.Tensor) -> Array:
    """Return the logits of every router, from one forward pass that leaves the model as it was.

    Args:
        model: A causal `transformers` model with routers, of one of the `ROUTED` types.
        ids_BT: Token ids, shape ``(B, T)``, without padding.

    Returns:
        Shape ``(L, B·T, E)``, positions row by row; L counts the layers that have a router
        (`routed_layers`).

    Raises:
        DataError: The model has no routers, or its routers are not known.
    """
    if model.config.model_type not in ROUTED or not routed_layers(model):
        raise DataError(
            "the model has no routers that are known",
            got=model.config.model_type,
            expected=", ".join(ROUTED),
        )
    with at_rest(model), torch.no_grad():
        device = next(model.parameters()).device
        found = model(input_ids=ids_BT.to(device), output_router_logits=True, use_cache=False)
        return torch.stack([layer.double().cpu() for layer in found.router_logits]).numpy()


def routed_layers(model: Any) -> list[int]:
    """Return which layers have a router; in some models not all do."""
    layers = layer_modules(model).values()
    return [at for at, layer in enumerate(layers) if hasattr(layer.mlp, "experts")]


def routing(
    logits_NE: ArrayLike,
    experts_per_token: int,
    classes_N: ArrayLike | None = None,
    *,
    given_N: ArrayLike | None = None,
    rows_N: ArrayLike | None = None,
    shuffles: int = 20,
    seed: int = 0,
) -> Routing:
    """Describe one router from its logits.

    Args:
        logits_NE: Logits before the softmax, shape ``(N, E)``.
        experts_per_token: Experts that a token passes through: those of its largest logits.
        classes_N: Class of each token (part of speech, grammatical role, frequency bin …).
        given_N: What is known of each token anyway, such as its id: information is then
            conditional on it, and classes are shuffled among tokens of which the same is known.
        rows_N: Row of text that each token is of; standard errors are over rows.
        shuffles, seed: Of the classes, for the bias of mutual information.

    Source: entropy and load as in Fedus et al. 2022 (arXiv:2101.03961); specialisation by token
    class as in Jiang et al. 2024 (arXiv:2401.04088), section 5.
    """
    logits = np.asarray(logits_NE, dtype=np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    chosen_NE = np.zeros_like(logits)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :experts_per_token]
    np.put_along_axis(chosen_NE, top, 1.0, axis=1)
    sure_N = -(np.exp(log_p) * log_p).sum(1)
    classes = None if classes_N is None else _numbered(classes_N)
    given = np.zeros(len(logits), dtype=np.int64) if given_N is None else _numbered(given_N)
    whole = _summary(sure_N, chosen_NE, classes, given)
    se = {}
    if rows_N is not None:
        rows = _numbered(rows_N)
        left = (rows != row for row in range(int(rows.max()) + 1))
        without = [
            _summary(sure_N[at], chosen_NE[at], None if classes is None else classes[at], given[at])
            for at in left
        ]
        se = {name: _jackknife([each[name] for each in without]) for name in whole}
    load_E = chosen_NE.mean(0) / experts_per_token
    entropy, spread = whole["entropy"], whole["effective_experts"]
    if classes is None:
        none = np.empty((0, logits.shape[1]))
        return Routing(entropy, load_E, spread, none, math.nan, math.nan, se)
    rng = np.random.default_rng(seed)
    chance = float(
        np.mean([_added(_shuffled(classes, given, rng), given, chosen_NE) for _ in range(shuffles)])
    )
    table_CE = _table(classes, chosen_NE)
    load_CE = table_CE / table_CE.sum(1, keepdims=True)
    added = whole["specialization"] - chance
    return Routing(entropy, load_E, spread, load_CE, added, chance, se)


def _summary(
    sure_N: Array,
    chosen_NE: Array,
    classes_N: NDArray[np.int64] | None,
    given_N: NDArray[np.int64],
) -> dict[str, float]:
    """Return what one number says of a router, by name; specialization with its bias."""
    load_E = chosen_NE.mean(0) / chosen_NE[0].sum()
    spread = -sum(share * math.log(share) for share in load_E.tolist() if share > 0)
    found = {
        "entropy": float(sure_N.mean()),
        "largest_load": float(load_E.max()),
        "effective_experts": math.exp(spread),
    }
    if classes_N is not None:
        found["specialization"] = _added(classes_N, given_N, chosen_NE)
    return found


def _jackknife(without: list[float]) -> float:
    """Return the standard error of a number from its values without each row in turn."""
    if len(without) < 2:
        return math.nan
    return math.sqrt((len(without) - 1) * float(np.var(without)))


def _numbered(labels_N: ArrayLike) -> NDArray[np.int64]:
    return np.unique(np.asarray(labels_N), return_inverse=True)[1].astype(np.int64)


def _shuffled(
    classes_N: NDArray[np.int64], given_N: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the classes, shuffled among tokens of which the same is given."""
    shuffled_N = np.empty_like(classes_N)
    drawn_N = np.lexsort((rng.random(len(classes_N)), given_N))
    shuffled_N[np.argsort(given_N, kind="stable")] = classes_N[drawn_N]
    return shuffled_N


def _added(classes_N: NDArray[np.int64], given_N: NDArray[np.int64], chosen_NE: Array) -> float:
    """Mutual information of class and expert, conditional on what is given, nats."""
    both_N = _numbered(given_N * (int(classes_N.max()) + 1) + classes_N)
    return _information(_table(both_N, chosen_NE)) - _information(_table(given_N, chosen_NE))


def _table(classes: NDArray[np.int64], chosen_NE: Array) -> Array:
    table = np.zeros((int(classes.max()) + 1, chosen_NE.shape[1]))
    np.add.at(table, classes, chosen_NE)
    return table


def _information(table_CE: Array) -> float:
    """Mutual information of rows and columns of a table of counts, nats."""
    joint = table_CE / table_CE.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())
