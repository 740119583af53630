"""What `nucleate detect` does once its curves are read: examine, then print, JSON or page."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nucleate.core import CurveBook, DataError, UserError
from nucleate.views.detect.data import Settings, as_json
from nucleate.views.detect.page import write_page
from nucleate.views.detect.patience import patiently
from nucleate.views.detect.terminal import print_findings

PAGES = (".html", ".htm")

NARROWEST, BROADEST = 0.05, 2.0
"""Bounds of the widest change that may be called sharp, in decades."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        files: Sources, and at most one page to write.
        alpha, max_width, seed: See `nucleate.detect.examine`.
        json: Print JSON and nothing else.
        report: Write a page.
        everything: List every curve.
        quiet: Print results only.
        arguments: The command line, to be shown as the way to do it again.
        version: Version of nucleate.

    Raises:
        UserError: Settings out of range, no source, or a page without `report`.
    """

    files: tuple[Path, ...]
    alpha: float
    max_width: float
    seed: int
    json: bool
    report: bool
    everything: bool
    quiet: bool
    arguments: Sequence[str] = ()
    version: str = ""

    def __post_init__(self) -> None:
        pages = [path for path in self.files if path.suffix.lower() in PAGES]
        if pages and not self.report:
            raise UserError("is a page, not a table", where=pages[0], fix="write it with --report")
        if len(pages) > 1 or len(pages) == len(self.files):
            raise UserError("say what to look at", expected="FILE… and one PAGE.html at most")
        if not 0.0 < self.alpha < 1.0:
            raise UserError("--alpha is out of range", got=self.alpha, expected="between 0 and 1")
        if not NARROWEST <= self.max_width <= BROADEST:
            raise UserError(
                "--max-width is out of range",
                got=self.max_width,
                expected=f"{NARROWEST} to {BROADEST} decades",
            )

    @property
    def sources(self) -> list[Path]:
        """The files to read."""
        return [path for path in self.files if path.suffix.lower() not in PAGES]

    @property
    def page(self) -> Path:
        """The page to write: the one that was named, else ``NAME.detect.html`` in this folder."""
        named = [path for path in self.files if path.suffix.lower() in PAGES]
        return named[0] if named else Path(f"{self.sources[0].resolve().stem}.detect.html")


def show_findings(book: CurveBook, wish: Request) -> None:
    """Examine a book and show what was found in the ways that were asked for."""
    from nucleate.detect import Findings, examine

    if wish.report:
        _check_writable(wish.page)

    def work(progress: Callable[[int], None] | None) -> Findings:
        return examine(
            book,
            alpha=wish.alpha,
            max_width=wish.max_width,
            seed=wish.seed,
            progress=progress,
        )

    findings = work(None) if wish.quiet else patiently(book, work, max_width=wish.max_width)
    command = shlex.join(["nucleate", *wish.arguments])
    settings = Settings(wish.alpha, wish.max_width, wish.seed, command, wish.version)
    page = str(write_page(findings, settings, wish.page)) if wish.report else ""
    if wish.json:
        print(as_json(findings, settings))
        return
    print_findings(findings, max_width=wish.max_width, everything=wish.everything, report=page)


def _check_writable(page: Path) -> None:
    """Refuse a page that cannot be written before the analysis, which may be long.

    Raises:
        DataError: There is a folder of that name, or the folder around it takes no files.
    """
    folder = page.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if page.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise DataError("cannot be written", where=page, fix="name another PAGE.html")
