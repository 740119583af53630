"""Mixtures of experts: how sure the router is, how load is spread, and who reads which tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError
from nucleate.probes.rest import at_rest

# Suffixes: L layers, B rows, T tokens, N positions, E experts, C classes of tokens.

Array = NDArray[np.float64]


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
    """

    entropy: float
    load_E: Array
    effective_experts: float
    load_CE: Array
    specialization: float
    by_chance: float


@torch.no_grad()
def router_logits(model: Any, ids_BT: torch.Tensor) -> Array:
    """Return the logits of every router, from one forward pass that leaves the model as it was.

    Args:
        model: A causal `transformers` model with routers (Mixtral).
        ids_BT: Token ids, shape ``(B, T)``, without padding.

    Returns:
        Shape ``(L, B·T, E)``, positions row by row.

    Raises:
        DataError: The model has no routers.
    """
    if not getattr(model.config, "num_local_experts", None):
        raise DataError("the model has no routers", got=type(model).__name__, expected="Mixtral")
    with at_rest(model), torch.no_grad():
        device = next(model.parameters()).device
        found = model(input_ids=ids_BT.to(device), output_router_logits=True, use_cache=False)
        return torch.stack([layer.double().cpu() for layer in found.router_logits]).numpy()


def routing(
    logits_NE: ArrayLike,
    experts_per_token: int,
    classes_N: ArrayLike | None = None,
    *,
    given_N: ArrayLike | None = None,
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
        shuffles, seed: Of the classes, for the bias of mutual information.

    Source: entropy and load as in Fedus et al. 2022 (arXiv:2101.03961); specialisation by token
    class as in Jiang et al. 2024 (arXiv:2401.04088), section 5.
    """
    logits = np.asarray(logits_NE, dtype=np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    chosen_NE = np.zeros_like(logits)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :experts_per_token]
    np.put_along_axis(chosen_NE, top, 1.0, axis=1)
    load_E = chosen_NE.mean(0) / experts_per_token
    entropy = -(np.exp(log_p) * log_p).sum(1).mean()
    spread = math.exp(-sum(share * math.log(share) for share in load_E if share > 0))
    if classes_N is None:
        none = np.empty((0, logits.shape[1]))
        return Routing(float(entropy), load_E, spread, none, math.nan, math.nan)
    classes = _numbered(classes_N)
    given = np.zeros_like(classes) if given_N is None else _numbered(given_N)
    rng = np.random.default_rng(seed)
    chance = float(
        np.mean([_added(_shuffled(classes, given, rng), given, chosen_NE) for _ in range(shuffles)])
    )
    table_CE = _table(classes, chosen_NE)
    load_CE = table_CE / table_CE.sum(1, keepdims=True)
    added = _added(classes, given, chosen_NE) - chance
    return Routing(float(entropy), load_E, spread, load_CE, added, chance)


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
