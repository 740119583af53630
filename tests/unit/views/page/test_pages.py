from __future__ import annotations

import os
import re
import shutil
import signal
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from nucleate.core import Level, Reading
from nucleate.store import Manifest, RunWriter
from nucleate.views.page.app import make_app
from nucleate.views.page.doors import Doors
from tests.unit.views.made_heads import write_heads_run
from tests.unit.views.page.made import at, small_run


@pytest.fixture
def browse():
    """Open a root as a browser that has come in; `large` bytes of log make a run a large one."""
    opened = []

    def go(root, **options):
        doors = Doors()
        browser = TestClient(make_app(root, doors, **options), base_url="http://localhost")
        browser.__enter__()
        opened.append(browser)
        assert browser.get("/", params={"token": doors.token}).status_code == 200
        return browser

    yield go
    for browser in opened:
        browser.__exit__(None, None, None)


def until(ask, holds, seconds=90.0):
    end = time.monotonic() + seconds
    while not holds(found := ask()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.1)
    return found


def test_the_list_filters_and_counts(inside):
    page = inside.get("/").text
    assert page.count('<li class="row"') == 3
    assert re.findall(r"all <span>(\d)</span>", page) == ["3"]
    failed = inside.get("/", params={"state": "failed"}).text
    assert failed.count('<li class="row"') == 2
    tagged = inside.get("/", params={"q": "#keep"}).text
    assert tagged.count('<li class="row"') == 1
    assert "No run matches" in inside.get("/", params={"q": "nothing at all"}).text


def test_an_empty_root_says_how_to_begin(tmp_path, browse):
    assert "nucleate demo" in browse(tmp_path).get("/").text


def test_a_run_has_the_sections_of_the_report(inside):
    page = inside.get("/run/a").text
    for title in ("The ladder", "As it happens", "Training loss", "Every curve", "Events"):
        assert f"<h2>{title}</h2>" in page
    for gone in ("What the run decided", "Which heads"):  # nothing was decided, no head looked at
        assert gone not in page
    assert "first try #keep" in page


def test_the_report_is_drawn_by_the_same_templates(run_path, analysis, browse):
    """A section of the page is, byte for byte, the section of the report file."""
    from nucleate.store import Run
    from nucleate.views.report import render_report

    report = render_report(Run.open(run_path), analysis)
    page = browse(run_path).get(f"/run/{run_path.name}").text
    for name in ("ladder", "phases", "loss", "events", "settings", "reading"):
        begin = report.index(f'<section id="{name}">')
        section = report[begin : report.index("</section>", begin)]
        assert section in page, name


def test_a_run_that_failed_says_why(inside):
    page = inside.get("/run/deep/b").text
    assert "Cut off at 30k tokens (step 30): killed, pre-empted, or the machine went away." in page
    assert "nucleate train --resume b" in page
    assert "Training diverged; the run ends at 30k tokens (step 30)." in inside.get("/run/c").text


def test_live_says_nothing_while_nothing_happens_and_then_only_what_changed(tmp_path, browse):
    """One more loss changes what stands in it: figures, loss, log; settings stay as they are."""
    path = small_run(tmp_path / "a", end=None)
    browser = browse(tmp_path)
    settled = until(lambda: browser.get("/live/a").json(), lambda found: not found["busy"])
    version = settled["version"]
    assert browser.get("/live/a", params={"since": version}).status_code == 204
    have = ",".join(f"{part['id']}:{part['digest']}" for part in settled["parts"])
    with RunWriter.resume(path, at(30)) as writer:
        writer.loss(at(31), 1.2, 1.0)
        found = browser.get("/live/a", params={"since": version, "have": have}).json()
    changed = {part["id"] for part in found["parts"]}
    assert {"figures", "loss", "log", "ending"} <= changed
    assert not {"settings", "reading"} & changed
    assert found["state"] == "running"
    assert "1.200" in next(part["html"] for part in found["parts"] if part["id"] == "figures")


def test_the_detector_works_beside_and_its_verdict_comes_in(tmp_path, browse):
    """The jump from .5 to .9 between steps 29 and 30 comes in while the page is up."""
    small_run(tmp_path / "a", steps=60, jump=30, noise=0.02)
    browser = browse(tmp_path)
    first = browser.get("/run/a").text
    assert "The detector is looking at these curves" in first
    page = until(lambda: browser.get("/run/a").text, lambda page: "The detector is" not in page)
    assert "95 % interval 29–30k; step-like" in page
    kept = tmp_path / "a" / "analysis.json"
    until(lambda: browser.get("/live/a").status_code, lambda _: kept.exists())


