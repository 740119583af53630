"""The command `nucleate ui`: runs as they are now, on a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ui(
    root: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A folder with run folders, or one run folder."),
    ] = Path("runs"),
    host: Annotated[
        str, typer.Option(help="Address to bind; others can reach any but loopback.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; the first free one from 7860 on.")
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            envvar="NUCLEATE_UI_TOKEN",
            show_default=False,
            help="A token of your own, needed beyond loopback; better in $NUCLEATE_UI_TOKEN.",
        ),
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="NAME", help="A name that the page answers to, besides localhost."
        ),
    ] = None,
) -> None:
    """Show runs in the browser as they grow. Read-only, on this machine alone."""
    from nucleate.views.page.serve import serve

    serve(root, host=host, port=port, token=token, names=tuple(name or ()), tell=_tell)


def _tell(words: str) -> None:
    typer.echo(words)
