"""Linear probes with what keeps them honest: a control task, a baseline, and description length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nucleate.core import DataError

# Suffixes: N samples, D dimensions, C classes.

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

BLOCKS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Where the online code retrains, as shares of the data: Voita and Titov 2020, section 3.2."""


@dataclass(frozen=True, slots=True)
class Probing:
    """What a linear probe finds in some representations.

    Attributes:
        accuracy: On held-out samples.
        majority: Held-out accuracy of the most frequent training class.
        control: Accuracy of the same probe on the control task (NaN without).
        selectivity: ``accuracy − control``.
        selectivity_se: Its standard error over held-out samples.
        baseline: Accuracy on the baseline representations (NaN without).
        mdl: Description length of the labels given the representations, online code, nats per
            sample.
        control_mdl, baseline_mdl: The same of the control task and of the baseline.
        compression: ``ln C / mdl``: how many times shorter than without representations.
        held_out: Number of held-out samples.
    """

    accuracy: float
    majority: float
    control: float
    selectivity: float
    selectivity_se: float
    baseline: float
    mdl: float
    control_mdl: float
    baseline_mdl: float
    compression: float
    held_out: int


def selectivity(
    features_ND: ArrayLike,
    labels_N: ArrayLike,
    control_labels_N: ArrayLike | None = None,
    *,
    baseline_ND: ArrayLike | None = None,
    held_out: float = 0.3,
    seed: int = 0,
) -> Probing:
    """Probe representations for labels, and the same representations for a control task.

    The probe is softmax regression on standardised features with a standard normal prior on its
    weights; nothing is tuned. Samples are split at random, so pass one sample per occurrence.

    Args:
        features_ND: Representations, shape ``(N, D)``.
        labels_N: What to read off them: token identity, grammatical role, entity state.
        control_labels_N: The control task, see `control_labels`.
        baseline_ND: Representations of the same samples by a model with random weights.
        held_out: Share of samples that accuracy is measured on.
        seed: Of the split and of the order of the online code.

    Raises:
        DataError: Fewer than 20 samples, one class, or arrays of different length.

    Source: Hewitt and Liang 2019 (arXiv:1909.03368); Voita and Titov 2020 (arXiv:2003.12298).
    """
    x, y = _checked(features_ND, labels_N)
    order = np.random.default_rng(seed).permutation(len(x))
    train, test = order[: -int(len(x) * held_out)], order[-int(len(x) * held_out) :]
    hits = _hits(x, y, train, test)
    counts = np.bincount(y[train])
    control_hits = np.full(len(test), math.nan)
    control_mdl = baseline = baseline_mdl = math.nan
    if control_labels_N is not None:
        _, control = _checked(features_ND, control_labels_N)
        control_hits, control_mdl = _hits(x, control, train, test), _online(x, control, order)
    if baseline_ND is not None:
        plain, _ = _checked(baseline_ND, labels_N)
        baseline, baseline_mdl = _hits(plain, y, train, test).mean(), _online(plain, y, order)
    difference, mdl = hits - control_hits, _online(x, y, order)
    return Probing(
        accuracy=float(hits.mean()),
        majority=float((y[test] == counts.argmax()).mean()),
        control=float(control_hits.mean()),
        selectivity=float(difference.mean()),
        selectivity_se=float(difference.std(ddof=1) / math.sqrt(len(test))),
        baseline=float(baseline),
        mdl=mdl,
        control_mdl=control_mdl,
        baseline_mdl=baseline_mdl,
        compression=math.log(int(y.max()) + 1) / mdl if mdl > 0 else math.inf,
        held_out=len(test),
    )


def control_labels(types_N: ArrayLike, labels_N: ArrayLike, *, seed: int = 0) -> Labels:
    """Return a control task: every type of token gets one label at random, whatever the context.

    Labels are drawn with their frequencies. Only memory of types solves it.

    Args:
        types_N: Type of each sample (its token id), shape ``(N,)``.
        labels_N: Labels of the real task, same shape.
        seed: Of the draw.

    Source: Hewitt and Liang 2019 (arXiv:1909.03368), section 2.
    """
    kinds, which = np.unique(np.asarray(types_N), return_inverse=True)
    classes, inverse = np.unique(np.asarray(labels_N), return_inverse=True)
    share = np.bincount(inverse) / len(inverse)
    drawn = np.random.default_rng(seed).choice(len(classes), len(kinds), p=share)
    found: Labels = drawn[which]
    return found


def _hits(x: Array, y: Labels, train: Labels, test: Labels) -> Array:
    log_p = _predict(_fit(x[train], y[train], int(y.max()) + 1), x[test])
    found: Array = (log_p.argmax(1) == y[test]).astype(np.float64)
    return found


def _online(x: Array, y: Labels, order: Labels) -> float:
    """Code length in nats per sample: each block coded by a probe that has seen those before."""
    x, y, classes = x[order], y[order], int(y.max()) + 1
    ends = sorted({max(2, round(share * len(x))) for share in BLOCKS})
    total = ends[0] * math.log(classes)
    for start, end in pairwise(ends):
        log_p = _predict(_fit(x[:start], y[:start], classes), x[start:end])
        total -= float(log_p[np.arange(end - start), y[start:end]].sum())
    return total / len(x)


_Probe = tuple[Array, Array, Array]


def _fit(x: Array, y: Labels, classes: int) -> _Probe:
    """Softmax regression by its posterior mode; returns mean, scale and weights with a bias row."""
    from scipy.optimize import minimize

    mean, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    z = np.hstack([(x - mean) / scale, np.ones((len(x), 1))])
    target = np.eye(classes)[y]

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(z.shape[1], classes)
        logits = z @ w
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        value = -(target * log_p).sum() + 0.5 * flat @ flat
        return float(value), (z.T @ (np.exp(log_p) - target) + w).ravel()

    start = np.zeros(z.shape[1] * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return mean, scale, found.x.reshape(z.shape[1], classes)


def _predict(probe: _Probe, x: Array) -> Array:
    mean, scale, w = probe
    logits = (x - mean) / scale @ w[:-1] + w[-1]
    found: Array = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return found


def _checked(features_ND: ArrayLike, labels_N: ArrayLike) -> tuple[Array, Labels]:
    x = np.asarray(features_ND, dtype=np.float64)
    classes, y = np.unique(np.asarray(labels_N), return_inverse=True)
    if x.ndim != 2 or len(x) != len(y) or len(x) < 20 or len(classes) < 2:
        raise DataError(
            "nothing to probe",
            got=f"shape {x.shape}, {len(y)} labels, {len(classes)} classes",
            expected="(N, D), N ≥ 20 labels of 2 classes or more",
        )
    return x, y.astype(np.int64)
