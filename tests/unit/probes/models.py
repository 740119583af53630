"""Tiny random models, and views that answer what a test tells them to."""

from __future__ import annotations

import numpy as np

from nucleate.models import ModelSettings, build

VOCABULARY = 97
FAMILIES = ("llama", "neox", "mixtral")


def tiny(family="llama", vocabulary=VOCABULARY, seed=3):
    """A model with weights so large that its log-probabilities differ by several nats."""
    extra = {} if family == "neox" else {"kv_heads": 1}
    extra |= {"experts": 4, "experts_per_token": 2} if family == "mixtral" else {}
    shape = {"layers": 2, "width": 32, "heads": 2, "mlp_width": 48, "context": 128}
    settings = ModelSettings(family=family, init_std=0.5, **shape, **extra)
    return build(settings, vocabulary, seed).eval()


def sequences(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [tuple(rng.integers(0, VOCABULARY, length).tolist()) for length in lengths]


class Told:
    """Stands where a `ModelView` stands and returns given arrays."""

    def __init__(self, answers=None, log_probs=None):
        self._answers, self._log_probs = answers, log_probs

    def answers(self, plan):
        assert len(self._answers) == plan.offsets[-1]
        return np.asarray(self._answers, dtype=np.float64)

    def log_probs(self, rows):
        return self._log_probs(rows)
