"""Bind, print the address once, and serve until one presses Ctrl-C; nothing else is printed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from nucleate.core import UserError
from nucleate.views.page.doors import Doors

PORT = 7860
TRIES = 20
"""Ports after the first that are tried where none was asked for."""


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    names: tuple[str, ...] = (),
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the live page of the runs beneath a root.

    Args:
        root: A folder with run folders, or one run folder.
        host: Address to bind.
        port: Port to bind; the first free one from `PORT` on when left out.
        token: A token of one's own; needed for addresses that others can reach.
        names: More names that the server answers to.
        tell: Takes what is said to the person at the terminal.

    Raises:
        UserError: No such folder, an address that others can reach without a token, a port that is
            taken, or the server is not installed.
    """
    if not root.is_dir():
        raise UserError("no such folder", where=root, fix="name the folder that holds your runs")
    doors = Doors(host, names, token)
    try:
        import uvicorn

        from nucleate.views.page.app import make_app
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed", fix="pip install 'nucleate[ui]'"
        ) from None
    # Each process of the page is one thread among those that train.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    listening = bound(host, port)
    own = listening.getsockname()[1]

    def address(first: bool = False) -> None:
        shown = f"[{host}]" if ":" in host else host
        link = f"http://{shown}:{own}/" + ("" if doors.given else f"?token={doors.token}")
        tell(f"Open {link}" if first else f"For another browser: {link}")

    address(first=True)
    if doors.given:
        tell("and add ?token= with your token. Anyone who has it and reaches this port can look.")
    tell("Ctrl-C ends it.")
    app = make_app(root, doors, entered=None if doors.given else address, warm=True)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    if threading.current_thread() is threading.main_thread():
        # uvicorn hands the signal on when it has tidied up; dying of it would leave semaphores.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()
    sys.stdout.flush()


def bound(host: str, port: int | None) -> socket.socket:
    """Return a listening socket.

    Raises:
        UserError: The port is taken, or there is no such address here.
    """
    wanted = range(PORT, PORT + TRIES) if port is None else (port,)
    error: OSError | None = None
    for each in wanted:
        try:
            family = socket.getaddrinfo(host, each, type=socket.SOCK_STREAM)[0][0]
            made = socket.socket(family, socket.SOCK_STREAM)
        except OSError as problem:
            error = problem
            break
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, each))
            made.listen(128)
            return made
        except OSError as problem:
            made.close()
            error = problem
    raise UserError(
        "cannot be bound",
        where=f"{host}:{wanted[0]}",
        got=error.strerror if error else None,
        fix="choose another --port",
    )
