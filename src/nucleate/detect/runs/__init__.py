"""Across metrics and runs: order, lead and lag, collapse, resolution, phases and n-gram peaks."""

from nucleate.detect.runs.alignment import Alignment, Lag, Placed, align, uniform_difference
from nucleate.detect.runs.collapse import Collapse, collapse_test
from nucleate.detect.runs.crosslag import CrossLag, cross_lag
from nucleate.detect.runs.ngram_peaks import NgramPeak, PeakOrder, ngram_peak, peak_order
from nucleate.detect.runs.ordering import Ordering, ordering, sign_test
from nucleate.detect.runs.ordertable import OrderingTable, holm, ordering_table
from nucleate.detect.runs.resolution import (
    Resolution,
    binomial_stderr,
    clopper_pearson,
    exact_match,
    resolution,
    rule_of_three,
    smallest_resolvable,
    upper_bound_at_zero,
)
from nucleate.detect.runs.segmentation import Boundary, Segmentation, segment
from nucleate.detect.runs.timing import Timing

__all__ = [
    "Alignment",
    "Boundary",
    "Collapse",
    "CrossLag",
    "Lag",
    "NgramPeak",
    "Ordering",
    "OrderingTable",
    "PeakOrder",
    "Placed",
    "Resolution",
    "Segmentation",
    "Timing",
    "align",
    "binomial_stderr",
    "clopper_pearson",
    "collapse_test",
    "cross_lag",
    "exact_match",
    "holm",
    "ngram_peak",
    "ordering",
    "ordering_table",
    "peak_order",
    "resolution",
    "rule_of_three",
    "segment",
    "sign_test",
    "smallest_resolvable",
    "uniform_difference",
    "upper_bound_at_zero",
]
