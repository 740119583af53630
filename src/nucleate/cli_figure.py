"""The command `nucleate figure`: one drawing of a run as SVG, PDF or PNG, for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def figure(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="ladder, loss, heads, panels, a level (syntax) or a metric."
        ),
    ] = "ladder",
    as_svg: Annotated[bool, typer.Option("--svg", help="Write SVG (the default).")] = False,
    as_pdf: Annotated[bool, typer.Option("--pdf", help="Write PDF, fonts embedded.")] = False,
    as_png: Annotated[bool, typer.Option("--png", help="Write PNG.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write (RUN/figures/NAME.pdf …).")
    ] = None,
    width: Annotated[str, typer.Option("--width", help="Width on paper: 85mm, 3.35in …")] = "170mm",
    dpi: Annotated[
        float, typer.Option("--dpi", min=36, max=1200, help="With --png: pixels in an inch.")
    ] = 300.0,
) -> None:
    """Draw one figure of a run for a paper. Light, as wide as its column, text at 8 pt."""
    from nucleate.views.figure.command import write_figures

    asked = (("svg", as_svg), ("pdf", as_pdf), ("png", as_png))
    formats = [kind for kind, wanted in asked if wanted]
    for path in write_figures(run, name, formats=formats, out=out, width=width, dpi=dpi):
        typer.echo(path)
