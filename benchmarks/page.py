"""How fast the live page is: 10,000 steps × 500 metrics, from a server that has just started.

Run with ``python -m benchmarks.page``. A synthetic run is written with the store's own writer; then
a server starts as `nucleate ui` does, and a browser opens the run: the time to the first byte, to
the first paint, until the ladder is drawn, until the whole log has been read and the page says so,
and of the answers in between. Without a browser the server's times are printed alone.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from nucleate.core import Level, Reading, Step
from nucleate.store import Manifest, RunWriter

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TOKEN = "a-token-for-the-benchmark"


def main() -> None:
    """Write the run, serve it, measure."""
    wish = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    wish.add_argument("--steps", type=int, default=10_000)
    wish.add_argument("--metrics", type=int, default=500)
    wish.add_argument(
        "--patience", type=float, default=600.0, help="Seconds to wait for the log to be read."
    )
    wish.add_argument("--keep", type=Path, help="Folder to write the run to, and to use again.")
    chosen = wish.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = chosen.keep or Path(folder)
        run = root / "wide"
        if not run.exists():
            begin = time.perf_counter()
            write(run, chosen.steps, chosen.metrics)
            count = chosen.steps * chosen.metrics
            print(
                f"written: {count:,} readings, {size(run) / 2**20:,.0f} MiB, "
                f"{1e6 * (time.perf_counter() - begin) / count:.1f} µs a reading"
            )
        measure(root, chosen.patience)


def write(path: Path, steps: int, metrics: int) -> None:
    """Write a run with one jump in every tenth metric, noise everywhere."""
    rng = np.random.default_rng(0)
    levels = list(Level)[:5]
    primary = {str(level): f"probe{n:03d}.all" for n, level in enumerate(levels)}
    middles = 10 ** rng.uniform(5.5, 6.8, metrics)
    with RunWriter.create(path, Manifest("wide", primary=primary)) as writer:
        for step in range(1, steps + 1):
            at = Step(step, step * 1024, step * 1e12, step / 20, 3e-4)
            values = 0.5 + 0.45 / (1 + np.exp(-8 * np.log10(at.tokens / middles)))
            values += rng.normal(0, 0.01, metrics)
            writer.loss(at, 2.0 + 6.0 / (1 + step / 50) + rng.normal(0, 0.03), 1.0)
            for n in range(metrics):
                name = f"probe{n:03d}.all.accuracy"
                level = levels[n % len(levels)]
                value = float(values[n])
                writer.reading(at, Reading(name, value, 0.01, 1000, 0.5, "fraction", level))
        writer.finish("finished", at)


def size(run: Path) -> int:
    """Return the bytes of a run's log."""
    return sum(path.stat().st_size for path in (run / "log").iterdir())


def measure(root: Path, patience: float) -> None:
    """Print what a fresh server and a browser that opens the run take."""
    server, address = serve(root)
    try:
        client = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
        )
        client.open(f"{address}?token={TOKEN}").read()
        wait, _ = asked(client, f"{address}run/wide")
        print(f"server, log not yet read: the run's page in {wait:.2f} s")
        begin = time.perf_counter()
        during: list[float] = []
        share = ""
        while share != "all":
            took, body = asked(client, f"{address}live/wide")
            during.append(took)
            told = re.search(r"Reading the log: (\d+%)", body.decode())
            share = told[1] if told else "all"
            if time.perf_counter() - begin > patience:
                break
            time.sleep(0.5)
        whole = size(root / "wide") / 2**20
        print(
            f"server, while a process beside it reads: {share} of {whole:,.0f} MiB in "
            f"{time.perf_counter() - begin:.0f} s; answers in {median(during):.2f} s, "
            f"the slowest {max(during):.2f} s"
        )
        again = median(asked(client, f"{address}run/wide")[0] for _ in range(5))
        panels = median(asked(client, f"{address}curves/wide?start={24 * n}")[0] for n in range(5))
        print(f"server, after that: the run's page in {again:.2f} s, 24 panels in {panels:.2f} s")
    finally:
        server.terminate()
        server.wait()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    browser = os.environ.get("NUCLEATE_BROWSER", browser)
    if browser is None:
        print("no browser: first paint was not measured")
        return
    server, address = serve(root)
    try:
        painted(browser, address)
    finally:
        server.terminate()
        server.wait()
    load = os.getloadavg()[0]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
    print(f"largest process {peak:,.0f} MiB; load {load:.1f} on {os.cpu_count()} processors")


def serve(root: Path) -> tuple[subprocess.Popen[str], str]:
    """Start `nucleate ui` and return it with its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "nucleate.cli", "ui", str(root), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUCLEATE_UI_TOKEN": TOKEN, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    found = re.search(r"http\S+", server.stdout.readline())
    assert found is not None
    time.sleep(2.0)  # a person takes longer to click
    return server, found[0]


def asked(client: urllib.request.OpenerDirector, address: str) -> tuple[float, bytes]:
    """Return how long an answer took, and the answer."""
    begin = time.perf_counter()
    body = client.open(address, timeout=120).read()
    return time.perf_counter() - begin, body


def painted(browser: str, address: str) -> None:
    """Print when a browser has painted a run that the server opens for the first time."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}?token={TOKEN}")
        begin = time.perf_counter()
        page.goto(f"{address}run/wide", wait_until="commit")
        page.wait_for_selector("#ladder svg.wide .line")
        drawn = time.perf_counter() - begin
        page.wait_for_timeout(500)
        times: dict[str, Any] = page.evaluate(
            """() => ({first: performance.getEntriesByName("first-contentful-paint")[0].startTime,
                       bytes: performance.getEntriesByType("navigation")[0].responseStart})"""
        )
        print(
            f"browser, log not yet read: first byte {times['bytes'] / 1e3:.2f} s, "
            f"first paint {times['first'] / 1e3:.2f} s, ladder drawn {drawn:.2f} s after the click"
        )
        opened.close()


if __name__ == "__main__":
    main()
