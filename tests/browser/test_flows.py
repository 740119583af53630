"""What people come for, in a real browser: each in three clicks or fewer; keys; live; widths."""

from __future__ import annotations

import pytest

from nucleate.store import RunWriter
from tests.browser.conftest import judged, served, until, until_count
from tests.unit.views.page.made import at, small_run

WIDTHS = (390, 768, 1440)
PAGES = ("/", "/run/base-0", "/run/killed", "/compare?run=base-0&run=new-0&run=base-1&run=new-1")


def test_the_token_is_gone_from_the_address(address, open_page):
    page = open_page(address)
    assert page.url == f"{address}/"
    assert page.evaluate("document.cookie") == ""  # the session cannot be read by a script


def test_find_the_transition_in_one_click(address, open_page):
    page = open_page(address)
    page.get_by_role("link", name="base-0", exact=True).click()
    story = page.inner_text(".story")
    assert "14.5k" in story
    assert "step-like" in story
    until_count(page, "#ladder svg.wide .marker", 1)


def test_compare_two_runs_in_three_clicks(address, open_page):
    page = open_page(address)
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    page.get_by_label("Choose base-0 for a comparison").click()
    page.get_by_label("Choose new-0 for a comparison").click()
    compare.click()
    assert page.inner_text("h1") == "2 runs over each other"
    until_count(page, "#levels figure", 2)  # syntax, and the training loss
    assert page.inner_text("#pairs tbody th") == "Syntax"
    assert '"new"' in page.inner_text("#settings")


def test_find_why_a_run_failed_in_two_clicks(address, open_page):
    page = open_page(address)
    page.get_by_role("button", name="failed").click()
    until_count(page, ".row", 2)
    page.get_by_role("link", name="diverged", exact=True).click()
    said = page.inner_text(".ending")
    assert "Training diverged; the run ends at 30k tokens (step 30)." in said
    assert "the loss is nan from step 30 (30k tokens) on" in said


def test_search_while_typing_and_by_tag(address, open_page):
    page = open_page(address)
    page.keyboard.press("/")
    page.keyboard.type("new")
    until_count(page, ".row:visible", 2)
    page.keyboard.type("zzz")
    assert page.inner_text("#none") == "No run matches."
    page.fill("#q", "")
    page.get_by_role("link", name="night").click()
    until_count(page, ".row", 1)


def test_everything_by_keys(address, open_page):
    page = open_page(address)
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    for key in "jxjx":
        page.keyboard.press(key)
    page.keyboard.press("c")
    page.wait_for_url("**/compare?*")
    page.keyboard.press("u")
    page.wait_for_url(address + "/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/run/*")
    before = page.evaluate("scrollY")
    page.keyboard.press("j")
    until(page, f"scrollY > {before}")
    page.keyboard.press("Tab")
    chart = page.locator("#ladder svg:visible")
    chart.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#tip b") == "1k tokens"


def test_the_page_follows_a_run(tmp_path, open_page):
    """A loss that comes while the page is open stands there within two looks of the page."""
    path = judged(small_run(tmp_path / "live", name="live", end=None))
    with served(tmp_path) as address, RunWriter.resume(path, at(30)) as writer:
        page = open_page(address)
        page.goto(f"{address}/run/live")
        assert page.inner_text("#state") == "running"
        page.locator("#part-loss").scroll_into_view_if_needed()
        held = page.locator("#part-loss").bounding_box()["y"]
        writer.loss(at(31), 1.234, 1.0)
        until(page, "document.querySelector('.figures').innerText.includes('1.234')")
        assert abs(page.locator("#part-loss").bounding_box()["y"] - held) < 2
        settings = page.locator("#part-settings").get_attribute("data-digest")
        writer.finish("finished", at(31))
        until(page, "document.querySelector('#state').textContent === 'finished'")
        assert page.locator("#part-settings").get_attribute("data-digest") == settings


def test_a_lost_server_is_told(tmp_path, open_page, chromium):
    judged(small_run(tmp_path / "a"))
    context = chromium.new_context()
    page = context.new_page()
    with served(tmp_path) as address:
        page.goto(f"{address}/?token=a-token-for-the-browser")
        page.goto(f"{address}/run/a")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_selector(".lost")
    assert page.inner_text("#news").startswith("The page has lost its server.")
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(address, open_page, width, tmp_path):
    page = open_page(address, width=width)
    for path in PAGES:
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        picture = page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert len(picture) > 10_000


def test_fingers_find_what_they_press(address, open_page):
    """On a phone every button, link in the bar and tick is 24 pixels high or more (WCAG 2.5.8)."""
    page = open_page(address, width=390, has_touch=True)
    for selector in (".tick", ".filter", "#chosen button", ".top a", ".top button", ".open"):
        for each in page.locator(selector).all():
            if each.is_visible():
                box = each.bounding_box()
                assert min(box["height"], box["width"]) >= 24, selector


def test_who_wants_no_motion_gets_none(address, open_page):
    page = open_page(address, reduced_motion="reduce")
    page.goto(f"{address}/run/killed")
    assert page.evaluate("document.getAnimations().length") == 0


def test_light_and_dark(address, open_page):
    seen = set()
    for scheme in ("light", "dark"):
        page = open_page(address, color_scheme=scheme)
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert seen == {"rgb(252, 252, 250)", "rgb(19, 21, 24)"}


def test_without_a_script_the_page_is_whole(address, open_page):
    page = open_page(address, java_script_enabled=False)
    page.goto(f"{address}/run/base-0")
    assert page.locator("#ladder svg:visible").count() == 1
    page.goto(f"{address}/?q=new")
    assert page.locator(".row").count() == 2


def test_curves_drawn_from_samples_are_drawn_again_when_all_is_read(
    tmp_path, open_page, monkeypatch
):
    """Some 200 of 4,000 readings are sampled first; drawn from all, a panel shows over 300."""
    monkeypatch.setattr("nucleate.views.page.columns.SAMPLE", 2_048)
    small_run(tmp_path / "large", name="large", steps=4_000, jump=2_000)
    chart = "document.querySelector('#panels svg[data-read]')"
    with served(tmp_path, large=1) as address:
        page = open_page(address)
        page.goto(f"{address}/run/large")
        page.locator("#part-curves").scroll_into_view_if_needed()
        page.wait_for_selector("#panels figure")
        until(page, f"JSON.parse({chart}.dataset.read).p.length > 300")
        until(page, "document.querySelector('.figures').innerText.includes('4 000')")
