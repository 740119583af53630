"""What `nucleate figure` does: read the width and the formats, draw once, write each file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from nucleate.core import RunFolderError, UserError
from nucleate.views.figure.choose import sheet
from nucleate.views.figure.sheet import standalone
from nucleate.views.waiting import waiting

FORMATS = ("svg", "pdf", "png")

UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "": 1.0}

WIDTH = (40.0, 600.0)
"""Narrowest and widest figure, in millimetres."""

FOLDER = "figures"
"""Where figures go without ``--out``, inside the run folder."""


def write_figures(
    run_path: Path,
    name: str,
    *,
    formats: Sequence[str] = (),
    out: Path | None = None,
    width: str = "170mm",
    dpi: float = 300.0,
) -> list[Path]:
    """Write one figure of a run in each format and return the files.

    Args:
        run_path: The run folder.
        name: ``ladder``, ``loss``, ``heads``, ``panels``, a level or a metric.
        formats: Of `FORMATS`; by the suffix of `out`, or SVG, when empty.
        out: The file to write; ``figures/NAME.FORMAT`` in the run folder when left out. With
            several formats its suffix is replaced.
        width: Width on paper: ``85mm``, ``8.5cm``, ``3.35in``.
        dpi: Pixels in an inch, for PNG.

    Raises:
        UserError: No such figure, width or format, or the packages for it are not installed.

    Example:
        >>> write_figures(Path("runs/a"), "ladder", formats=["pdf"])        # doctest: +SKIP
    """
    from nucleate.store import Run
    from nucleate.views.analysis import analyse

    width_mm = millimetres(width)
    wanted = _formats(formats, out)
    with waiting(f"analysing {run_path}") as say:
        run = Run.open(run_path)
        found = analyse(run)
        say(f"drawing {name}")
        try:
            drawing = standalone(sheet(run, found, name, width_mm), width_mm)
        except ValueError:
            raise UserError(
                f"{name!r} would be higher than a page can be",
                fix="draw one level, or give a larger --width",
            ) from None
        base = out or run.path / FOLDER / f"{_file_name(name)}.svg"
        written = []
        for kind in wanted:
            path = base if out and len(wanted) == 1 else base.with_suffix(f".{kind}")
            say(f"writing {path}")
            _write(path, _encoded(drawing, kind, dpi))
            written.append(path)
        return written


def millimetres(width: str) -> float:
    """Return a width given with or without its unit, in millimetres.

    >>> millimetres("3.35in")
    85.09
    """
    found = re.fullmatch(r"\s*(\d{1,4}(?:\.\d{1,6})?)\s*(mm|cm|in)?\s*", width)
    value = round(float(found[1]) * UNITS[found[2] or ""], 3) if found else 0.0
    if not WIDTH[0] <= value <= WIDTH[1]:
        raise UserError(
            "--width is no width of a figure",
            got=width,
            expected=f"{WIDTH[0]:.0f} to {WIDTH[1]:.0f} mm, as 85mm, 8.5cm or 3.35in",
        )
    return value


def _formats(chosen: Sequence[str], out: Path | None) -> list[str]:
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    if not chosen and out and suffix not in FORMATS:
        raise UserError(
            "the format of the figure is not clear",
            where=out,
            expected="a name that ends in .svg, .pdf or .png",
            fix="or say --svg, --pdf or --png",
        )
    if chosen and out and suffix in FORMATS and suffix not in chosen:
        raise UserError(
            "the name says another format than was asked for",
            where=out,
            got=f".{suffix}",
            expected=" or ".join(f".{kind}" for kind in chosen),
        )
    return list(chosen) or [suffix or "svg"]


def _encoded(drawing: str, kind: str, dpi: float) -> bytes:
    if kind == "svg":
        return drawing.encode()
    from nucleate.views.figure.pdf import pdf, without_glyph

    made = pdf(drawing)
    if lacking := without_glyph(drawing):
        print(
            f"note: the embedded font lacks {lacking[:20]!r}; --svg shows them",
            file=sys.stderr,
        )
    if kind == "pdf":
        return made
    from nucleate.views.figure.png import png

    return png(made, dpi)


def _file_name(name: str) -> str:
    """Return a name without anything that a file system could take for a path."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:100] or "figure"


def _write(path: Path, content: bytes) -> None:
    from nucleate.store.files import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    except OSError as error:
        raise RunFolderError(
            "cannot be written", where=path, got=error.strerror, fix="name another --out"
        ) from None
