"""Hostile texts in every field of a run: not one script runs, on any page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nucleate.core import Decision, Event, LedgerEntry, Level, Mark, Reading
from nucleate.core.heads import HeadScores, HeadTable, Role
from nucleate.store import Manifest, RunWriter
from tests.browser.conftest import TOKEN, judged, served
from tests.browser.payloads import PAYLOADS
from tests.unit.views.page.made import at, small_run

GROUP = 25
"""Payloads of one run in the fields that a run has only once."""


def hostile(path: Path, name: str, payloads: tuple[str, ...]) -> Path:
    """Write a run whose every text is hostile."""
    manifest = Manifest(
        name=name,
        recipe={
            **{text: text for text in payloads},
            "seed": 0,
            "model": {"size": payloads[0]},
            "optimizer": {"kind": payloads[1]},
            "corpus": {"kind": payloads[2]},
        },
        environment={text: text for text in payloads} | {"command": name},
        seeds=dict.fromkeys(payloads[:4], 0),
        primary={"syntax": f"{payloads[0]}.accuracy", "knowledge": payloads[1]},
        created=name,
        nucleate=name,
    )
    with RunWriter.create(path, manifest) as writer:
        for step in range(1, 7):
            writer.loss(at(step), 5.0 - step / 10, 1.0)
            for text in payloads:
                own = Reading(f"{text}.accuracy", step / 10, 0.02, 9, 0.1, text, Level.SYNTAX)
                writer.reading(at(step), own)
        for text in payloads:
            writer.event(Event(at(6), text, text))
            writer.event(Event(at(6), "warning", text))
            pulls = {text: text}
            evidence = {"all": [{"condition": text, "metric": text, text: text}, {text: text}]}
            writer.decision(Decision(at(6), text, pulls, evidence))
        writer.ledger([LedgerEntry(text, 1e9, 1.0, Mark.MODELLED) for text in payloads])
        scores = {
            text: HeadScores(text, np.full((2, 2), 0.5), np.full((2, 2), 0.1), 0.1, 9, text)
            for text in payloads[:6]
        }
        asked = dict.fromkeys(payloads[:3], (payloads[0], payloads[1]))
        roles = tuple(Role("L0H0", text, 0.5, 0.5) for text in payloads[:3])
        writer.heads(at(6), HeadTable(scores, asked, roles))
    (path / "notes.txt").write_text(" ".join(f"{text} #{text}" for text in payloads))
    return judged(path)


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    """Eight runs with 25 payloads each in every field, and 200 with one each in what is listed."""
    root = tmp_path_factory.mktemp("traps")
    for first in range(0, len(PAYLOADS), GROUP):
        own = PAYLOADS[first : first + GROUP]
        hostile(root / f"group{first}", "".join(own), own)
    for number, text in enumerate(PAYLOADS):
        folder = f"{number:03d}{text}".replace("/", "\\")
        small_run(root / folder, name=text, notes=f"{text} #{text}", steps=1)
    with served(root) as address:
        yield address


def nothing_ran(page) -> None:
    assert page.evaluate("window.fired") == []
    assert page.evaluate("window.refused") == []  # nothing even tried


def test_there_are_200_and_they_bite(chromium):
    """Where texts are taken for HTML most of them run by themselves: the trap is a trap."""
    assert len(set(PAYLOADS)) == 200
    page = chromium.new_page()
    page.goto("data:text/html,<p>")
    ran = page.evaluate(
        """async (payloads) => {
          const ran = new Set();
          window.alert = () => {};
          for (let first = 0; first < payloads.length; first += 40) {
            const frames = payloads.slice(first, first + 40).map((text, n) => {
              const frame = document.createElement("iframe");
              document.body.append(frame);
              frame.contentWindow.alert = () => ran.add(first + n);
              frame.contentDocument.open();
              frame.contentDocument.write(
                "<title>" + text + "</title><p title='" + text + "'>" + text);
              frame.contentDocument.close();
              return frame;
            });
            await new Promise((go) => setTimeout(go, 600));
            for (const frame of frames) frame.remove();
          }
          return ran.size;
        }""",
        list(PAYLOADS),
    )
    page.close()
    assert ran >= 100


def test_the_list_of_runs(traps, open_page):
    page = open_page(traps)
    assert page.locator(".row").count() == 208
    nothing_ran(page)
    for text in ("<", "script", "'", '"'):
        page.fill("#q", text)
        nothing_ran(page)
    page.goto(traps + "/?" + "q=%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E&state=%22%3E%3Csvg")
    nothing_ran(page)


@pytest.mark.parametrize("first", range(0, len(PAYLOADS), GROUP))
def test_a_run(traps, open_page, first):
    """Every field of the page that holds a text, its curves and a live answer."""
    page = open_page(traps)
    with page.expect_response(lambda answer: "/curves/" in answer.url):
        page.goto(f"{traps}/run/group{first}")
        page.locator("#part-curves").scroll_into_view_if_needed()
    page.wait_for_selector("#panels figure")
    page.locator("#more").click() if page.locator("#more").is_visible() else None
    # The whole page once more by way of the live answer, as if everything had changed.
    changed = page.evaluate(
        """async () => {
          for (const part of document.querySelectorAll(".part")) part.dataset.digest = "old";
          document.body.dataset.version = "old";
          document.dispatchEvent(new Event("visibilitychange"));
          for (let i = 0; i < 200 && document.body.dataset.version === "old"; i++)
            await new Promise((go) => setTimeout(go, 50));
          return document.body.dataset.version !== "old";
        }"""
    )
    assert changed
    for chart in page.locator("svg[data-read]:visible").all()[:3]:
        chart.focus()
        page.keyboard.press("ArrowRight")
    shown = page.inner_text("main")
    assert "alert(1)" in shown or "alert(" in shown
    page.wait_for_timeout(100)
    nothing_ran(page)


def test_a_comparison(traps, open_page):
    page = open_page(traps)
    page.goto(f"{traps}/compare?run=group0&run=group25&run=group50")
    assert page.locator("#settings tbody tr").count() == 40
    nothing_ran(page)


def test_the_address_itself(traps, open_page, chromium):
    page = open_page(traps)
    for text in PAYLOADS[:20]:
        from urllib.parse import quote

        page.goto(f"{traps}/compare?run={quote(text)}&run={quote(text)}x")
        nothing_ran(page)
    assert TOKEN not in page.url
