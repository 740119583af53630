"""Landscape probes: the shape of the loss around the weights, measured without moving them."""

from nucleate.probes.landscape.hessian import (
    HessianTrace,
    TopEigenvalue,
    hessian_trace,
    top_eigenvalue,
)
from nucleate.probes.landscape.line import Line, loss_on_line
from nucleate.probes.landscape.llc import LearningCoefficient, llc
from nucleate.probes.landscape.noise import NoiseScale, critical_batch_of_loss, noise_scale
from nucleate.probes.landscape.objective import token_loss
from nucleate.probes.landscape.sgld import SGLD

__all__ = [
    "SGLD",
    "HessianTrace",
    "LearningCoefficient",
    "Line",
    "NoiseScale",
    "TopEigenvalue",
    "critical_batch_of_loss",
    "hessian_trace",
    "llc",
    "loss_on_line",
    "noise_scale",
    "token_loss",
    "top_eigenvalue",
]