def test_curves_come_by_search_level_and_page(tmp_path, browse):
    with RunWriter.create(tmp_path / "a", Manifest("many")) as writer:
        for step in range(1, 4):
            for n in range(60):
                level = Level.SYNTAX if n % 2 else Level.KNOWLEDGE
                writer.reading(at(step), Reading(f"probe{n:02d}.x.accuracy", 0.5, level=level))
    browser = browse(tmp_path)
    first = browser.get("/curves/a")
    assert (first.text.count("<figure"), first.headers["x-total"]) == (24, "60")
    assert first.headers["x-next"] == "24"
    last = browser.get("/curves/a", params={"start": "48"})
    assert (last.text.count("<figure"), last.headers["x-next"]) == (12, "")
    assert browser.get("/curves/a", params={"q": "probe07 X"}).text.count("<figure") == 1
    assert browser.get("/curves/a", params={"level": "syntax"}).headers["x-total"] == "30"
    assert browser.get("/curves/a", params={"start": "-9"}).text.count("<figure") == 24
    assert browser.get("/curves/a", params={"start": "x", "q": "no"}).text.strip() == ""


def test_heads_are_shown_before_and_after_they_were_judged(tmp_path, browse):
    write_heads_run(tmp_path / "a")
    browser = browse(tmp_path)
    before = browser.get("/run/a").text
    assert "When each took its role is being judged." in before
    after = until(
        lambda: browser.get("/run/a").text,
        lambda page: "Held since" in page or "Lost without" in page,
    )
    assert "L1H0" in after


def test_a_large_run_is_previewed_then_read_and_judged_by_its_levels(tmp_path, browse):
    """300 steps × 40 metrics with a limit of 1 byte: the same page comes by way of columns."""
    rng = np.random.default_rng(0)
    with RunWriter.create(tmp_path / "a", Manifest("wide", primary={"syntax": "m00.x"})) as writer:
        for step in range(1, 301):
            writer.loss(at(step), 5.0 - step / 100, 1.0)
            for n in range(40):
                value = 0.5 + 0.4 * (step >= 100) + rng.normal(0, 0.01)
                writer.reading(
                    at(step),
                    Reading(f"m{n:02d}.x.accuracy", value, 0.01, 50, 0.5, "fraction", Level.SYNTAX),
                )
        writer.finish("finished", at(300))
    browser = browse(tmp_path, large=1)
    first = browser.get("/run/a").text
    assert "samples of it are shown" in first
    assert 'class="line lv-syntax"' in first
    early = browser.get("/curves/a", params={"q": "m07"})
    assert early.text.count("<figure") == 1
    page = until(
        lambda: browser.get("/run/a").text, lambda page: "only the metrics that stand" in page
    )
    assert "12 000" in page
    assert "M00 · x" in page or "m00" in page
    assert browser.get("/curves/a", params={"q": "m39"}).text.count("<figure") == 1
    assert "finished" in page


def test_a_damaged_folder_has_a_page_that_says_so(tmp_path, browse):
    path = small_run(tmp_path / "a")
    (path / "run.json").write_text("[]")
    browser = browse(tmp_path)
    assert "run.json is damaged" in browser.get("/").text
    answer = browser.get("/run/a")
    assert answer.status_code == 200
    assert "Finished, with damage in its log." in answer.text  # the log holds a copy


def test_a_run_that_takes_the_place_of_another_is_read_anew(tmp_path, browse):
    small_run(tmp_path / "a", name="the first")
    browser = browse(tmp_path)
    assert "the first" in browser.get("/run/a").text
    shutil.rmtree(tmp_path / "a")
    assert browser.get("/run/a").status_code == 404
    small_run(tmp_path / "a", name="the second", steps=7, jump=3)
    page = browser.get("/run/a").text
    assert "<h1>the second</h1>" in page
    assert "7k" in page
    assert "30k" not in page


def test_a_process_that_was_killed_is_started_again(tmp_path, browse):
    """Somebody kills the process that judges the levels: the verdict comes all the same."""
    small_run(tmp_path / "a", steps=60, jump=30, noise=0.02)
    browser = browse(tmp_path)
    desk = browser.app.state.pages.desk
    victim = desk._pool("reading").submit(os.getpid).result()
    os.kill(victim, signal.SIGKILL)
    page = until(lambda: browser.get("/run/a").text, lambda page: "step-like" in page)
    assert "could not judge" not in page


def test_an_unknown_run_is_not_there(inside):
    assert inside.get("/run/none").status_code == 404
    assert inside.get("/assets/none.js").status_code == 404


def test_names_that_are_no_text_are_shown_and_lead_on(tmp_path, browse):
    """A folder of another encoding, and half a surrogate pair in a metric and an event."""
    try:
        (tmp_path / "bad\udcff").mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    half = "half\udcff.accuracy"
    small_run(tmp_path / "bad\udcff" / "run", metric=half, text="said \udcff", end=None)
    browser = browse(tmp_path)
    page = browser.get("/")
    assert page.status_code == 200
    (address,) = re.findall(r'class="open" href="([^"]+)"', page.text)
    assert browser.get(address).status_code == 200
    assert browser.get(address.replace("/run/", "/curves/")).status_code == 200
    assert browser.get(address.replace("/run/", "/live/")).status_code == 200
