"""Curve → Transitions → Phases: what changed sharply, what rose broadly, what did nothing.

Pure: numpy (and scipy where it is used), no files, no torch.
"""

from nucleate.detect.assess import ALPHA, MAX_WIDTH, assess, transitions
from nucleate.detect.claims import ClaimRow, Estimate, claim_table
from nucleate.detect.companions import standing
from nucleate.detect.examine import Findings, examine
from nucleate.detect.family import assess_curves, assess_runs
from nucleate.detect.multiplicity import benjamini_yekutieli
from nucleate.detect.phases import phases
from nucleate.detect.powerlaw import Sharpness, sharpness
from nucleate.detect.running import RunningPhase, running_phase
from nucleate.detect.score import level_score

__all__ = [
    "ALPHA",
    "MAX_WIDTH",
    "ClaimRow",
    "Estimate",
    "Findings",
    "RunningPhase",
    "Sharpness",
    "assess",
    "assess_curves",
    "assess_runs",
    "benjamini_yekutieli",
    "claim_table",
    "examine",
    "level_score",
    "phases",
    "running_phase",
    "sharpness",
    "standing",
    "transitions",
]
