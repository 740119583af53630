"""Series: find, verify and load the checkpoints of one training run, whatever wrote them."""

from nucleate.models.series.find import find_series
from nucleate.models.series.loader import SeriesModel
from nucleate.models.series.tokenizer import load_tokenizer
from nucleate.models.series.weights import Weights, open_weights
from nucleate.models.series.words import Member, Series

__all__ = [
    "Member",
    "Series",
    "SeriesModel",
    "Weights",
    "find_series",
    "load_tokenizer",
    "open_weights",
]
