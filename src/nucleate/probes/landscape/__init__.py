"""Landscape probes: the shape of the loss around the weights, measured without moving them."""

from nucleate.probes.landscape.llc import LearningCoefficient, llc
from nucleate.probes.landscape.objective import token_loss
from nucleate.probes.landscape.sgld import SGLD

__all__ = ["SGLD", "LearningCoefficient", "llc", "token_loss"]
