"""Two hundred payloads in every text field of a run: no script of theirs runs in the report.

The pages are opened in a browser twice: as they are, and without their content policy, so that
escaping has to hold by itself.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from markupsafe import escape

from nucleate.core import Decision, Event, LedgerEntry, Level, Reading, Step
from nucleate.store import Manifest, Run, RunWriter
from nucleate.views.report import render_report
from tests.faults.payloads import ACT, PAYLOADS

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

HARNESS = """<!doctype html><meta charset=utf-8><title>pages</title><body>
<script>let hits = 0, done = 0; window.hit = () => {{ hits += 1; say(); }};
const say = () => {{ document.title = `hits ${{hits}} done ${{done}}`; }};
addEventListener("message", say); onerror = () => {{}};
for (let n = 0; n < {count}; n++) {{
  const frame = document.createElement("iframe");
  frame.onload = () => {{ done += 1; say(); }};
  frame.src = "/{kind}/" + n;
  document.body.append(frame);
}}</script>"""


def page(folder: Path, payload: str) -> str:
    """Return the report of a run that says this everywhere."""
    manifest = Manifest(
        name=payload,
        recipe={
            payload: payload,
            "list": [payload],
            "corpus": {"kind": "text", "paths": [payload]},
        },
        environment={payload: payload, "command": ["nucleate", payload], "torch": payload},
        seeds={payload: 1},
        primary={"syntax": payload},
        created=payload,
        nucleate=payload,
    )
    with RunWriter.create(folder, manifest) as writer:
        for k in range(3):
            step = Step(k + 1, 1000 * 2**k, lr=1e-3)
            for measure, unit in (("accuracy", "fraction"), ("margin", payload)):
                reading = Reading(f"{payload}.{measure}", k / 4, 0.01, 9, 0.1, unit, Level.SYNTAX)
                writer.reading(step, reading)
            writer.loss(step, 3.0 - k, 1.0)
        writer.event(Event(step, payload, payload))
        evidence = {"condition": payload, "metric": payload, "value": 1.0}
        writer.decision(Decision(step, payload, {payload: payload}, evidence))
        writer.ledger([LedgerEntry(payload, 1e9, 3.0)])
        writer.finish("finished", step)
    return render_report(Run.open(folder))


@contextmanager
def served(pages: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve pages on loopback; yield the address, and the list of what else was asked for."""
    strays: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = pages.get(self.path)
            if content is None:
                strays.append(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", strays
    finally:
        server.shutdown()
        server.server_close()


def seen(address: str, profile: Path) -> str:
    """Return the title of a page after everything in it had time to run."""
    done = subprocess.run(
        [
            BROWSER,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *(f"--user-data-dir={profile}", "--virtual-time-budget=30000", "--dump-dom"),
            address,
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    found = re.search(r"<title>(hits \d+ done \d+)</title>", done.stdout)
    assert found, done.stderr[-2000:]
    return found[1]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    return [page(folder / str(number), payload) for number, payload in enumerate(PAYLOADS)]


def test_there_are_two_hundred_and_each_reaches_the_page(reports: list[str]) -> None:
    assert len(set(PAYLOADS)) == 200
    for payload, text in zip(PAYLOADS, reports, strict=True):
        assert text.count("<script>") == 1  # its own
        assert f"<h1>{escape(payload)}</h1>" in text


@pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine")
def test_no_script_runs(reports: list[str], tmp_path: Path) -> None:
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    bare = [policy.sub("", text) for text in reports]
    assert all(policy.search(text) for text in reports)
    # A page that does forget to escape, to see that the harness would notice.
    broken = [f"<title>x</title>{payload}" for payload in PAYLOADS]
    content = {
        f"/{kind}/{number}": text.encode("utf-8", "replace")
        for kind, texts in (("whole", reports), ("bare", bare), ("broken", broken))
        for number, text in enumerate(texts)
    }
    for kind in ("whole", "bare", "broken"):
        content[f"/{kind}"] = HARNESS.format(count=len(PAYLOADS), kind=kind).encode()
    assert ACT == "top.hit(1)"
    with served(content) as (address, strays):
        assert seen(f"{address}/whole", tmp_path / "a") == "hits 0 done 200"
        assert seen(f"{address}/bare", tmp_path / "b") == "hits 0 done 200"
        assert [path for path in strays if path != "/favicon.ico"] == []
        hits = int(seen(f"{address}/broken", tmp_path / "c").split()[1])
        assert hits > 100
