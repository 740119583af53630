"""The coherence suite: one module per level, each turning published or made items into parts."""

from nucleate.probes.coherence.request import Parts, SuiteRequest
from nucleate.probes.coherence.suite import LEVELS, coherence_suite

__all__ = ["LEVELS", "Parts", "SuiteRequest", "coherence_suite"]
