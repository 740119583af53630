"""A real Chromium before the live page; where there is none, these tests are skipped and say so.

The browser is the one that `$NUCLEATE_BROWSER` names, else the first on the path.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nucleate.core import Assessment, Evidence, Kind, Transition, Verdict
from nucleate.store import Run
from nucleate.views.analysis import CACHE, _write_cache, fingerprint
from nucleate.views.page.doors import Doors
from tests.unit.views.page.made import small_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TOKEN = "a-token-for-the-browser"

HEARD = """
window.fired = [];
const fire = (...words) => { window.fired.push(words.join(" ")); };
window.alert = window.confirm = window.prompt = window.print = fire;
window.refused = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.refused.push(event.violatedDirective + " " + event.blockedURI));
"""
"""Runs before anything on a page: notes scripts that call out, and what the policy refused."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for one file of tests: Playwright runs an event loop in this thread meanwhile."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    named = os.environ.get("NUCLEATE_BROWSER")
    found = named or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on the path, and NUCLEATE_BROWSER does not name one")
    with sync_api.sync_playwright() as play:
        # Containers have no user namespaces for the sandbox; only our own pages are opened.
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def until(page: Any, holds: str, seconds: float = 30.0) -> None:
    """Wait for an expression; Playwright's own wait evaluates in the page, which refuses that."""
    end = time.monotonic() + seconds
    while not page.evaluate(holds):
        assert time.monotonic() < end, holds
        page.wait_for_timeout(50)


def until_count(page: Any, selector: str, count: int) -> None:
    """Wait until so many elements match; a page that a click has asked for may still be coming."""
    found = page.locator(selector)
    end = time.monotonic() + 30.0
    while found.count() != count:
        assert time.monotonic() < end, f"{found.count()} of {count} {selector}"
        page.wait_for_timeout(50)


@contextmanager
def served(root: Path, **options: Any) -> Iterator[str]:
    """Serve a root in a thread; yields the address."""
    import uvicorn

    from nucleate.views.page.app import make_app

    listening = socket.create_server(("127.0.0.1", 0))
    app = make_app(root, Doors(given=TOKEN), **options)
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def judged(path: Path, at: float = 14_500.0) -> Path:
    """Keep a verdict beside a run, so that no test waits for the detector."""
    curves = Run.open(path).curves()
    found = {}
    for metric in curves:
        change = Transition(
            metric,
            Kind.STEP,
            Verdict.STEP_LIKE,
            at,
            14_000.0,
            15_000.0,
            0.05,
            0.4,
            14_200.0,
            Evidence(9.0, 9.0, 1e-4, 2e-4),
        )
        found[metric] = Assessment(
            metric, Verdict.STEP_LIKE, (change,), at, 14_000.0, 15_000.0, 14_200.0, 0.05, 0.5, 0.9
        )
    _write_cache(path / CACHE, fingerprint(curves), found)
    return path


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeds 0 and 1 of two methods, a run that was killed, and one that diverged."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("base", "new"):
        for seed in range(2):
            recipe = {"tokens": 30_000, "seed": seed, "optimizer": {"kind": name}}
            path = root / f"{name}-{seed}"
            judged(small_run(path, name=path.name, seed=seed, recipe=recipe, noise=0.02))
    judged(small_run(root / "killed", name="killed", end=None, notes="overnight #night"))
    judged(small_run(root / "diverged", name="diverged", loss=float("nan"), end="interrupted"))
    return root


@pytest.fixture(scope="session")
def address(runs: Path) -> Iterator[str]:
    with served(runs) as found:
        yield found


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open a page that has come in; at the end nothing may have been said on its console."""
    contexts, said = [], []

    def go(address: str, width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.add_init_script(HEARD)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda asked: said.append(asked.url) if not asked.url.startswith(address) else None,
        )
        page.goto(f"{address}/?token={TOKEN}")
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []
