"""Evidence in plain words: what controllers write, and what none of this version writes."""

from __future__ import annotations

import pytest

from nucleate.core import Level, Reading, Step
from nucleate.train.control import Controller, Rule
from nucleate.views.reasons import sentences

FLAT = [0.25, 0.27, 0.24, 0.26, 0.25]
ABOVE = {"above": {"metric": "m", "value": 0.5}}


@pytest.mark.parametrize(
    ("when", "values", "said"),
    [
        ({"tokens": 2000}, [0.1] * 2, ["2k tokens were reached"]),
        ({"tokens": 0}, [0.1], ["before the first step"]),
        (
            {"above": {"metric": "m", "value": 0.5, "se": 2}},
            [0.6],
            ["m was 0.6 ± 0.02 at 1k, above 0.5 by more than 2 × its standard error"],
        ),
        ({"any": [{"tokens": 9000}, ABOVE]}, [0.6], ["m was 0.6 ± 0.02 at 1k, above 0.5"]),
        (
            {"saturated": {"metric": "m"}},
            [0.98, 0.97],
            [
                "m was 0.97 ± 0.02 at 2k; the last two readings stand 96% of the way from chance "
                "to 1 or higher, 95% asked for"
            ],
        ),
        (
            {"transition": {"metric": "m"}},
            [*FLAT, 0.5, 0.6],
            [
                "m was 0.5 ± 0.02 at 6k; the last two readings differ from 0.255 by 0.12: "
                "z = 6.93, 4 asked for"
            ],
        ),
        (
            {"none": [ABOVE, {"saturated": {"metric": "n"}}, {"all": [{"tokens": 9000}, ABOVE]}]},
            [0.3],
            [
                "not above 0.5: m was 0.3 ± 0.02 at 1k",
                "not saturated: n was not read yet",
                "not all of these: 9k tokens, m above 0.5",
            ],
        ),
    ],
)
def test_what_a_condition_says(when, values, said):
    rule = Rule.model_validate({"name": "r", "when": when, "pull": {"lever": 1}})
    controller = Controller([rule])
    for number, value in enumerate(values, start=1):
        read = Reading("m", value, 0.02, 100, 0.25, "fraction", Level.NARRATIVE)
        if found := controller.observe(Step(number, 1000 * number), [read], whole=False):
            break
    assert sentences(found[0].evidence) == said


def test_a_deadline_says_where_its_metrics_stood():
    cause = {"condition": "deadline", "deadline": True, "tokens": 500, "values": {"m": 0.25}}
    assert sentences(cause) == ["its deadline, 500 tokens, was reached", "m stood at 0.25"]


@pytest.mark.parametrize(
    ("strange", "said"),
    [
        ({"condition": "above", "metric": "m"}, ["above: m"]),
        ({"none": [{"condition": "above"}], "x": 1}, ["none [{'condition': 'above'}], x 1"]),
        ({}, [""]),
    ],
)
def test_evidence_that_lacks_something_is_listed(strange, said):
    assert sentences(strange) == said
