from __future__ import annotations

import math

import pytest

from nucleate.core import Level
from nucleate.views import labels


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, ".50"),
        (1.0, "1.00"),
        (-0.25, "−.25"),
        (0.0, ".00"),
        (-0.001, ".00"),
        (12.345, "12.35"),
    ],
)
def test_number(value, expected):
    assert labels.number(value) == expected


@pytest.mark.parametrize("write", [labels.number, labels.decades, labels.probability])
def test_nothing_is_ever_written_as_nan(write):
    assert write(math.nan) == "–"


def test_span_says_the_prefix_once():
    assert labels.span(580_000, 700_000) == "580–700k"
    assert labels.span(916_000, 1_110_000) == "916k–1.11M"
    assert labels.span(math.nan, 1.0) == "–"


def test_probability():
    assert labels.probability(1e-5) == "≤ 1e-5"
    assert labels.probability(4.0e-5) == "4e-5"
    assert labels.probability(0.034) == "0.034"
    assert labels.probability(None) == "–"


def test_unknown_metrics_are_named_by_their_stem():
    assert labels.metric_name("my.new_probe.accuracy") == "my · new probe"
    assert labels.metric_name("cause.all.accuracy") == "causal consistency"
    assert labels.plain_name("routers.L2.entropy") == "router of layer 2 (entropy)"
    assert labels.metric_name("loss.at16_31.nll") == "loss at positions 16–31"
    far = labels.metric_name("state.where_far_d31_up.margin")
    assert far == "where characters are, last mention wrong, 31 words or more later"


def test_levels_have_names_and_ranks():
    assert [labels.level_rank(str(level)) for level in Level] == list(range(len(Level)))
    assert all(labels.level_name(str(level)) for level in Level)
    assert labels.level_name("other_level") == "other level"


def test_item_sets_are_spelt_as_their_authors_spell_them():
    assert labels.metric_name("blimp.beyond_ngrams.accuracy") == "BLiMP · beyond n-grams"
    assert labels.capital(labels.metric_name("babi.state_far.accuracy")) == "bAbI · state far"
    assert labels.capital("causal consistency rose") == "Causal consistency rose"
