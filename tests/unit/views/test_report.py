from __future__ import annotations

import hashlib
import re
import shutil
from base64 import b64encode
from html.parser import HTMLParser

import pytest

from nucleate.core import Decision, Event, LedgerEntry, Level, Reading, RunFolderError, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.facts import settings_text
from nucleate.views.report import render_report, write_report

ATTACK = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{ 7*7 }}"


class Page(HTMLParser):
    """Collects tags, attributes and the sources of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.sources, self.text = [], [], {}, []
        self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        self._inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.sources[self._inside] = self.sources.get(self._inside, "") + data
        else:
            self.text.append(data)


@pytest.fixture(scope="module")
def page(run_path, analysis):
    return render_report(Run.open(run_path), analysis)


def test_write_report(run_path, tmp_path, page):
    assert write_report(run_path).name == "report.html"
    out = write_report(run_path, tmp_path / "deep" / "x.html")
    assert out.read_text() == page
    with pytest.raises(RunFolderError):
        write_report(tmp_path / "missing")


def test_it_is_deterministic_and_small(run_path, page):
    assert render_report(Run.open(run_path)) == page
    assert len(page.encode()) < 1_000_000


def test_it_loads_nothing(page):
    found = Page(page)
    for tag, key, value in found.attributes:
        if key in ("src", "srcset", "data", "poster", "action"):
            pytest.fail(f"<{tag} {key}={value!r}>")
        if key in ("href", "xlink:href"):
            saved = ("data:text/csv;", "data:application/gzip;", "data:image/svg+xml;")
            assert value.startswith(("#", *saved))
    assert not {"link", "iframe", "img", "object", "embed", "base"} & set(found.tags)
    sources = found.sources["style"] + found.sources["script"].replace("http://www.w3.org", "")
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest", sources)


def test_the_policy_lets_only_its_own_sources_act(page):
    found = Page(page)
    policy = next(value for _, key, value in found.attributes if key == "content")
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for name in ("script", "style"):
        digest = b64encode(hashlib.sha256(found.sources[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert found.tags.count("script") == found.tags.count("style") == 1
    # Inline styles and handlers would be blocked by this policy, so there must be none.
    assert not [key for _, key, _ in found.attributes if key == "style" or key.startswith("on")]
    assert len(found.sources["script"].splitlines()) <= 100


def test_nothing_is_printed_as_nan_or_none(page):
    said = " ".join(Page(page).text)
    assert not re.search(r"\b(nan|inf|None)\b", said)
    assert not re.search(r'="[^"]*\b(nan|inf)\b[^"]*"', page)


def test_it_holds_every_part_in_order(page):
    places = [
        page.index(f'<section id="{part}"')
        for part in (
            "ladder",
            "verdicts",
            "phases",
            "curves",
            "loss",
            "cost",
            "events",
            "paper",
            "settings",
            "reading",
        )
    ]
    assert page.index("What happened") < places[0]
    assert places == sorted(places)
    for words in ("never left chance", "broad rise", "nucleate train recipe.yaml", "modelled"):
        assert words in page


def test_phase_transition_is_never_said(page):
    assert "phase transition" not in page.lower()


def test_every_text_of_a_run_is_escaped(tmp_path):
    manifest = Manifest(
        name=ATTACK,
        recipe={ATTACK: ATTACK, "list": [ATTACK]},
        environment={ATTACK: ATTACK, "command": ["nucleate", ATTACK]},
        seeds={ATTACK: 1},
        primary={"syntax": ATTACK},
        created=ATTACK,
        nucleate=ATTACK,
    )
    with RunWriter.create(tmp_path / "run", manifest) as writer:
        for k in range(12):
            step = Step(k, 1000 * 2**k, lr=1e-3 * k)
            for metric, unit in ((f"{ATTACK}.accuracy", "fraction"), (f"{ATTACK}.margin", ATTACK)):
                value = 0.5 + 0.4 * (k > 5) + 0.001 * (k % 3)
                reading = Reading(metric, value, 0.01, 100, 0.5, unit, Level.SYNTAX)
                writer.reading(step, reading)
            writer.loss(step, 3.0 - 0.1 * k, 1.0)
            writer.event(Event(step, ATTACK, ATTACK))
        writer.ledger([LedgerEntry(ATTACK, 1e9, 3.0)])
    text = render_report(Run.open(tmp_path / "run"))
    found = Page(text)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert not [key for _, key, _ in found.attributes if key.startswith("on")]
    assert "alert('x')</script>" not in text
    assert "{{ 7*7 }}" in " ".join(found.text)


@pytest.mark.parametrize("num_readings", [0, 1, 2, 5])
@pytest.mark.parametrize("start", [0, 1000])
def test_runs_with_little_in_them(tmp_path, num_readings, start):
    with RunWriter.create(tmp_path / "run", Manifest(name="little")) as writer:
        for k in range(num_readings):
            step = Step(k, start * 2**k if k else start)
            writer.reading(step, Reading("order.accuracy", 0.5, level=Level.NARRATIVE))
            writer.loss(step, float("nan") if k == 1 else 3.0, 1.0)
    text = render_report(Run.open(tmp_path / "run"))
    assert "<h1>little</h1>" in text
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(Page(text).text))


def test_a_read_only_folder_can_still_be_reported(run_path, analysis, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(run_path, copy)
    (copy / "analysis.json").unlink()

    def refuse(path, content):
        raise OSError("read-only")

    monkeypatch.setattr("nucleate.detect.assess_curves", lambda _: dict(analysis.assessments))
    monkeypatch.setattr("nucleate.store.files.write_atomic", refuse)
    assert "<!doctype html>" in render_report(Run.open(copy))
    with pytest.raises(RunFolderError, match="cannot be written"):
        write_report(copy)


def test_settings_text_is_a_recipe_that_the_strict_reader_takes():
    from nucleate.core.settings import parse_yaml

    shared = [0.9, 0.95]
    settings = {"b": {"betas": shared, "again": shared, "lr": 3e-3}, "a": "yes", "name": "x: y"}
    assert parse_yaml(settings_text(settings)) == settings
    assert list(parse_yaml(settings_text(settings))) == ["b", "a", "name"]


def test_decisions_are_told_with_their_evidence_and_only_once(tmp_path):
    cause = {"condition": "below", "metric": "<m>", "read_at": 900, "value": 0.2, "threshold": 0.5}
    with RunWriter.create(tmp_path / "r", Manifest("r")) as writer:
        writer.loss(Step(1, 1000), 2.0, 1.0)
        decision = Decision(Step(1, 1000), "grow", {"depth": 2}, {**cause, "standard_errors": 0.0})
        writer.decision(decision)
        writer.event(Event(Step(1, 1000), "decision", "grow: 2 layers, 1 of them new"))
    page = render_report(Run.open(tmp_path / "r"))
    said = " ".join(" ".join(Page(page).text).split())
    assert "1k 1 grow depth → 2 <m> was 0.2 at 900, below 0.5" in said
    assert "of them new" not in said
    assert 'href="#decisions"' in page


def test_a_run_without_decisions_has_no_section_for_them(page):
    assert "decisions" not in re.findall(r'id="(\w+)"', page)
