"""Words, errors, settings and the random-state guard."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from nucleate.core import Curve, Reading, Step, UserError, companion, preserved_random_state
from nucleate.core.settings import parse_yaml
from nucleate.core.units import seconds, si, tokens


def test_user_error_is_one_short_line() -> None:
    error = UserError(
        "weights do not fit\nthe model",
        where="/a/" + "long/" * 60 + "config.json",
        got="x" * 500,
        expected="y" * 500,
        fix="use another checkpoint",
    )
    line = str(error)
    assert "\n" not in line
    assert len(line) <= 200
    assert line.endswith("use another checkpoint")
    assert "config.json" in line


def test_a_long_fix_never_hides_what_is_wrong() -> None:
    error = UserError("unknown key 'foo'", where="bad.yaml", fix=f"known keys: {'a, ' * 90}")
    assert str(error).startswith("bad.yaml: unknown key 'foo'; known keys: a, a")
    assert len(str(error)) <= 190
    both = UserError("w" * 150, where="bad.yaml", fix="f" * 150)
    assert str(both).startswith("bad.yaml: wwww")
    assert "; ffff" in str(both)


def test_companion() -> None:
    assert companion("agreement.attractor.accuracy") == "agreement.attractor.margin"
    assert companion("ngram.bigram.kl") is None
    assert companion("accuracy") is None


def test_curve_orders_its_readings() -> None:
    pairs = [(Step(i, i * 10), Reading("a.b", float(i))) for i in (3, 1, 2)]
    assert Curve.from_readings(pairs).values == (1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="several metrics"):
        Curve.from_readings([*pairs, (Step(4, 40), Reading("c.d", 0.0))])
    with pytest.raises(ValueError, match="at least one"):
        Curve.from_readings([])


def test_random_state_guard_restores_after_an_exception() -> None:
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    with pytest.raises(KeyError), preserved_random_state():  # noqa: PT012
        random.random()
        np.random.rand(3)  # noqa: NPY002
        torch.rand(3)
        raise KeyError
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1234, "1.23k"), (999_999, "1M"), (5e6, "5M"), (1.5e15, "1.5P"),
     (0.00012, "0.00012"), (float("nan"), "–"), (2.5e18, "2.5E"), (1e24, "1e24"),
     (-7.969e159, "-7.97e159")],
)  # fmt: skip
def test_si(value: float, text: str) -> None:
    assert si(value) == text


def test_tokens_and_seconds() -> None:
    assert tokens(2.5e9) == "2.5B"
    assert seconds(75) == "1 min 15 s"
    assert seconds(7260) == "2 h 01 min"


@pytest.mark.parametrize(
    ("text", "value"), [("a: 3e-3", 0.003), ("a: 6e6", 6e6), ("a: 1_000", 1000), ("a: 12", 12)]
)
def test_yaml_numbers(text: str, value: float) -> None:
    assert parse_yaml(text) == {"a": value}


def test_yaml_depth_and_size_are_limited() -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        parse_yaml("a: " + "[" * 50 + "]" * 50)
    with pytest.raises(UserError, match="nested too deeply"):
        parse_yaml("[" * 100_000)
