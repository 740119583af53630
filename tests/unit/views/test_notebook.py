"""What notebooks show: static, escaped, legible on light and on dark."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from nucleate.core import Curve, Evidence, Kind, Level, Reading, Step, Transition, Verdict
from nucleate.core.display import html
from nucleate.detect import transitions
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.notebook import COLOURS

ATTACK = "</svg></div><script>x</script><img src=x onerror=alert(1)>\"'\x00\ufffe"
TOKENS = np.geomspace(1e4, 1e7, 31)


def curve(metric: str = "agreement.attractor.accuracy", count: int = 31) -> Curve:
    values = 0.5 + 0.5 * (TOKENS > 3e5) + 0.003 * np.cos(7.0 * np.arange(31.0) ** 2)
    return Curve.from_readings(
        (Step(k, round(t)), Reading(metric, float(v), 0.01, 100, 0.5, "fraction", Level.SYNTAX))
        for k, (t, v) in enumerate(zip(TOKENS[:count], values[:count], strict=True))
    )


def change(metric: str) -> Transition:
    return Transition(
        *(metric, Kind.STEP, Verdict.STEP_LIKE, 6.4e5, 6e5, 7e5, 0.05, 0.5, 6.2e5),
        Evidence(10.0, 10.0, 1e-5, None),
    )


class Seen(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.keys: set[str] = set()
        self.feed(text)
        assert not self.open, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        self.keys |= {key for key, _ in attrs}

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.keys |= {key for key, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_an_accuracy_of_1_is_no_certainty() -> None:
    """z² / (n + z²) of 96 and of 1,000 items: .038 and .0038, which two digits cannot show."""
    found = curve()
    ends = {"values": (1.0,) * 31, "se": (0.0,) * 31}
    few = replace(found, **ends, counts=(96,) * 31)
    many = replace(found, **ends, counts=(1000,) * 31)
    assert "last 1.00 ± .04" in few._repr_html_()
    assert "last 1.00 ± &lt;.01" in many._repr_html_()
    assert ".00 ± .00" not in few._repr_html_() + many._repr_html_()


def test_a_curve_draws_itself_with_its_words() -> None:
    said = curve()._repr_html_()
    assert said is not None
    for words in (
        "<b>Agreement across an attractor</b>",
        "31 readings, 10k to 10M tokens, last 1.00 ± .02",
        "accuracy, chance .50",
        "<svg role",
    ):
        assert words in said


def test_a_transition_is_a_table() -> None:
    said = change("agreement.attractor.accuracy")._repr_html_() or ""
    assert "Agreement across an attractor: step-like" in said
    assert "640k (95 % 600–700k)" in said
    assert "≤ 1e-5" in said
    [found] = transitions(TOKENS, curve().values)
    assert (found._repr_html_() or "").startswith("<div")


def test_a_run_tells_its_story(run_path) -> None:
    said = Run.open(run_path)._repr_html_() or ""
    Seen(said)
    for words in ("finished, 6M tokens", "Score of each level", "transition candidate"):
        assert words in said


@pytest.mark.parametrize("kind", ["curve", "transition", "run"])
def test_nothing_acts_and_nothing_loads(tmp_path, kind) -> None:
    if kind == "run":
        with RunWriter.create(tmp_path / "run", Manifest(ATTACK)) as writer:
            for k in range(12):
                reading = Reading(f"{ATTACK}.accuracy", 0.5 + 0.4 * (k > 5), 0.01, 10, 0.5, ATTACK)
                writer.reading(Step(k, 1000 * 2**k), reading)
        said = Run.open(tmp_path / "run")._repr_html_()
    else:
        said = (curve if kind == "curve" else change)(f"{ATTACK}.accuracy")._repr_html_()
    seen = Seen(said or "")
    assert not seen.tags & {"script", "img", "style", "link", "iframe", "object"}
    assert not {key for key in seen.keys if key.startswith("on")} | seen.keys & {"src", "href"}
    assert "class" not in seen.keys


@pytest.mark.parametrize("count", [0, 1, 2])
def test_curves_with_little_in_them(count) -> None:
    few = (
        Curve("a.b", Level.SYNTAX, "", float("nan"), (), (), ())
        if count == 0
        else curve(count=count)
    )
    said = few._repr_html_() or ""
    Seen(said)
    assert "nan" not in said
    assert f"{count} reading" in said


def test_a_run_that_cannot_be_read_says_so(tmp_path) -> None:
    with RunWriter.create(tmp_path / "run", Manifest("empty")):
        pass
    assert "No readings have been taken yet" in (Run.open(tmp_path / "run")._repr_html_() or "")


def test_what_nobody_draws_falls_back_to_its_repr() -> None:
    assert html(3) is None


def test_colours_are_legible_on_white_and_on_black() -> None:
    for name, colour in COLOURS.items():
        if len(colour) == 7:
            for ground in ("#ffffff", "#111111"):
                assert contrast(colour, ground) >= 3.0, (name, ground)


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_words_load_no_view_until_a_notebook_asks() -> None:
    code = (
        "import sys, nucleate.core, nucleate.detect, nucleate.store\n"
        "assert not [m for m in sys.modules if m.startswith('nucleate.views')]\n"
        "from nucleate.core import Curve, Level\n"
        "Curve('a.b', Level.SYNTAX, '', 0.5, (), (), ())._repr_html_()\n"
        "assert 'nucleate.views.notebook' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_through_ipython() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    said, _ = formatters.DisplayFormatter().format(curve())
    assert said["text/html"].startswith("<div")
    assert said["text/plain"].startswith("Curve(")
